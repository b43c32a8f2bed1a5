// A person's first hour, over a real socket: with tokens as an app keeps them, and with the cookie as a browser keeps
// it.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { requireAuthorization } from '../../src/index.js'
import { pairOf, startApp, type TestApp, type Tokens } from '../support/app.js'

let server: TestApp
let origin: string

before(async () => {
  server = await startApp({
    realTime: true,
    after: (app) =>
      app.get('/weatherforecast', { onRequest: requireAuthorization() }, (request) => ({
        for: request.identity?.userName,
        scheme: request.identity?.scheme,
      })),
  })
  origin = await server.listen()
})

after(() => server.close())

interface Sent {
  readonly body?: unknown
  readonly token?: string
  readonly cookie?: string
}

async function send(method: string, path: string, { body, token, cookie }: Sent = {}): Promise<Response> {
  return fetch(origin + path, {
    method,
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(cookie === undefined ? {} : { cookie }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
}

async function expectRefused(answer: Response, challenge = 'Bearer'): Promise<void> {
  assert.equal(answer.status, 401)
  assert.equal(answer.headers.get('www-authenticate'), challenge)
  assert.equal(answer.headers.get('content-length'), '0')
  assert.equal(await answer.text(), '')
}

test('a person registers, is refused without a token, logs in, is let in, refreshes, logs out and is refused with every token of then', async () => {
  const credentials = { email: 'ann@example.com', password: 'Summer-2030' }
  const registered = await send('POST', '/account/register', { body: credentials })
  assert.equal(registered.status, 200)
  assert.equal(await registered.text(), '')

  await expectRefused(await send('GET', '/weatherforecast'))

  const wrong = await send('POST', '/account/login', { body: { ...credentials, password: 'Winter-2030' } })
  assert.equal(wrong.status, 401)
  assert.equal(((await wrong.json()) as { detail: string }).detail, 'Failed')

  const loggedIn = await send('POST', '/account/login', { body: credentials })
  assert.equal(loggedIn.status, 200)
  assert.equal(loggedIn.headers.get('set-cookie'), null)
  const first = (await loggedIn.json()) as Tokens
  assert.deepEqual(Object.keys(first), ['tokenType', 'accessToken', 'expiresIn', 'refreshToken'])

  const forecast = await send('GET', '/weatherforecast', { token: first.accessToken })
  assert.equal(forecast.status, 200)
  assert.deepEqual(await forecast.json(), { for: 'ann@example.com', scheme: 'bearer' })

  const refreshed = await send('POST', '/account/refresh', { body: { refreshToken: first.refreshToken } })
  assert.equal(refreshed.status, 200)
  const second = (await refreshed.json()) as Tokens
  assert.equal((await send('GET', '/weatherforecast', { token: second.accessToken })).status, 200)
  // The access token of before the refresh is the same session's.
  assert.equal((await send('GET', '/account/manage/info', { token: first.accessToken })).status, 200)

  const loggedOut = await send('POST', '/account/logout', { token: second.accessToken })
  assert.equal(loggedOut.status, 200)
  assert.equal(await loggedOut.text(), '')

  for (const { accessToken, refreshToken } of [first, second]) {
    await expectRefused(await send('GET', '/weatherforecast', { token: accessToken }), 'Bearer error="invalid_token"')
    await expectRefused(
      await send('GET', '/account/manage/info', { token: accessToken }),
      'Bearer error="invalid_token"',
    )
    await expectRefused(await send('POST', '/account/logout', { token: accessToken }), 'Bearer error="invalid_token"')
    await expectRefused(await send('POST', '/account/refresh', { body: { refreshToken } }))
  }
  // The account is not closed for good.
  assert.equal((await send('POST', '/account/login', { body: credentials })).status, 200)
})

test('a person does the same with a cookie, and is refused with the cookie of then', async () => {
  const credentials = { email: 'bob@example.com', password: 'Summer-2030' }
  assert.equal((await send('POST', '/account/register', { body: credentials })).status, 200)
  await expectRefused(await send('GET', '/weatherforecast', { cookie: 'identity=nothing' }))

  const loggedIn = await send('POST', '/account/login?useCookies=true', { body: credentials })
  assert.equal(loggedIn.status, 200)
  assert.equal(await loggedIn.text(), '')
  assert.equal(loggedIn.headers.getSetCookie().length, 1)
  const cookie = pairOf(loggedIn.headers.getSetCookie()[0]!)

  const forecast = await send('GET', '/weatherforecast', { cookie })
  assert.equal(forecast.status, 200)
  assert.deepEqual(await forecast.json(), { for: 'bob@example.com', scheme: 'cookie' })
  assert.deepEqual(await (await send('GET', '/account/manage/info', { cookie })).json(), {
    email: 'bob@example.com',
    isEmailConfirmed: false,
  })

  const loggedOut = await send('POST', '/account/logout', { cookie, body: {} })
  assert.equal(loggedOut.status, 200)
  assert.match(loggedOut.headers.getSetCookie()[0]!, /^identity=; Max-Age=0; /)

  await expectRefused(await send('GET', '/weatherforecast', { cookie }))
  await expectRefused(await send('GET', '/account/manage/info', { cookie }))
  await expectRefused(await send('POST', '/account/logout', { cookie }))
})

test('two devices of a person have a session each: logging out on one leaves the other, scope=all ends both', async () => {
  const person = await server.register()
  const [phone, laptop, browser] = [
    await server.signIn(person),
    await server.signIn(person),
    await server.signInWithCookie(person),
  ]
  const lets = async () => [
    (await send('GET', '/weatherforecast', { token: phone.accessToken })).status,
    (await send('GET', '/weatherforecast', { token: laptop.accessToken })).status,
    (await send('GET', '/weatherforecast', { cookie: browser.cookie })).status,
  ]
  assert.deepEqual(await lets(), [200, 200, 200])
  assert.equal((await send('POST', '/account/logout', { token: phone.accessToken })).status, 200)
  assert.deepEqual(await lets(), [401, 200, 200])
  assert.equal((await send('POST', '/account/logout?scope=others', { token: laptop.accessToken })).status, 200)
  assert.deepEqual(await lets(), [401, 200, 401])
  assert.equal((await send('POST', '/account/logout?scope=all', { token: laptop.accessToken })).status, 200)
  assert.deepEqual(await lets(), [401, 401, 401])
  await expectRefused(await send('POST', '/account/refresh', { body: { refreshToken: laptop.refreshToken } }))
})
