// Starts and controls contenders; checks of each that its guard refuses what it must.
import { startChild } from './child.js'
import type { ContenderOptions, Credential } from './contender.js'

export interface Usage {
  /** User and system time of all its threads since it began. */
  readonly cpuMicros: number
  readonly rss: number
}

export interface Server {
  readonly url: string
  usage(): Promise<Usage>
  credentials(count: number): Promise<readonly Credential[]>
  refreshTokens(count: number): Promise<readonly string[]>
  stop(): Promise<void>
}

/** @param contender a module of bench/contenders, or of bench/rivals */
export async function startServer(
  contender: string,
  options: ContenderOptions,
  core: number | null = null,
  environment: NodeJS.ProcessEnv = {},
): Promise<Server> {
  const child = startChild(import.meta.resolve('./server.js'), core, {
    BENCH_CONTENDER: contender,
    BENCH_OPTIONS: JSON.stringify(options),
    NODE_ENV: 'production',
    IDENTITY_SECRET: 'of no use to anybody outside a bench',
    ...environment,
  })
  // What arrives is what server.ts sends.
  const url = (await child.ask('url')) as string
  return {
    url,
    usage: async () => (await child.ask('usage')) as Usage,
    credentials: async (count) => (await child.ask('credentials', count)) as Credential[],
    refreshTokens: async (count) => (await child.ask('refreshTokens', count)) as string[],
    stop: () => child.stop(),
  }
}

export const contenderOf = (name: string) => import.meta.resolve(`../contenders/${name}.js`)
// The rivals are JavaScript and stay beside their own node_modules.
export const rivalOf = (name: string) => new URL(`../../../bench/rivals/${name}.js`, import.meta.url).href

/** A guard that lets everybody in is fast. 401 without a credential and with a mangled one, 200 and the right person with a good one. */
export async function proveGuard(name: string, { url }: Server, { header, value, userId }: Credential): Promise<void> {
  for (const [sent, status] of [
    [null, 401],
    [mangled(value), 401],
    [value, 200],
  ] as const) {
    const answer = await fetch(`${url}/guarded`, { headers: sent === null ? {} : { [header]: sent } })
    if (answer.status !== status) throw new Error(`${name} answered ${answer.status} where ${status} was due`)
    if (status === 200 && (await answer.text()) !== JSON.stringify({ userId }))
      throw new Error(`${name} did not know who was calling`)
  }
}

// Another letter in the middle of the token, or of each cookie.
function mangled(value: string): string {
  return value
    .split(' ')
    .map((part) => {
      if (part === 'Bearer') return part
      const middle = (part.indexOf('=') + part.length) >> 1
      return part.slice(0, middle) + (part[middle] === 'A' ? 'B' : 'A') + part.slice(middle + 1)
    })
    .join(' ')
}
