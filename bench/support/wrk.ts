// wrk, where it is installed (Debian: apt-get install wrk): a load that costs so little that the server is the limit.
import { execFile, spawnSync } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { canPin } from './child.js'

/** What load.ts is asked to do. */
export type Load = {
  readonly url: string
  readonly connections: number
  readonly seconds: number
  /** So many requests instead. */ readonly amount?: number
} &
  /** Takes turns with the credentials of a file: the header's name, then a value on each line. */
  (
    | { readonly kind: 'get'; readonly file: string }
    /** Takes turns with the bodies. */
    | { readonly kind: 'post'; readonly bodies: readonly object[] }
    /** Each connection begins with a body of its own; then each answer is its next request. */
    | { readonly kind: 'refresh'; readonly bodies: readonly object[] }
  )

export interface Loaded {
  readonly requests: number
  readonly perSecond: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  /** How many answers had which status. wrk knows 200 and others. */
  readonly statuses: Readonly<Record<string, number>>
  readonly unanswered: number
}

export const hasWrk = spawnSync('wrk', ['--version']).error === undefined

// Requests are made before the clock runs; the answers' latencies are in microseconds.
const script = `
local requests, turn = {}, 0
function init(args)
  local header
  for line in io.lines(args[1]) do
    if header then requests[#requests + 1] = wrk.format("GET", nil, { [header] = line }) else header = line end
  end
end
function request()
  turn = turn % #requests + 1
  return requests[turn]
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('\\n{"requests":%d,"micros":%d,"p50":%d,"p99":%d,"bad":%d,"unanswered":%d}\\n', summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.status, e.connect + e.read + e.write + e.timeout))
end`

export async function wrk(load: Load, core: number | null): Promise<Loaded> {
  if (load.kind !== 'get') throw new Error('wrk does not know which answer belongs to which connection')
  const file = join(tmpdir(), `bench-${process.pid}.lua`)
  await writeFile(file, script)
  const pinned = core !== null && canPin ? ['taskset', '-c', String(core)] : []
  const [command, ...rest] = [
    ...pinned,
    'wrk',
    '-t1',
    `-c${load.connections}`,
    `-d${load.seconds}s`,
    '--timeout',
    '30s',
    '-s',
    file,
    load.url,
    '--',
    load.file,
  ]
  try {
    const { stdout } = await promisify(execFile)(command, rest)
    const { requests, micros, p50, p99, bad, unanswered } = JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<
      string,
      number
    >
    return {
      requests: requests!,
      perSecond: (requests! / micros!) * 1e6,
      p50: p50! / 1000,
      p99: p99! / 1000,
      statuses: { 200: requests! - bad!, ...(bad! > 0 ? { others: bad! } : {}) },
      unanswered: unanswered!,
    }
  } finally {
    await rm(file)
  }
}
