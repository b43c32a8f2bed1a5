// Does what a stranger does, with what npm would publish, and prints how long each step takes: the README's first
// program in an empty folder, up to a guarded route that answers, and then a clone of the last commit up to the banner
// of `npm start`. `npm run stranger`.
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const project = join(import.meta.dirname, '../..')
const run = promisify(execFile)
const json = { 'content-type': 'application/json' }
const ada = JSON.stringify({ email: 'ada@example.com', password: 'Forecast-42' })

async function timed<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
  const from = performance.now()
  const result = await work()
  console.log(`${what.padEnd(62)} ${((performance.now() - from) / 1000).toFixed(1)} s`)
  return result
}

/** Runs work in a new folder that the user of Postgres may enter, and removes it. */
async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'fastify-identity-stranger-'))
  try {
    await chmod(folder, 0o755)
    await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 10 })
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // a TCP server has one of this kind
  server.close()
  await once(server, 'close')
  return port
}

/** Starts a program, waits until it is up, works with it, and stops it and the Postgres of its folder. */
async function whileRunning(
  { command, folder, port }: { command: [string, ...string[]]; folder: string; port: number },
  what: string,
  isUp: (line: string) => boolean,
  work: () => Promise<void>,
): Promise<void> {
  const [program, ...args] = command
  const { DATABASE_URL: _, NODE_ENV: __, ...env } = process.env
  const child = spawn(program, args, {
    cwd: folder,
    env: { ...env, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  try {
    await timed(what, async () => {
      for await (const line of createInterface(child.stdout)) if (isUp(line)) return
      throw new Error(`${command.join(' ')} has ended`)
    })
    await work()
  } finally {
    child.kill('SIGTERM')
    await ended
    while (existsSync(join(folder, '.data/postgres/cluster/postmaster.pid'))) await sleep(20)
  }
}

/** Registers, logs in and asks a guarded route, without and with the token. */
async function enter(origin: string): Promise<void> {
  const post = (path: string) =>
    fetch(`${origin}/account/${path}`, {
      method: 'POST',
      headers: json,
      body: ada,
      signal: AbortSignal.timeout(60_000),
    })
  assert.equal((await fetch(`${origin}/hello`)).status, 401)
  assert.equal((await post('register')).status, 200)
  const { accessToken } = (await (await post('login')).json()) as { accessToken: string } // our own answer
  const hello = await fetch(`${origin}/hello`, { headers: { authorization: `Bearer ${accessToken}` } })
  assert.deepEqual(await hello.json(), { hello: 'ada@example.com' })
}

async function firstProgram(folder: string): Promise<void> {
  const readme = await readFile(join(project, 'README.md'), 'utf8')
  const source = /^```js\n([^]*?)^```$/m.exec(readme)?.[1] ?? ''
  const listens = 'await app.listen({ port: 3000 })'
  assert.ok(source.includes('startPostgres()') && source.includes(listens))
  const command = /^npm install (.*)$/m.exec(readme)?.[1]?.split(' ') ?? []
  assert.ok(command.includes('fastify-identity'))
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], {
    cwd: project,
  })
  const packages = command.map((name) => (name === 'fastify-identity' ? `./${stdout.trim()}` : name))
  const port = await freePort()
  await timed(`npm install ${command.join(' ')}`, () =>
    run('npm', ['install', '--no-audit', '--no-fund', ...packages], { cwd: folder }),
  )
  const port3000 = listens.replace('3000', String(port))
  await writeFile(join(folder, 'server.mjs'), source.replace(listens, `${port3000}\nconsole.log('listening')`))
  const server = { command: [process.execPath, 'server.mjs'] as [string, string], folder, port }
  const isUp = (line: string) => line === 'listening'
  await whileRunning(server, 'node server.mjs, the first time, until it listens', isUp, () =>
    timed('register, log in, ask the guarded route', () => enter(`http://127.0.0.1:${port}`)),
  )
  await whileRunning(server, 'node server.mjs, with the data of the first time', isUp, async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/account/login`, { method: 'POST', headers: json, body: ada })
    assert.equal(answer.status, 200)
  })
}

async function cloned(folder: string): Promise<void> {
  const clone = join(folder, 'fastify-identity')
  await run('git', ['clone', '--quiet', project, clone])
  await timed('npm ci, in a clone', () => run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: clone }))
  const server = { command: ['npm', 'start'] as [string, string], folder: clone, port: await freePort() }
  await whileRunning(
    server,
    'npm start, in a clone, until its banner',
    (line) => line.includes('Swagger UI'),
    () => Promise.resolve(),
  )
}

console.log(`Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`)
await inFolder(firstProgram)
await inFolder(cloned)
