// How endpoints are registered: spellings of their paths, other verbs, and unknown paths beside them.
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { requireAuthorization } from '../../src/index.js'
import {
  emptyHeaders,
  expectChallenge,
  expectEmpty,
  goodPassword,
  headersOf,
  startApp,
  type TestApp,
  withApp,
} from '../support/app.js'
import { speak } from '../support/raw-http.js'

let server: TestApp

before(async () => {
  server = await startApp()
})
after(() => server.close())

const posts = ['/register', '/login', '/refresh', '/logout']

test('paths answer in any letter case and with a slash at the end', async () => {
  const person = await server.register()
  const { accessToken } = await server.signIn(person)
  for (const path of [
    '/account/login',
    '/account/Login',
    '/account/LOGIN',
    '/account/login/',
    '/account/Login/',
    '/account/LogIn?x=1',
    '/account/login/?x=/account/login',
  ]) {
    const answer = await server.call('POST', path, { json: person })
    assert.equal(answer.status, 200, path)
    assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8')
  }
  for (const path of [
    '/account/manage/info',
    '/account/Manage/INFO',
    '/account/manage/info/',
    '/account/MANAGE/INFO/?a=b',
  ]) {
    assert.equal((await server.call('GET', path, { token: accessToken })).status, 200, path)
    expectChallenge(await server.call('GET', path))
  }
})

test('the query of another spelling is read as it came', async () => {
  const person = await server.register()
  assert.equal((await server.call('POST', '/account/Login/?USECOOKIES=TRUE', { json: person })).setCookies.length, 1)
  expectEmpty(await server.call('POST', '/account/Login?useCookies=1', { json: person }), 400)
  expectEmpty(await server.call('POST', '/account/Login?useCookies=a?b', { json: person }), 400)
})

test('a percent-encoded path is the path that it encodes', async () => {
  const person = await server.register()
  assert.equal((await server.call('POST', '/account/log%69n', { json: person })).status, 200)
  assert.equal((await server.call('POST', '/acc%6Funt/login', { json: person })).status, 200)
  expectChallenge(await server.call('GET', '/account/%6danage/info'))
  // An encoded slash parts nothing.
  expectEmpty(await server.call('GET', '/account/manage%2finfo'), 404)
})

test('what is no path of ours under the prefix is 404 without a body, whatever it carries', async () => {
  for (const path of [
    '/account/',
    '/account/nothing',
    '/account/login/more',
    '/account//login',
    '/account/login//',
    '/account/login;x=1',
    '/account/log in',
    '/account/.',
    '/account/..%2flogin',
    '/account/login%00',
    '/account/manage',
    '/account/manage/nothing',
    '/account/confirmedEmail',
  ]) {
    for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS']) {
      const answer = await server.call(method, path)
      assert.equal(answer.status, 404, `${method} ${path}`)
      assert.equal(answer.body, '')
    }
  }
  expectEmpty(await server.call('GET', '/account/nothing'), 404)
  expectEmpty(await server.call('POST', '/account/nothing', { json: { a: 1 } }), 404)
  expectEmpty(
    await server.call('POST', '/account/nothing', {
      payload: '{broken',
      headers: { 'content-type': 'application/json' },
    }),
    404,
  )
  expectEmpty(
    await server.call('POST', '/account/nothing', { payload: 'x', headers: { 'content-type': 'text/plain' } }),
    404,
  )
  expectEmpty(await server.call('POST', '/account/nothing', { payload: 'x', headers: { 'content-type': ';;;' } }), 404)
  expectEmpty(
    await server.call('POST', '/account/nothing', {
      payload: Buffer.alloc(1_000_000),
      headers: { 'content-type': 'application/json' },
    }),
    404,
  )
})

test('another verb on a path of ours is 405 with Allow, before its body is looked at', async () => {
  const requests = [
    {},
    { json: { a: 1 } },
    { payload: '{broken', headers: { 'content-type': 'application/json' } },
    { payload: 'x', headers: { 'content-type': 'text/plain' } },
    { payload: 'x', headers: { 'content-type': ';;;' } },
    { payload: Buffer.alloc(1_000_000), headers: { 'content-type': 'application/json' } },
  ]
  for (const request of requests) {
    for (const path of posts) {
      for (const method of ['GET', 'PUT', 'PATCH', 'DELETE'])
        expectEmpty(await server.call(method, `/account${path}`, request), 405, { allow: 'POST' })
    }
    expectEmpty(await server.call('PUT', '/account/manage/info', request), 405, { allow: 'GET, POST' })
    expectEmpty(await server.call('GET', '/account/manage/sessions/1', request), 405, { allow: 'DELETE' })
  }
  expectEmpty(await server.call('GET', '/account/LOGIN/'), 405, { allow: 'POST' })
})

test('a header that names another verb changes nothing', async () => {
  const person = await server.register()
  const headers = { 'x-http-method-override': 'POST', 'x-http-method': 'POST', 'x-method-override': 'POST' }
  expectEmpty(await server.call('GET', '/account/login', { headers }), 405, { allow: 'POST' })
  assert.equal(
    (
      await server.call('POST', '/account/login?_method=DELETE', {
        json: person,
        headers: { 'x-http-method-override': 'DELETE' },
      })
    ).status,
    200,
  )
})

test("unknown paths outside the prefix are the host's", async () => {
  const answer = await server.call('GET', '/elsewhere')
  assert.equal(answer.status, 404)
  assert.match(answer.body, /Route GET:\/elsewhere not found/)
  assert.equal((await server.call('GET', '/accounts/login')).headers['x-content-type-options'], undefined)
})

test('the prefix may be nested, missing, or written with slashes at will', async () => {
  const credentials = { email: 'ann@example.com', password: goodPassword }
  for (const [prefix, path] of [
    ['', '/login'],
    ['/', '/login'],
    ['/account/', '/account/login'],
    ['account', '/account/login'],
    ['/a/b/c', '/a/b/c/login'],
  ] as const) {
    await withApp({ identity: { prefix } }, async (app) => {
      assert.equal(
        (await app.call('POST', path.replace('login', 'register'), { json: credentials })).status,
        200,
        prefix,
      )
      assert.equal((await app.call('POST', path, { json: credentials })).status, 200, prefix)
      expectEmpty(await app.call('GET', path), 405, { allow: 'POST' })
      if (prefix.length <= 1) {
        assert.match((await app.call('GET', '/nothing')).body, /Route GET:\/nothing not found/)
      } else {
        assert.equal(
          (await app.call('POST', `${path.replace('/login', '/LOGIN')}/`, { json: credentials })).status,
          200,
          `${prefix} and capitals`,
        )
        expectEmpty(await app.call('GET', `${path}x`), 404)
      }
    })
  }
})

test('a prefix with a parameter in it keeps the parameter as it came', () =>
  withApp({ identity: { prefix: '/:tenant/account' } }, async (app) => {
    const credentials = { email: 'ann@example.com', password: goodPassword }
    assert.equal((await app.call('POST', '/Blue/account/register', { json: credentials })).status, 200)
    assert.equal((await app.call('POST', '/Blue/account/Login/', { json: credentials })).status, 200)
    expectEmpty(await app.call('POST', '/Blue/account/nothing', { json: credentials }), 404)
  }))

test('a switched-off endpoint is not there at all', () =>
  withApp({ identity: { endpoints: { register: false, info: false } } }, async (app) => {
    for (const method of ['GET', 'POST', 'HEAD']) {
      assert.equal((await app.call(method, '/account/register', { json: {} })).status, 404)
      assert.equal((await app.call(method, '/account/manage/info')).status, 404)
    }
    assert.equal((await app.call('POST', '/account/login', { json: {} })).status, 400)
  }))

test('a host that routes loosely gets the same answers', () =>
  withApp(
    {
      server: { routerOptions: { caseSensitive: false, ignoreTrailingSlash: true, ignoreDuplicateSlashes: true } },
    },
    async (app) => {
      const person = await app.register()
      for (const path of ['/account/login', '/ACCOUNT/Login/', '//account//login']) {
        assert.equal((await app.call('POST', path, { json: person })).status, 200, path)
      }
      expectEmpty(await app.call('GET', '/ACCOUNT/LOGIN'), 405, { allow: 'POST' })
      expectEmpty(await app.call('GET', '/account/nothing'), 404)
    },
  ))

test('other spellings work over a socket, one after the other on one connection', async () => {
  await withApp({}, async (app) => {
    const origin = await app.listen()
    const person = await app.register()
    const body = JSON.stringify(person)
    for (const path of ['/account/login', '/account/LOGIN', '/account/Login/', '/account/login']) {
      const answer = await fetch(origin + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      })
      assert.equal(answer.status, 200)
      assert.equal(((await answer.json()) as { tokenType: string }).tokenType, 'Bearer')
    }
    const answer = await fetch(`${origin}/account/Login`, { headers: { 'content-type': 'text/plain' } })
    assert.deepEqual([answer.status, answer.headers.get('allow'), await answer.text()], [405, 'POST', ''])
  })
})

test("a body that is sent although the answer is already clear does not disturb the connection's answer", async () => {
  await withApp({}, async (app) => {
    const origin = await app.listen()
    const big = 'x'.repeat(1_000_000)
    const head = (line: string, type: string) =>
      `${line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: ${type}\r\nContent-Length: ${big.length}\r\n\r\n`
    assert.equal((await speak(origin, head('POST /account/nothing', 'application/json') + big)).status, 404)
    assert.equal((await speak(origin, head('PUT /account/login', 'application/json') + big)).status, 405)
    assert.equal((await speak(origin, head('POST /account/login', 'application/json') + big)).status, 413)
    assert.equal((await speak(origin, head('POST /account/login', 'text/plain') + big)).status, 415)
    assert.equal((await speak(origin, head('POST /account/logout', 'application/json') + big)).status, 401)
  })
})

test('a client that disconnects in the middle of its body causes no error', async () => {
  let broken: (error: Error) => void
  const breaking = new Promise<Error>((resolve) => {
    broken = resolve
  })
  await withApp(
    {
      before: (app) => {
        app.addHook('onError', (_request, _reply, error, done) => {
          broken(error)
          done()
        })
      },
    },
    async (app) => {
      const { port } = new URL(await app.listen())
      const socket = connect({ host: '127.0.0.1', port: Number(port) })
      socket.write(
        'POST /account/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"email":',
      )
      while (!app.logLines.some((line) => line.includes('incoming request')))
        await new Promise((resolve) => setTimeout(resolve, 5))
      socket.destroy()
      assert.equal((await breaking).message, 'aborted')
      assert.deepEqual(
        app.logLines.filter((line) => /unexpected error|not available/.test(line)),
        [],
      )
    },
  )
})

test('every answer is for this caller only and is what its content type says', async () => {
  const person = await server.register()
  const { accessToken, refreshToken } = await server.signIn(person)
  const answers = [
    await server.call('POST', '/account/login', { json: person }),
    await server.call('POST', '/account/login', { json: {} }),
    await server.call('POST', '/account/login', { json: { ...person, password: 'x' } }),
    await server.call('POST', '/account/register', { json: person }),
    await server.call('POST', '/account/refresh', { json: { refreshToken } }),
    await server.call('GET', '/account/manage/info'),
    await server.call('GET', '/account/manage/info', { token: accessToken }),
    await server.call('GET', '/account/nothing'),
    await server.call('PUT', '/account/login'),
    await server.call('POST', '/account/login', { payload: 'x', headers: { 'content-type': 'text/plain' } }),
    await server.call('POST', '/account/login', {
      payload: Buffer.alloc(20_000),
      headers: { 'content-type': 'application/json' },
    }),
  ]
  for (const { headers } of answers) {
    assert.equal(headers['cache-control'], 'no-store')
    assert.equal(headers['x-content-type-options'], 'nosniff')
    assert.equal(headers['access-control-allow-origin'], undefined)
    assert.equal(headers['x-powered-by'], undefined)
    assert.equal(headers.server, undefined)
  }
})

test('hooks of the host run for our routes, and what they answer stands', () =>
  withApp(
    {
      before: (app) => {
        app.addHook('onRequest', (request, reply, done) => {
          void reply.header('x-host', 'was here')
          if (request.headers['x-flood'] !== undefined) done(Object.assign(new Error('Slow down'), { statusCode: 429 }))
          else if (request.headers['x-broken'] !== undefined) done(new Error('secret detail of the host'))
          else done()
        })
      },
      after: (app) => app.get('/mine', { onRequest: requireAuthorization() }, () => 'mine'),
    },
    async (app) => {
      const person = await app.register()
      const fine = await app.call('POST', '/account/login', { json: person })
      assert.equal(fine.status, 200)
      assert.equal(fine.headers['x-host'], 'was here')
      const flooded = await app.call('POST', '/account/login', { json: person, headers: { 'x-flood': '1' } })
      assert.equal(flooded.status, 429)
      assert.equal(flooded.body, '{"type":"about:blank","title":"Too Many Requests","status":429,"detail":"Slow down"}')
      const broken = await app.call('POST', '/account/login', { json: person, headers: { 'x-broken': '1' } })
      assert.equal(broken.status, 500)
      assert.ok(!broken.body.includes('secret detail'))
      assert.deepEqual(Object.keys(broken.json() as object), ['type', 'title', 'status', 'traceId'])
      assert.deepEqual(headersOf(await app.call('GET', '/account/manage/info')), {
        ...emptyHeaders,
        'www-authenticate': 'Bearer',
        'x-host': 'was here',
      })
    },
  ))
