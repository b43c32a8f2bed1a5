// A PgBouncer in transaction mode in front of a test's Postgres, with the settings of its Debian package: each
// transaction may run on another connection, no session state survives, LISTEN receives nothing. It ends with the
// process that started it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import pg from 'pg'
import { serverUser } from '../../src/development/postgres-binaries.js'

/** Where the program lies; null where it is not installed. */
export function findPgbouncer(): string | null {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/sbin']
  return folders.map((folder) => join(folder, 'pgbouncer')).find((file) => existsSync(file)) ?? null
}

/** A reason to pass a test by: only where nobody said that everything must hold. .ci/run installs it. */
export const withoutPgbouncer =
  findPgbouncer() === null && process.env.CI !== 'true'
    ? 'pgbouncer is not installed here; apt-get install pgbouncer'
    : false

// Descriptor 3 is a pipe that breaks when the test's process ends, whatever ends it.
const watchdog = '"$@" 3<&- & server=$!; { read -r _ <&3; kill -s INT "$server"; } & exec 3<&-; wait "$server"'

/**
 * Starts one; answers the URL of the same database behind it.
 *
 * @param poolSize connections to Postgres, whatever the number of clients
 */
export async function startPgbouncer(t: TestContext, targetUrl: string, poolSize = 10): Promise<string> {
  const program = findPgbouncer()
  if (program === null) throw new Error('pgbouncer is not installed: apt-get install pgbouncer')
  const target = new URL(targetUrl)
  const folder = await mkdtemp(join(tmpdir(), 'pgbouncer-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const port = await freePort()
  const settings = join(folder, 'pgbouncer.ini')
  const users = join(folder, 'users.txt')
  await writeFile(users, `"${decodeURIComponent(target.username)}" "${decodeURIComponent(target.password)}"\n`)
  await writeFile(
    settings,
    `[databases]
* = host=${target.hostname} port=${target.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${users}
pool_mode = transaction
default_pool_size = ${poolSize}
max_client_conn = 500
`,
  )
  // It refuses to run as root.
  const user = await serverUser(folder)
  for (const file of [folder, settings, users]) {
    if ('uid' in user) await chown(file, user.uid, user.gid)
    await chmod(file, 0o700)
  }
  const log: string[] = []
  const child = spawn('/bin/sh', ['-c', watchdog, 'sh', program, settings], {
    ...user,
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  })
  child.stderr!.on('data', (chunk) => log.push(String(chunk)))
  const ended = once(child, 'exit')
  t.after(async () => {
    child.stdio[3]?.destroy()
    await ended
  })
  const url = new URL(targetUrl)
  url.host = `127.0.0.1:${port}`
  for (;;) {
    if (await answers(url.href)) return url.href
    if (child.exitCode !== null) throw new Error(`pgbouncer did not start: ${log.join('')}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 })
  try {
    await client.connect()
    await client.query('select 1')
    return true
  } catch {
    return false
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // a TCP server that listens has an address of this kind
  server.close()
  await once(server, 'close')
  return port
}
