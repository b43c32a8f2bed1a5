// Puts a server under load and measures both sides: requests per second and latency by the load, CPU time per request
// by the server itself.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Child, startChild } from './child.js'
import type { Credential } from './contender.js'
import type { Server } from './servers.js'
import { type Load, type Loaded, wrk } from './wrk.js'

export interface Measured extends Loaded {
  /** Of the server, user and system time of all its threads, per request. */
  readonly cpuMicros: number
}

export type Tool = 'autocannon' | 'wrk'

/** Runs a load in a process of its own. */
export async function load(what: Load, tool: Tool = 'autocannon', core: number | null = null): Promise<Loaded> {
  if (tool === 'wrk') return wrk(what, core)
  const child: Child = startChild(import.meta.resolve('./load.js'), core)
  try {
    return (await child.ask('run', what)) as Loaded // what load.ts answers
  } finally {
    await child.stop()
  }
}

/** The same with the server's CPU time. Throws where an answer was not 200, unless `isFlood`. */
export async function measure(
  server: Server,
  what: Load,
  tool: Tool = 'autocannon',
  core: number | null = null,
  isFlood = false,
): Promise<Measured> {
  const before = await server.usage()
  const loaded = await load(what, tool, core)
  const after = await server.usage()
  const { 200: good = 0, ...others } = loaded.statuses
  if (!isFlood && (good === 0 || Object.keys(others).length > 0 || loaded.unanswered > 0)) {
    throw new Error(`${what.url} under ${tool}: ${JSON.stringify(loaded.statuses)}, ${loaded.unanswered} unanswered`)
  }
  return { ...loaded, cpuMicros: (after.cpuMicros - before.cpuMicros) / loaded.requests }
}

/** A file of credentials for a `get`, in a folder that lives as long as the bench. */
export async function credentialFiles(): Promise<{
  write(credentials: readonly Credential[]): Promise<string>
  remove(): Promise<void>
}> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-'))
  let written = 0
  return {
    async write(credentials) {
      const file = join(folder, String(++written))
      await writeFile(
        file,
        [credentials[0]?.header ?? 'authorization', ...credentials.map(({ value }) => value)].join('\n'),
        { mode: 0o600 },
      )
      return file
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
