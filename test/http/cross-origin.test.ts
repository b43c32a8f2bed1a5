// Requests that another site makes with our cookie (security D11): the whole decision table, on every kind of route
// that it guards.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import websocket from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import { WebSocket } from 'ws'
import { type IdentityOptions, requireAuthorization } from '../../src/index.js'
import { type Answer, expectProblem, type Person, type TestApp, withApp } from '../support/app.js'
import { speak } from '../support/raw-http.js'

const forbidden =
  '{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.4","title":"Forbidden","status":403,' +
  '"detail":"A request with a cookie must come from the same origin or from one of option csrf.trustedOrigins"}'

interface Row {
  readonly site?: string
  readonly origin?: string
  readonly host?: string
  readonly allowed: boolean
}

const routes = (app: FastifyInstance) => {
  app.route({
    method: ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE'],
    url: '/mine',
    onRequest: requireAuthorization(),
    handler: () => 'in',
  })
}

/** Each unsafe request with a cookie, or for one, under the headers of a row. */
async function expectRow(app: TestApp, person: Person, row: Row): Promise<void> {
  const headers = {
    ...(row.site === undefined ? {} : { 'sec-fetch-site': row.site }),
    ...(row.origin === undefined ? {} : { origin: row.origin }),
    ...(row.host === undefined ? {} : { host: row.host }),
  }
  const said = JSON.stringify(row)
  const { cookie } = await app.signInWithCookie(person)
  const expectAllowed = (answer: Answer) => {
    if (row.allowed) assert.equal(answer.status, 200, said)
    else assert.deepEqual([answer.status, answer.body, answer.setCookies], [403, forbidden, []], said)
  }
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'])
    expectAllowed(await app.call(method, '/mine', { cookie, headers }))
  for (const mode of ['useCookies', 'useSessionCookies'])
    expectAllowed(await app.call('POST', `/account/login?${mode}=true`, { json: person, headers }))
  expectAllowed(await app.call('POST', '/account/manage/info', { cookie, headers, json: {} }))
  expectAllowed(await app.call('POST', '/account/logout', { cookie, headers }))
  assert.equal((await app.call('GET', '/mine', { cookie })).status, row.allowed ? 401 : 200, said)
}

function table(title: string, identity: IdentityOptions, rows: readonly Row[]): void {
  test(title, () =>
    withApp({ identity, after: routes }, async (app) => {
      const person = await app.register()
      for (const row of rows) await expectRow(app, person, row)
    }),
  )
}

table(
  'a request of the same origin, of a privileged page and of no browser may act with a cookie; any other may not',
  {},
  [
    { allowed: true },
    { site: 'same-origin', allowed: true },
    { site: 'none', allowed: true },
    { site: 'same-origin', origin: 'https://evil.example', allowed: true },
    { site: 'same-site', allowed: false },
    { site: 'cross-site', allowed: false },
    { site: 'cross-site', origin: 'http://localhost', allowed: false },
    { site: 'Same-Origin', allowed: false },
    { site: 'same-origin, cross-site', allowed: false },
    { site: '', allowed: false },
    { site: 'x', allowed: false },
    { origin: 'https://evil.example', allowed: false },
    { origin: 'null', allowed: false },
    { origin: '', allowed: false },
  ],
)

table(
  'an origin that publicUrl or trustedOrigins name may act, and no other spelling of it',
  {
    publicUrl: 'https://api.example.com',
    cookie: { secure: false },
    csrf: { trustedOrigins: ['https://app.example.com', 'https://port.example.com:8443/'] },
  },
  [
    { origin: 'https://api.example.com', allowed: true },
    { origin: 'https://app.example.com', allowed: true },
    { origin: 'https://app.example.com', site: 'cross-site', allowed: true },
    { origin: 'https://app.example.com', site: 'same-site', allowed: true },
    { origin: 'https://port.example.com:8443', allowed: true },
    { origin: 'https://port.example.com', allowed: false },
    { origin: 'http://app.example.com', allowed: false },
    { origin: 'https://app.example.com/', allowed: false },
    { origin: 'https://APP.example.com', allowed: false },
    { origin: 'https://app.example.com.evil.example', allowed: false },
    { origin: 'https://evil.example/https://app.example.com', allowed: false },
    { origin: 'https://app.example.com https://evil.example', allowed: false },
    { origin: 'https://sub.app.example.com', allowed: false },
    { origin: 'null', allowed: false },
    { origin: 'http://localhost:3000', host: 'localhost:4000', allowed: false },
    { site: 'same-site', allowed: false },
  ],
)

table('a page of the very host that is asked may act, in a browser that says nothing of sites', {}, [
  { origin: 'http://localhost:3000', host: 'localhost:3000', allowed: true },
  { origin: 'http://127.0.0.1:3000', host: '127.0.0.1:3000', allowed: true },
  { origin: 'http://[::1]:3000', host: '[::1]:3000', allowed: true },
  { origin: 'https://localhost', host: 'localhost', allowed: true },
  { origin: 'http://localhost:3000', host: 'localhost:4000', allowed: false },
  { origin: 'http://localhost:3000', host: '127.0.0.1:3000', allowed: false },
  { origin: 'http://localhost:3000', host: 'localhost:3000', site: 'same-site', allowed: false },
  { origin: 'http://192.168.0.1:3000', host: '192.168.0.1:3000', allowed: true },
  { origin: 'http://app.lan', host: 'app.lan', allowed: true },
  { origin: 'http://app.lan', host: 'APP.lan:80', allowed: true },
  { origin: 'https://app.lan', host: 'app.lan:443', allowed: true },
  { origin: 'http://web:8080', host: 'web:8080', allowed: true },
  { origin: 'http://web:8080', host: 'web', allowed: false },
  { origin: 'http://web', host: 'web:8080', allowed: false },
  { origin: 'http://app.lan', host: 'app.lan', site: 'cross-site', allowed: false },
  { origin: 'http://app.lan', host: 'app.lan.evil.example', allowed: false },
  { origin: 'http://app.lan.evil.example', host: 'app.lan', allowed: false },
  { origin: 'http://app.lan/', host: 'app.lan', allowed: false },
  { origin: 'ftp://app.lan', host: 'app.lan', allowed: false },
  { origin: 'null', host: 'null', allowed: false },
  { origin: 'http://localhost:99999999', host: 'localhost:99999999', allowed: false },
  { origin: 'http://evil@localhost', host: 'localhost', allowed: false },
])

table(
  'pages of an application’s own scheme may act where trustedOrigins names them',
  {
    csrf: {
      trustedOrigins: [
        'capacitor://localhost',
        'ionic://localhost',
        'tauri://localhost/',
        'app://-',
        'chrome-extension://abcdefghijklmnop',
        'moz-extension://0191e4c0-0000-7000-8000-000000000000',
      ],
    },
  },
  [
    { origin: 'capacitor://localhost', site: 'cross-site', allowed: true },
    { origin: 'ionic://localhost', allowed: true },
    { origin: 'tauri://localhost', allowed: true },
    { origin: 'app://-', allowed: true },
    { origin: 'chrome-extension://abcdefghijklmnop', site: 'cross-site', allowed: true },
    { origin: 'moz-extension://0191e4c0-0000-7000-8000-000000000000', allowed: true },
    { origin: 'chrome-extension://ponmlkjihgfedcba', allowed: false },
    { origin: 'capacitor://evil', allowed: false },
    { origin: 'http://localhost', host: 'api.example.com', allowed: false },
    { origin: 'null', allowed: false },
  ],
)

table('with csrf false nobody is asked where a request came from', { csrf: false }, [
  { site: 'cross-site', allowed: true },
  { origin: 'https://evil.example', allowed: true },
  { origin: 'null', allowed: true },
])

test('a request without a Host is of no loopback page', () =>
  withApp({ after: routes }, async (app) => {
    const origin = await app.listen()
    const { cookie } = await app.signInWithCookie()
    const post = (from: string) => speak(origin, `POST /mine HTTP/1.0\r\nCookie: ${cookie}\r\nOrigin: ${from}\r\n\r\n`)
    assert.equal((await post('https://evil.example')).status, 403)
    assert.equal((await post('http://localhost')).status, 403)
  }))

test('a request that only reads may come from anywhere', () =>
  withApp({ after: routes }, async (app) => {
    const { cookie } = await app.signInWithCookie()
    for (const method of ['GET', 'HEAD', 'OPTIONS']) {
      assert.equal(
        (
          await app.call(method, '/mine', {
            cookie,
            headers: { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
          })
        ).status,
        200,
      )
    }
    assert.equal((await app.call('GET', '/account/manage/info', { cookie, headers: { origin: 'null' } })).status, 200)
  }))

test('a bearer token may act from anywhere: no browser sends it by itself', () =>
  withApp({ after: routes }, async (app) => {
    const { accessToken, refreshToken, ...person } = await app.signIn()
    const { cookie } = await app.signInWithCookie(person)
    const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
    assert.equal((await app.call('POST', '/mine', { token: accessToken, headers })).status, 200)
    assert.equal((await app.call('POST', '/mine', { token: accessToken, cookie, headers })).status, 200)
    assert.equal((await app.call('POST', '/account/login', { json: person, headers })).status, 200)
    assert.equal((await app.call('POST', '/account/refresh', { json: { refreshToken }, headers })).status, 200)
    assert.equal(
      (await app.call('POST', '/account/register', { json: { ...person, email: 'new@example.com' }, headers })).status,
      200,
    )
    assert.equal((await app.call('POST', '/account/logout', { token: accessToken, headers })).status, 200)
  }))

test('a caller without valid credentials gets 401 wherever the request came from, and a refused login says nothing of the password', () =>
  withApp({ after: routes }, async (app) => {
    const person = await app.register()
    const headers = { origin: 'https://evil.example' }
    for (const cookie of ['', 'identity=nonsense'])
      assert.equal((await app.call('POST', '/mine', { cookie, headers })).status, 401)
    for (const password of [person.password, 'Wrong-1']) {
      const answer = await app.call('POST', '/account/login?useCookies=true', {
        json: { ...person, password },
        headers,
      })
      expectProblem(answer, 403, forbidden)
    }
    assert.deepEqual(await app.sql('select 1 from sessions'), [])
    assert.deepEqual(await app.sql('select 1 from attempts where failures > 0'), [])
  }))

test('no answer of ours invites another origin', () =>
  withApp({ after: routes }, async (app) => {
    const { accessToken } = await app.signIn()
    const headers = { origin: 'https://app.example.com', 'access-control-request-method': 'POST' }
    for (const answer of [
      await app.call('OPTIONS', '/account/login', { headers }),
      await app.call('POST', '/account/login', { headers, json: {} }),
      await app.call('GET', '/account/manage/info', { headers, token: accessToken }),
      await app.call('GET', '/account/nothing', { headers }),
    ])
      assert.deepEqual(
        Object.keys(answer.headers).filter((name) => name.startsWith('access-control-')),
        [],
      )
  }))

/** What a socket that is asked for says: its first message, or the status of the refusal. */
function openSocket(origin: string, path: string, headers: Readonly<Record<string, string>>): Promise<string | number> {
  const socket = new WebSocket(`${origin.replace('http', 'ws')}${path}`, { headers })
  return new Promise((resolve, reject) => {
    socket.on('message', (message: Buffer) => {
      resolve(message.toString())
      socket.terminate()
    })
    socket.on('unexpected-response', (request, { statusCode }) => {
      resolve(statusCode ?? 0)
      request.destroy()
    })
    socket.on('error', reject)
  })
}

test('a WebSocket with our cookie opens for our own origin and trusted ones, and is 403 for any other', async () => {
  const identity = { publicUrl: 'https://api.example.com', csrf: { trustedOrigins: ['https://app.example.com'] } }
  const after = (app: FastifyInstance) => {
    app.get('/socket', { websocket: true, onRequest: requireAuthorization() }, (socket, request) => {
      socket.send(request.identity!.userName)
    })
    // A handler that checks the caller itself.
    app.get('/lenient', { websocket: true }, (socket, request) => {
      socket.send(request.identity?.userName ?? 'stranger')
    })
  }
  await withApp({ identity, before: (app) => app.register(websocket), after }, async (app) => {
    const origin = await app.listen()
    const { cookie, ...person } = await app.signInWithCookie()
    const rows: [headers: Record<string, string>, isOpened: boolean][] = [
      [{}, true],
      [{ origin }, true],
      [{ origin: 'https://api.example.com' }, true],
      [{ origin: 'https://app.example.com' }, true],
      [{ origin: 'https://app.example.com', 'sec-fetch-site': 'cross-site' }, true],
      [{ origin, 'sec-fetch-site': 'same-origin' }, true],
      [{ origin: 'https://evil.example' }, false],
      [{ origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }, false],
      [{ origin: 'https://sub.app.example.com', 'sec-fetch-site': 'same-site' }, false],
      [{ origin: 'null' }, false],
      [{ origin: '' }, false],
      [{ 'sec-fetch-site': 'cross-site' }, false],
    ]
    for (const [headers, isOpened] of rows) {
      const said = JSON.stringify(headers)
      assert.equal(await openSocket(origin, '/socket', { ...headers, cookie }), isOpened ? person.email : 403, said)
      assert.equal(
        await openSocket(origin, '/lenient', { ...headers, cookie }),
        isOpened ? person.email : 'stranger',
        said,
      )
    }
    assert.equal(await openSocket(origin, '/socket', { origin }), 401)
    const { accessToken } = await app.signIn(person)
    const bearer = { authorization: `Bearer ${accessToken}`, origin: 'https://evil.example' }
    assert.equal(await openSocket(origin, '/socket', bearer), person.email)
  })
})
