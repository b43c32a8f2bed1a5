// Is somebody at work in this folder already? Reads the lock file of Postgres and the process table; serves postgres.ts.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** What Postgres notes in its folder while it runs, one line each: pid, folder, start, port, …, state (miscadmin.h, LOCK_FILE_LINE_*). */
export interface LockFile {
  readonly text: string
  readonly pid: number
  readonly port: number
  readonly state: string
}

export async function lockFile(dataDir: string): Promise<LockFile | null> {
  const content = await readFile(join(dataDir, 'cluster', 'postmaster.pid'), 'utf8').catch(() => null)
  if (content === null) return null
  const lines = content.split('\n')
  return { text: content, pid: Number(lines[0]), port: Number(lines[3]), state: lines[7]?.trim() ?? '' }
}

/**
 * Throws when a server runs in the folder. A lock file whose server is dead is Postgres's own business, unless its pid belongs to another
 * program by now: then it goes. A server whose shell is gone will never be stopped by anyone, so that is done here.
 */
export async function refuseTwin(dataDir: string): Promise<void> {
  const start = Date.now()
  for (let lock = await lockFile(dataDir); lock && isAlive(lock.pid); lock = await lockFile(dataDir)) {
    const command = commandOf(lock.pid)
    if (command !== '' && !command.includes(dataDir))
      return rm(join(dataDir, 'cluster', 'postmaster.pid'), { force: true })
    const orphaned = parentOf(lock.pid) === 1
    if (orphaned) process.kill(lock.pid, 'SIGINT')
    const patience = orphaned || lock.state === 'stopping' ? 10_000 : 1000
    if (Date.now() - start > patience) throw twin(dataDir, lock.pid)
    await sleep(100)
  }
}

function twin(dataDir: string, pid: number): Error {
  return new Error(
    `A Postgres (process ${pid}) already runs in ${dataDir}. Stop the program that started it, or: kill -INT ${pid}`,
  )
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    // EPERM: it lives, as someone else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

// Linux has it in /proc, where containers often lack ps; other systems have ps.
function commandOf(pid: number): string {
  return procFile(pid, 'cmdline')?.replaceAll('\0', ' ') ?? ps(pid, 'command=')
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s*(\d+)/m.exec(procFile(pid, 'status') ?? '')?.[1] ?? ps(pid, 'ppid='))
}

function procFile(pid: number, name: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8')
  } catch {
    return null
  }
}

function ps(pid: number, column: string): string {
  const { error, stdout } = spawnSync('ps', ['-o', column, '-p', String(pid)], { encoding: 'utf8' })
  return error ? '' : stdout.trim()
}
