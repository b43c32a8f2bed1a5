import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { expectChallenge, expectTokenRefused, expectEmpty, startApp, type TestApp, withApp } from '../support/app.js'
import { until } from '../support/instances.js'

let server: TestApp

before(async () => {
  server = await startApp()
})
after(() => server.close())

const info = (by: { token: string } | { cookie: string }) => server.call('GET', '/account/manage/info', by)

const cleared = {
  'set-cookie': 'identity=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax',
  'cache-control': 'no-cache,no-store',
  pragma: 'no-cache',
  expires: 'Thu, 01 Jan 1970 00:00:00 GMT',
}

test('a caller who is not signed in is challenged, before anything of the request is read', async () => {
  expectChallenge(await server.call('POST', '/account/logout'))
  expectChallenge(await server.call('POST', '/account/logout?scope=nonsense'))
  expectChallenge(
    await server.call('POST', '/account/logout', {
      payload: '{broken',
      headers: { 'content-type': 'application/json' },
    }),
  )
  expectChallenge(
    await server.call('POST', '/account/logout', { payload: 'text', headers: { 'content-type': 'text/plain' } }),
  )
  expectChallenge(
    await server.call('POST', '/account/logout', {
      payload: Buffer.alloc(1_000_000),
      headers: { 'content-type': 'application/json' },
    }),
  )
})

test('a bearer session ends with 200 and nothing in it, and no cookie is touched', async () => {
  const { accessToken, refreshToken } = await server.signIn()
  expectEmpty(await server.call('POST', '/account/logout', { token: accessToken }), 200)
  expectTokenRefused(await info({ token: accessToken }))
  expectChallenge(await server.call('POST', '/account/refresh', { json: { refreshToken } }))
  expectTokenRefused(await server.call('POST', '/account/logout', { token: accessToken }))
  assert.deepEqual(await server.sql('select 1 from sessions s join revocations r on r.session_id = s.id'), [])
})

test('a cookie session ends and its cookie is cleared as it was set', async () => {
  const { cookie } = await server.signInWithCookie()
  expectEmpty(await server.call('POST', '/account/logout', { cookie }), 200, cleared)
  // A browser that kept the cookie gets the instruction to remove it once more.
  expectChallenge(await info({ cookie }), cleared)
})

test('{} and no body are the same, any other object too, and all else is 400', async () => {
  const bodies: [payload: string | undefined, status: number][] = [
    [undefined, 200],
    ['{}', 200],
    ['{"returnUrl":"https://evil.example"}', 200],
    [' {} ', 200],
    ['', 200],
    ['null', 400],
    ['[]', 400],
    ['""', 400],
    ['0', 400],
    ['{', 400],
  ]
  for (const [payload, status] of bodies) {
    const { accessToken } = await server.signIn()
    const answer =
      payload === undefined
        ? await server.call('POST', '/account/logout', { token: accessToken })
        : await server.call('POST', '/account/logout', {
            token: accessToken,
            payload,
            headers: { 'content-type': 'application/json' },
          })
    expectEmpty(answer, status)
    assert.equal((await info({ token: accessToken })).status, status === 200 ? 401 : 200, String(payload))
  }
  const { accessToken } = await server.signIn()
  expectEmpty(
    await server.call('POST', '/account/logout', {
      token: accessToken,
      payload: 'a=b',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    }),
    415,
  )
  assert.equal((await info({ token: accessToken })).status, 200)
})

test('scope=others ends all sessions of the user but this one, scope=all ends this one too, and nobody else is touched', async () => {
  const stranger = await server.signIn()
  const person = await server.register()
  const [first, second, third] = [
    await server.signIn(person),
    await server.signIn(person),
    await server.signInWithCookie(person),
  ]
  expectEmpty(await server.call('POST', '/account/logout?scope=others', { cookie: third.cookie }), 200)
  expectTokenRefused(await info({ token: first.accessToken }))
  expectTokenRefused(await info({ token: second.accessToken }))
  assert.equal((await info({ cookie: third.cookie })).status, 200)
  const fourth = await server.signIn(person)
  expectEmpty(await server.call('POST', '/account/logout?SCOPE=all', { cookie: third.cookie }), 200, cleared)
  expectTokenRefused(await info({ token: fourth.accessToken }))
  expectChallenge(await info({ cookie: third.cookie }), cleared)
  assert.equal((await info({ token: stranger.accessToken })).status, 200)
})

test('a scope that there is not is 400 and ends nothing', async () => {
  const { accessToken } = await server.signIn()
  for (const scope of ['', 'this', 'ALL', 'all&scope=others', ' all', 'all%00', '__proto__']) {
    expectEmpty(await server.call('POST', `/account/logout?scope=${scope}`, { token: accessToken }), 400)
  }
  assert.equal((await info({ token: accessToken })).status, 200)
})

test("with a good token and a cookie beside it the token's session ends, and the cookie stays", async () => {
  const { accessToken } = await server.signIn()
  const { cookie } = await server.signInWithCookie()
  expectEmpty(await server.call('POST', '/account/logout', { token: accessToken, cookie }), 200)
  expectTokenRefused(await info({ token: accessToken }))
  assert.equal((await info({ cookie })).status, 200)
})

test('a cookie that is due for renewal is cleared, and only cleared', () =>
  withApp({}, async (app) => {
    for (const seconds of [1800, 8 * 86_400]) {
      const { cookie } = await app.signInWithCookie()
      app.clock.advance(seconds)
      expectEmpty(await app.call('POST', '/account/logout', { cookie }), 200, cleared)
    }
    const sliding = await app.signInWithCookie()
    assert.notEqual((await app.call('GET', '/account/manage/info', sliding)).status, 401)
  }))

test('a logout on one instance is a logout on the other', async (t) => {
  await withApp({ realTime: true }, async (one) => {
    await withApp({ realTime: true, identity: { schema: one.schema } }, async (other) => {
      const { accessToken } = await one.signIn()
      assert.equal((await other.call('GET', '/account/manage/info', { token: accessToken })).status, 200)
      expectEmpty(await one.call('POST', '/account/logout', { token: accessToken }), 200)
      const isRefused = async () =>
        (await other.call('GET', '/account/manage/info', { token: accessToken })).status === 401
      t.diagnostic(`refused after ${Math.round(await until(isRefused))} ms`)
    })
  })
})

test('an empty body is none, whatever content type is said of it', async () => {
  const types = ['application/x-www-form-urlencoded', 'text/plain;charset=UTF-8', 'application/json', ';;;', 'x', '*/*']
  for (const type of types) {
    const { accessToken: token } = await server.signIn()
    const headers = { 'content-type': type, 'content-length': '0' }
    expectEmpty(await server.call('POST', '/account/logout', { token, headers, payload: '' }), 200)
    expectTokenRefused(await server.call('GET', '/account/manage/info', { token }))
  }
  const { accessToken: token } = await server.signIn()
  const headers = { 'content-type': 'text/plain' }
  expectEmpty(await server.call('POST', '/account/logout', { token, headers, payload: 'x' }), 415)
})
