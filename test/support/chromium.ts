// A real browser without a window, on a profile of its own. It ends with the process that started it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

function findChromium(): string | null {
  const folders = (process.env.PATH ?? '').split(':')
  return (
    ['chromium', 'chromium-browser', 'google-chrome']
      .flatMap((name) => folders.map((folder) => join(folder, name)))
      .find((file) => existsSync(file)) ?? null
  )
}

/** A reason to pass a test by: only where nobody said that everything must hold. .ci/run installs it. */
export const withoutChromium =
  findChromium() === null && process.env.CI !== 'true'
    ? 'chromium is not installed here; apt-get install chromium'
    : false

// As root it has no sandbox; nothing but pages of the test is opened. Nor does it ask its maker for anything.
const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

// Descriptor 3 is a pipe that breaks when the test's process ends, whatever ends it.
const watchdog = '"$@" 3<&- & browser=$!; { read -r _ <&3; kill -s KILL "$browser"; } & exec 3<&-; wait "$browser"'

/** Opens a page, which must report its result itself; rejects when the browser ends before `result`. */
export async function openPage<T>(t: TestContext, url: string, result: Promise<T>): Promise<T> {
  const program = findChromium()
  if (program === null) throw new Error('chromium is not installed: apt-get install chromium')
  const profile = await mkdtemp(join(tmpdir(), 'chromium-'))
  const log: string[] = []
  const child = spawn('/bin/sh', ['-c', watchdog, 'sh', program, ...flags, `--user-data-dir=${profile}`, url], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  })
  child.stderr!.on('data', (chunk) => log.push(String(chunk)))
  const ended = once(child, 'exit')
  t.after(async () => {
    child.stdio[3]?.destroy()
    await ended
    // Its helpers may still write while they end.
    await rm(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  })
  return Promise.race([
    result,
    ended.then(() => {
      throw new Error(`The browser has ended: ${log.join('')}`)
    }),
  ])
}
