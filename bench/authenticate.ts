// What does a guard cost? The example's GET /weatherforecast with requireAuthorization() and a bearer token, beside the same route without
// a guard, in interleaved rounds: npm run bench [-- --rounds 5 --seconds 5 --connections 50]. Read the ratio; the absolute figures are the
// machine's. One token is sent again and again, as a client does within its hour; both routes get it, so that the requests are alike.
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import autocannon from 'autocannon'
import { startPostgres } from '../examples/postgres.js'

interface Measured {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  readonly cpuMicros: number
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '5' },
    connections: { type: 'string', default: '50' },
  },
})
const rounds = Number(values.rounds)
const seconds = Number(values.seconds)
const connections = Number(values.connections)

const postgres = process.env.DATABASE_URL === undefined ? await startPostgres({ persistent: false }) : null
const server = fork(fileURLToPath(import.meta.resolve('./authenticate-server.js')), {
  env: { ...process.env, DATABASE_URL: postgres?.url ?? process.env.DATABASE_URL, NODE_ENV: 'development' },
})
try {
  await compare(server)
} finally {
  if (server.connected) server.disconnect()
  if (server.exitCode === null) await once(server, 'exit')
  await postgres?.stop()
}

async function compare(child: ChildProcess): Promise<void> {
  const url = await nextMessage<string>(child)
  const token = await signIn(url)
  await proveGuard(url, token)

  const measure = (path: string, duration: number) => load(child, `${url}${path}`, token, duration)
  await measure('/bare', 2)
  await measure('/weatherforecast', 2)
  const bare: Measured[] = []
  const guarded: Measured[] = []
  for (let round = 0; round < rounds; round++) {
    bare.push(await measure('/bare', seconds))
    guarded.push(await measure('/weatherforecast', seconds))
  }
  report(bare, guarded)
}

async function signIn(url: string): Promise<string> {
  const credentials = { email: `bench-${Date.now()}@example.com`, password: 'Forecast-42' }
  await post(`${url}/account/register`, credentials)
  const response = await post(`${url}/account/login`, credentials)
  const { accessToken } = await response.json() as { accessToken: string }
  return accessToken
}

async function post(url: string, body: unknown): Promise<Response> {
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  if (!response.ok) throw new Error(`${url} answered ${response.status}`)
  return response
}

// A guard that lets everybody in is fast.
async function proveGuard(url: string, token: string): Promise<void> {
  const middle = token.length >> 1
  const mangled = token.slice(0, middle) + (token[middle] === 'A' ? 'B' : 'A') + token.slice(middle + 1)
  for (const [path, sent, expected] of [
    ['/weatherforecast', '', 401], ['/weatherforecast', mangled, 401], ['/weatherforecast', token, 200], ['/bare', '', 200],
  ] as const) {
    const { status } = await fetch(`${url}${path}`, { headers: sent === '' ? {} : { authorization: `Bearer ${sent}` } })
    if (status !== expected) throw new Error(`${path} answered ${status} where ${expected} was due`)
  }
}

async function load(child: ChildProcess, url: string, token: string, duration: number): Promise<Measured> {
  const before = await cpuMicros(child)
  const result = await autocannon({ url, connections, duration, headers: { authorization: `Bearer ${token}` } })
  const after = await cpuMicros(child)
  const failed = result.non2xx + result.errors + result.timeouts
  if (failed > 0) throw new Error(`${url}: ${failed} requests were not answered with 200`)
  return {
    perSecond: result.requests.total / result.duration,
    p50: result.latency.p50,
    p99: result.latency.p99,
    cpuMicros: (after - before) / result.requests.total,
  }
}

async function cpuMicros(child: ChildProcess): Promise<number> {
  child.send('cpu')
  const { user, system } = await nextMessage<NodeJS.CpuUsage>(child)
  return user + system
}

async function nextMessage<T>(child: ChildProcess): Promise<T> {
  const settled = new AbortController()
  const { signal } = settled
  const message = once(child, 'message', { signal })
  const death = once(child, 'exit', { signal }).then(() => { throw new Error('The server ended before it answered') })
  try {
    // What arrives over IPC is what authenticate-server.ts sends.
    const [answer] = await Promise.race([message, death]) as [T]
    return answer
  } finally {
    settled.abort()
    await Promise.allSettled([message, death])
  }
}

function report(bare: readonly Measured[], guarded: readonly Measured[]): void {
  const row = (name: string, list: readonly Measured[]) => [
    name, ...([['perSecond', 0], ['p50', 0], ['p99', 0], ['cpuMicros', 1]] as const).map(([key, digits]) => median(list.map((one) => one[key])).toFixed(digits)),
  ]
  const ratios = guarded.map((one, round) => one.perSecond / bare[round]!.perSecond)
  const added = median(guarded.map((one, round) => one.cpuMicros - bare[round]!.cpuMicros))
  const table = [['', 'req/s', 'p50 ms', 'p99 ms', 'CPU µs/req'], row('bare', bare), row('guarded', guarded)]
  for (const cells of table) console.log(cells.map((cell, column) => (column === 0 ? cell.padEnd(10) : cell.padStart(12))).join(''))
  console.log(`\nguarded / bare, same round: ${median(ratios).toFixed(3)} (${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)})`)
  console.log(`CPU of a guard: ${added.toFixed(1)} µs a request`)
  console.log(`${rounds} rounds of ${seconds} s, ${connections} connections, medians; ${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, `
    + `Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}`)
}

function median(list: readonly number[]): number {
  const sorted = list.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
