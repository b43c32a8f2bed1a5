// The program `fastify-identity` as a shell runs it: a process of its own, without a terminal.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { databaseUrl } from './postgres.js'

export const bin = fileURLToPath(import.meta.resolve('../../src/cli/main.js'))

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** @param environment besides DATABASE_URL, which names the database of the tests unless it says otherwise */
export async function shell(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ran> {
  const child = spawn(process.execPath, [bin, ...args], {
    env: { PATH: process.env.PATH, DATABASE_URL: await databaseUrl(), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => {
    said.stdout += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    said.stderr += chunk.toString()
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code: code ?? -1, ...said }
}

/** The result of a command with --json; throws its output when it failed. */
export async function jsonOf(
  args: readonly string[],
  environment?: NodeJS.ProcessEnv,
): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await shell([...args, '--json'], environment)
  if (code !== 0) throw new Error(`Exit code ${code}: ${stderr}`)
  return JSON.parse(stdout) as Record<string, unknown> // every answer is an object
}
