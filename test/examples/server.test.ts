import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { story } from '../../examples/story.js'
import { freshDatabase } from '../support/postgres.js'

const program = fileURLToPath(import.meta.resolve('../../examples/server.js'))

async function portOf(t: TestContext, isTaken: boolean): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  // A TCP server has an address of this kind once it listens.
  const { port } = server.address() as AddressInfo
  const close = async () => {
    await once(server.close(), 'close')
  }
  if (isTaken) t.after(close)
  else await close()
  return port
}

async function startExample(t: TestContext, port: number) {
  const env = {
    ...process.env,
    DATABASE_URL: await freshDatabase(),
    PORT: String(port),
    HOST: '127.0.0.1',
    NODE_ENV: 'development',
  }
  const child = spawn(process.execPath, ['--enable-source-maps', program], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => child.kill('SIGKILL'))
  const said = { out: '', err: '' }
  child.stderr.on('data', (chunk: Buffer) => {
    said.err += chunk.toString()
  })
  const settled = new Promise<void>((resolve) => {
    child.once('close', () => resolve())
    child.stdout.on('data', (chunk: Buffer) => {
      said.out += chunk.toString()
      if (said.out.endsWith('-b "$jar" "$url/weatherforecast"\n\n')) resolve()
    })
  })
  await settled
  return { child, said }
}

test('the story that the example prints comes true', async (t) => {
  const port = await portOf(t, false)
  const { said } = await startExample(t, port)
  const text = story(`http://127.0.0.1:${port}`)
  assert.ok(said.out.includes(text), said.err)

  const bash = spawn('bash', ['-e'], { stdio: ['pipe', 'pipe', 'ignore'] })
  bash.stdin.end(text)
  let output = ''
  bash.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  const [code] = (await once(bash, 'close')) as [number | null]
  assert.equal(code, 0)
  const statuses = [...output.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => Number(status))
  assert.deepEqual(statuses, [200, 401, 200, 200, 200, 401, 200, 200, 200, 401])
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} ends the example with exit code 0, though a connection is open`, async (t) => {
    const port = await portOf(t, false)
    const { child } = await startExample(t, port)
    const response = await fetch(`http://127.0.0.1:${port}/`)
    assert.equal(response.status, 200)
    child.kill(signal)
    assert.deepEqual(await once(child, 'exit'), [0, null])
  })
}

test('a taken port gets one line that says so, and how to choose another', async (t) => {
  const port = await portOf(t, true)
  const { child, said } = await startExample(t, port)
  assert.equal(child.exitCode, 1)
  assert.match(said.err, new RegExp(`^Port ${port} is taken\\. Choose another: PORT=${port + 1} npm start$`, 'm'))
  assert.doesNotMatch(said.err, /^\s+at /m)
})
