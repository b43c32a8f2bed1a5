// How many statements an answer costs, read on the wire, beyond what round-trips.test.ts counts: cookies, second
// factors, and a flood of tokens that are none (security R24, R30).
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { requireAuthorization } from '../../../src/index.js'
import { type Answer, pairOf, startApp, type TestApp } from '../../support/app.js'
import { authenticatorOf } from '../../support/authenticator.js'
import { isBackground, isOfTheRing } from '../../support/background.js'
import { until } from '../../support/instances.js'
import { databaseUrl } from '../../support/postgres.js'
import { startTcpProxy } from '../../support/tcp-proxy.js'
import { vectors } from '../../support/vectors.js'

interface Place {
  readonly app: TestApp
  readonly readings: () => number
  /** The statements that `ask` costs; its answer must have this status. */
  readonly cost: (ask: () => Promise<Answer>, status?: number) => Promise<number>
}

async function place(t: TestContext): Promise<Place> {
  const proxy = await startTcpProxy(await databaseUrl())
  t.after(() => proxy.close())
  const app = await startApp({
    identity: { database: proxy.url },
    after: (host) =>
      host.get('/me', { onRequest: requireAuthorization() }, (request) => ({ id: request.identity?.userId })),
  })
  t.after(() => app.close())
  return {
    app,
    readings: () => proxy.statements.filter(isOfTheRing).length,
    async cost(ask, status = 200) {
      proxy.forget()
      const answer = await ask()
      assert.equal(answer.status, status, answer.body)
      return proxy.statements.filter((text) => !isBackground(text)).length
    },
  }
}

const login = (app: TestApp, json: object, more: object = {}, query = '') =>
  app.call('POST', `/account/login${query}`, { json, ...more })

test('a request with a cookie asks nothing, and once for all of them when its user is due to be read again', async (t) => {
  const { app, cost } = await place(t)
  const { cookie } = await app.signInWithCookie()
  const me = () => app.call('GET', '/me', { cookie })
  for (let time = 0; time < 20; time++) assert.equal(await cost(me), 0)
  app.clock.advance(1800)
  const due = async () => (await Promise.all(Array.from({ length: 20 }, me)))[0]!
  assert.equal(await cost(due), 1)
})

test('a cookie past half its life slides without a statement', async (t) => {
  const proxy = await startTcpProxy(await databaseUrl())
  t.after(() => proxy.close())
  const app = await startApp({
    identity: { database: proxy.url, cookie: { lifetimeSeconds: 1000 } },
    after: (host) => host.get('/me', { onRequest: requireAuthorization() }, () => ({})),
  })
  t.after(() => app.close())
  const { cookie } = await app.signInWithCookie()
  app.clock.advance(501)
  proxy.forget()
  const answer = await app.call('GET', '/me', { cookie })
  assert.equal(answer.setCookies.length, 1)
  assert.deepEqual(
    proxy.statements.filter((text) => !isBackground(text)),
    [],
  )
})

test('a sign-in asks three times at most, with every kind of second factor and with a hash that is replaced', async (t) => {
  const { app, cost } = await place(t)
  const person = await app.register()
  assert.equal(await cost(() => login(app, person, {}, '?useCookies=true')), 2)
  const { accessToken: token } = await app.signIn(person)
  const { sharedKey } = (await app.call('POST', '/account/manage/2fa', { token, json: {} })).json() as {
    sharedKey: string
  }
  const phone = authenticatorOf(sharedKey, app.clock)
  const enabled = await app.call('POST', '/account/manage/2fa', {
    token,
    json: { enable: true, twoFactorCode: phone.code() },
  })
  const {
    recoveryCodes: [recoveryCode],
  } = enabled.json() as { recoveryCodes: string[] }

  // The code that switched the second factor on is used up.
  app.clock.advance(30)
  let remembered: string | undefined
  assert.equal(
    await cost(async () => {
      const answer = await login(app, { ...person, twoFactorCode: phone.code() }, {}, '?useCookies=true')
      remembered = answer.setCookies.find((line) => line.includes('-machine='))
      return answer
    }),
    3,
  )
  assert.equal(await cost(() => login(app, { ...person, twoFactorRecoveryCode: recoveryCode })), 3)
  assert.equal(await cost(() => login(app, person, { cookie: pairOf(remembered!) })), 2)

  const { password, valid } = vectors('aspnet-password-hashes.json') as {
    password: string
    valid: { hash: string; format: string }[]
  }
  await app.sql('update users set password_hash = $1, two_factor_enabled = false', [
    valid.find(({ format }) => format === 'V3 SHA512 10000 16/32')!.hash,
  ])
  assert.equal(await cost(() => login(app, { email: person.email, password })), 3)
})

test('a change of the own password asks four times, and signs the other devices out', async (t) => {
  const { app, cost } = await place(t)
  const person = await app.register()
  const here = await app.signIn(person)
  const there = await app.signIn(person)
  const change = (oldPassword: string, newPassword: string) =>
    app.call('POST', '/account/manage/info', { token: here.accessToken, json: { oldPassword, newPassword } })
  assert.equal(await cost(() => change(person.password, `${person.password}-2`)), 4)
  assert.equal((await app.call('GET', '/account/manage/info', { token: there.accessToken })).status, 401)
  // What was reserved is given back with the change.
  for (let time = 3; time < 12; time++)
    assert.equal((await change(`${person.password}-${time - 1}`, `${person.password}-${time}`)).status, 200)
})

test('ten thousand tokens that are none cost no statement, but for one reading of the ring a second', async (t) => {
  const { app, cost, readings } = await place(t)
  const { accessToken, refreshToken } = await app.signIn()
  const { cookie } = await app.signInWithCookie()
  const underUnknownKey = (token: string) => {
    const bytes = Buffer.from(token, 'base64url')
    randomBytes(4).copy(bytes, 2)
    return bytes.toString('base64url')
  }
  const forged: (() => Promise<Answer>)[] = [
    () => app.call('GET', '/me', { token: randomBytes(160).toString('base64url') }),
    () => app.call('GET', '/me', { token: underUnknownKey(accessToken) }),
    () => app.call('GET', '/me', { token: `${accessToken.slice(0, -4)}AAAA` }),
    () => app.call('GET', '/me', { cookie: `identity=${underUnknownKey(cookie.slice('identity='.length))}` }),
    () => app.call('POST', '/account/refresh', { json: { refreshToken: underUnknownKey(refreshToken) } }),
  ]
  const start = performance.now()
  let read = 0
  for (let shown = 0; shown < 10_000; shown += 100) {
    assert.equal(
      await cost(async () => {
        const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => forged[index % forged.length]!()))
        return answers.find(({ status }) => status !== 401) ?? answers[0]!
      }, 401),
      0,
    )
    read += readings()
  }
  const seconds = (performance.now() - start) / 1000
  t.diagnostic(`${read} readings of the ring in ${seconds.toFixed(1)} s`)
  assert.ok(read <= 1 + Math.ceil(seconds), `${read} readings in ${seconds} s`)
  // Where the machine was too busy for the poll of the feed, a request asks by itself until that is done.
  await until(async () => (await cost(() => app.call('GET', '/me', { token: accessToken }))) === 0)
})
