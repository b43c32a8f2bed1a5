// How often Postgres is asked, counted on the wire: the budget of security R30.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import {
  type Answer,
  guarded,
  info,
  login,
  logout,
  newcomer,
  refresh,
  register,
  startApp,
  tokensOf,
} from '../support/instances.js'
import type { EmailOption, IdentityOptions } from '../../src/index.js'
import { report } from '../support/experiment.js'
import { isBackground } from '../support/background.js'
import { databaseUrl } from '../support/postgres.js'
import { startTcpProxy } from '../support/tcp-proxy.js'

// What asks by itself, and the worker that delivers mail.
const isOwn = (text: string) =>
  isBackground(text) || /^\s*(update|delete from|select extract\(epoch from min\(due_at\)).*"outbox"/s.test(text)

async function place(t: TestContext, options: IdentityOptions = {}) {
  const proxy = await startTcpProxy(await databaseUrl())
  t.after(() => proxy.close())
  const app = await startApp(t, { ...options, database: proxy.url })
  return {
    app,
    cost: async (asked: () => Promise<Answer>, status = 200) => {
      proxy.forget()
      const answer = await asked()
      assert.equal(answer.status, status, answer.text)
      return proxy.statements.filter((text) => !isOwn(text)).length
    },
  }
}

test('an authenticated request asks nothing', async (t) => {
  const { app, cost } = await place(t)
  const { accessToken } = await newcomer(app, 'alice@example.com')
  for (let time = 0; time < 20; time++) assert.equal(await cost(() => guarded(app, accessToken)), 0)
  assert.equal(await cost(() => guarded(app, 'garbage'), 401), 0)
})

test('a registration asks twice at most, a sign-in twice, whether it succeeds or not', async (t) => {
  const { app, cost } = await place(t)
  assert.ok((await cost(() => register(app, 'alice@example.com'))) <= 2)
  assert.ok((await cost(() => register(app, 'alice@example.com'), 400)) <= 2)
  assert.equal(await cost(() => login(app, 'alice@example.com')), 2)
  assert.equal(await cost(() => login(app, 'alice@example.com', 'Wrong-horse-1'), 401), 2)
  assert.equal(await cost(() => login(app, 'nobody@example.com', 'Wrong-horse-1'), 401), 2)
})

test('a registration with mail asks twice at most, and its mail is written with the user or not at all', async (t) => {
  const mails: string[] = []
  const email: EmailOption = {
    send(message) {
      mails.push(message.to)
      return Promise.resolve()
    },
  }
  for (const requireUniqueEmail of [false, true]) {
    const { app, cost } = await place(t, { email, publicUrl: 'https://api.example.com', user: { requireUniqueEmail } })
    await app.identity.mail.flush()
    // The delivery follows the answer; what it costs is not waited for by a request.
    const first = await cost(() => register(app, 'alice@example.com'))
    const second = await cost(() => register(app, 'alice@example.com'), 400)
    assert.ok(first <= 2, `${first}`)
    assert.ok(second <= 2, `${second}`)
    await app.identity.mail.flush()
    report(t, { 'round trips of a registration with mail': first, 'of a taken name': second })
  }
  assert.deepEqual(mails, ['alice@example.com', 'alice@example.com'])
})

test("with preset 'hardened' a registration asks twice, whether the address is free or taken", async (t) => {
  const email = { send: () => Promise.resolve() }
  const { app, cost } = await place(t, { preset: 'hardened', email, publicUrl: 'https://api.example.com' })
  const password = 'correct horse battery'
  const free = await cost(() => register(app, 'alice@example.com', password))
  await app.identity.mail.flush()
  const taken = await cost(() => register(app, 'alice@example.com', password))
  await app.identity.mail.flush()
  report(t, { 'round trips of a hardened registration': free, 'of a taken address': taken })
  assert.deepEqual([free, taken], [2, 2])
})

test('a refresh asks once, a repeated one twice, a garbled one not at all', async (t) => {
  const { app, cost } = await place(t)
  const { refreshToken } = await newcomer(app, 'alice@example.com')
  assert.equal(await cost(() => refresh(app, refreshToken)), 1)
  assert.equal(await cost(() => refresh(app, refreshToken)), 2)
  assert.equal(await cost(() => refresh(app, 'garbage'), 401), 0)
})

test('a logout asks once, the page about oneself once', async (t) => {
  const { app, cost } = await place(t)
  const { accessToken } = await newcomer(app, 'alice@example.com')
  const next = tokensOf(await login(app, 'alice@example.com'))
  assert.equal(await cost(() => info(app, accessToken)), 1)
  assert.equal(await cost(() => logout(app, accessToken)), 1)
  assert.equal(await cost(() => logout(app, accessToken), 401), 0)
  assert.equal(await cost(() => guarded(app, next.accessToken)), 0)
})
