// Records the transcripts from ASP.NET Core: npm run transcripts:record. Needs the .NET 10 SDK; replaying them (npm
// test) does not.
import { execFileSync, spawn } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { stories } from './stories/index.js'
import { type Letter, type Stage, Talk } from './talk.js'

const source = join(import.meta.dirname, '../../../test/transcripts')
const folder = mkdtempSync(join(tmpdir(), 'transcripts-'))
cpSync(join(source, 'reference'), folder, { recursive: true })
execFileSync('dotnet', ['build', '-c', 'Release', '-o', 'out', '--nologo', '-v', 'quiet'], {
  cwd: folder,
  stdio: 'inherit',
})

try {
  const recorded: Record<string, unknown> = {}
  for (const story of stories) {
    const host = await start(story.requireConfirmedEmail === true ? ['requireConfirmedEmail'] : [])
    const talk = new Talk(host.stage)
    await story.play(talk)
    host.stop()
    recorded[story.name] = talk.exchanges
    console.log(`${story.name}: ${talk.exchanges.length}`)
  }
  await writeFile(join(source, 'recorded.json'), `${JSON.stringify(recorded, null, 1)}\n`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function start(args: readonly string[]): Promise<{ stage: Stage; stop(): void }> {
  const child = spawn('dotnet', ['out/reference.dll', '--urls', 'http://127.0.0.1:0', ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const origin = await new Promise<string>((resolve, reject) => {
    child.once('exit', () => reject(new Error('The host ended before it listened')))
    createInterface(child.stdout).on('line', (line) => {
      const [, url] = /^listening (\S+)$/.exec(line) ?? []
      if (url !== undefined) resolve(url)
    })
  })
  const get = async <T>(path: string) => (await (await fetch(origin + path)).json()) as T
  return {
    stage: {
      origin,
      now: () => get<number>('/__reference/now'),
      // Its authenticator reads the machine's clock.
      codeTime: () => Promise.resolve(Date.now()),
      advance: async (seconds) => {
        await fetch(`${origin}/__reference/advance?seconds=${seconds}`, { method: 'POST' })
      },
      letters: () => get<Letter[]>('/__reference/mails'),
    },
    stop: () => void child.kill(),
  }
}
