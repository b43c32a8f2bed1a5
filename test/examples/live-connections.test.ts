// The example in two processes on one database: what stays open on one instance ends by a logout on the other.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'
import { build } from '../../examples/live-connections.js'
import { goodPassword, pairOf, type Tokens } from '../support/app.js'
import { startExample } from '../support/example.js'
import { freshDatabase } from '../support/postgres.js'

const program = fileURLToPath(import.meta.resolve('../../examples/live-connections.js'))
const person = { email: 'ann@example.com', password: goodPassword }

/** Runs the example, and returns its address. */
async function start(t: TestContext, database: string): Promise<string> {
  const env = { ...process.env, DATABASE_URL: database, PORT: '0', NODE_ENV: 'development' }
  const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(async () => {
    const exit = once(child, 'exit')
    child.kill('SIGTERM')
    assert.deepEqual(await exit, [0, null])
  })
  for await (const line of createInterface(child.stdout)) {
    const [address] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? []
    if (address !== undefined) return address
  }
  throw new Error('The example ended')
}

const post = (url: string, json: object, headers: Record<string, string> = {}) =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(json),
  })

async function openSocket(origin: string, headers: Record<string, string>): Promise<WebSocket> {
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/chat`, { headers })
  const [message] = (await once(socket, 'message')) as [Buffer]
  assert.equal(message.toString(), `hello ${person.email}`)
  return socket
}

test('live-connections.ts: socket and stream on one instance end by a logout on another one, others go on', async (t) => {
  const database = await freshDatabase()
  const one = await start(t, database)
  const other = await start(t, database)
  await post(`${one}/account/register`, person)
  const login = async () => (await (await post(`${one}/account/login`, person)).json()) as Tokens
  const bearer = { authorization: `Bearer ${(await login()).accessToken}` }
  const bystander = { authorization: `Bearer ${(await login()).accessToken}` }
  const cookie = pairOf((await post(`${one}/account/login?useCookies=true`, person)).headers.get('set-cookie')!)

  for (const headers of [bearer, { cookie }]) {
    const socket = await openSocket(one, headers)
    const closed = once(socket, 'close')
    const ticker = await fetch(`${one}/ticker`, { headers })
    assert.deepEqual([ticker.status, ticker.headers.get('content-type')], [200, 'text/event-stream'])
    const staying = await openSocket(one, bystander)
    assert.equal((await post(`${other}/account/logout`, {}, headers)).status, 200)
    const [code, reason] = (await closed) as [number, Buffer]
    assert.deepEqual([code, reason.toString()], [4401, 'The session has ended'])
    assert.match(await ticker.text(), /^data: .*\n\nevent: sessionEnded\ndata:\n\n$/s)

    staying.send('still here')
    const [message] = (await once(staying, 'message')) as [Buffer]
    assert.equal(message.toString(), `${person.email}: still here`)
    staying.close()
  }
})

test('live-connections.ts without a session opens nothing', async (t) => {
  const { call } = await startExample(t, build)
  assert.equal((await call('GET', '/ticker')).status, 401)
  assert.equal((await call('GET', '/chat')).status, 401)
})
