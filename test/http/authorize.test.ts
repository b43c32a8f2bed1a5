// Guards on a host's routes: whatever the host does, a guard that cannot ask does not open.
import assert from 'node:assert/strict'
import Fastify, { type FastifyInstance } from 'fastify'
import { test } from 'node:test'
import identity, { allowAnonymous, requireAuthorization } from '../../src/index.js'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'
import { type Answer, headersOf, type TestApp, withApp } from '../support/app.js'

function expectNobody(answer: Answer, challenge = 'Bearer'): void {
  assert.deepEqual(
    { status: answer.status, body: answer.body, headers: headersOf(answer) },
    {
      status: 401,
      body: '',
      headers: { 'www-authenticate': challenge, 'content-length': '0' },
    },
  )
}

const expectNoToken = (answer: Answer) => expectNobody(answer, 'Bearer error="invalid_token"')

function expectNotRegistered(answer: { statusCode: number; body: string }, decorator = 'identity'): void {
  assert.equal(answer.statusCode, 500)
  const { code, message } = JSON.parse(answer.body) as { code: string; message: string }
  assert.equal(code, 'FST_IDENTITY_NOT_REGISTERED')
  assert.ok(message.includes(`'${decorator}'`) && message.includes('app.register(identity)'), message)
}

const named = (answer: Answer) => (answer.json() as { name: string }).name
const me = (app: FastifyInstance, url = '/me') =>
  app.get(url, { onRequest: requireAuthorization() }, (request) => ({ name: request.identity!.userName }))

test('a guard without the plugin is an error and lets no request through', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  me(app)
  app.get('/late', { preHandler: [requireAuthorization()] }, () => 'open')
  app.register((scope, _options, done) => {
    scope.addHook('onRequest', requireAuthorization())
    scope.get('/nested', () => 'open')
    done()
  })
  for (const url of ['/me', '/late', '/nested']) {
    for (const headers of [{}, { authorization: 'Bearer x' }, { cookie: 'identity=x' }])
      expectNotRegistered(await app.inject({ url, headers }))
  }
})

test('a route that was there before the plugin is guarded all the same', () =>
  withApp(
    {
      before: (app) => {
        me(app)
        app.register((scope, _options, done) => {
          me(scope, '/nested/me')
          done()
        })
      },
    },
    async (app) => {
      const { accessToken, email } = await app.signIn()
      const { cookie } = await app.signInWithCookie()
      for (const url of ['/me', '/nested/me']) {
        expectNobody(await app.call('GET', url))
        expectNoToken(await app.call('GET', url, { token: 'nonsense' }))
        assert.equal(named(await app.call('GET', url, { token: accessToken })), email)
        assert.equal((await app.call('GET', url, { cookie })).status, 200)
      }
    },
  ))

test('a plugin in a scope guards what is in that scope; beside it a guard is an error', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  me(app, '/outside')
  await app.register(
    async (scope) => {
      await scope.register(identity, { database: await databaseUrl(), schema: uniqueSchema(), prefix: '/account' })
      me(scope, '/inside')
    },
    { prefix: '/api' },
  )
  me(app, '/later')
  assert.equal((await app.inject('/api/inside')).statusCode, 401)
  expectNotRegistered(await app.inject('/outside'))
  expectNotRegistered(await app.inject('/later'))
  assert.equal((await app.inject({ method: 'POST', url: '/api/account/login', payload: {} })).statusCode, 400)
  assert.equal((await app.inject({ method: 'POST', url: '/api/account/LOGIN/', payload: {} })).statusCode, 400)
  assert.equal((await app.inject({ method: 'POST', url: '/account/login', payload: {} })).statusCode, 404)
})

test('the plugin of a parent guards nested scopes and prefixes, one by one and all at once', () =>
  withApp(
    {
      after: (app) =>
        app.register(
          async (outer) => {
            await outer.register(
              (inner, _options, done) => {
                me(inner)
                done()
              },
              { prefix: '/v1' },
            )
            await outer.register(
              (inner, _options, done) => {
                inner.addHook('onRequest', requireAuthorization())
                inner.get('/a', () => 'a')
                inner.register(
                  (deepest, _more, end) => {
                    deepest.get('/b', () => 'b')
                    end()
                  },
                  { prefix: '/deep' },
                )
                done()
              },
              { prefix: '/all' },
            )
          },
          { prefix: '/api' },
        ),
    },
    async (app) => {
      const { accessToken } = await app.signIn()
      for (const url of ['/api/v1/me', '/api/all/a', '/api/all/deep/b']) {
        expectNobody(await app.call('GET', url))
        assert.equal((await app.call('GET', url, { token: accessToken })).status, 200)
      }
    },
  ))

test('another spelling of a guarded path is guarded or is not there', () =>
  withApp(
    {
      server: { routerOptions: { caseSensitive: false, ignoreTrailingSlash: true, ignoreDuplicateSlashes: true } },
      after: (app) => {
        me(app, '/secret/me')
        app.get('/secret/*', { onRequest: requireAuthorization() }, () => 'open')
      },
    },
    async (app) => {
      const { accessToken } = await app.signIn()
      for (const url of [
        '/secret/me',
        '/%73ecret/me',
        '/SECRET/me',
        '/secret/me/',
        '//secret//me',
        '/secret/%6De',
        '/secret/x',
        '/%73%65cret/x/y',
        '/secret/me?x=/public',
        '/secret/me#x',
        '/secret/..%2fme',
      ]) {
        expectNobody(await app.call('GET', url))
        assert.equal((await app.call('GET', url, { token: accessToken })).status, 200, url)
      }
    },
  ))

test('every verb of a guarded route is guarded, HEAD with GET', () =>
  withApp(
    {
      after: (app) => {
        app.all('/all', { onRequest: requireAuthorization() }, () => 'in')
        me(app)
      },
    },
    async (app) => {
      const { accessToken } = await app.signIn()
      for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
        if (method === 'HEAD') assert.equal((await app.call(method, '/all')).status, 401)
        else expectNobody(await app.call(method, '/all'))
        assert.equal((await app.call(method, '/all', { token: accessToken })).status, 200, method)
      }
      assert.equal((await app.call('HEAD', '/me')).status, 401)
      assert.equal((await app.call('HEAD', '/me', { token: accessToken })).status, 200)
    },
  ))

test('a guard refuses before the body is read', () =>
  withApp(
    {
      after: (app) =>
        app.post(
          '/in',
          { onRequest: requireAuthorization(), schema: { body: { type: 'object', required: ['a'] } } },
          () => 'in',
        ),
    },
    async (app) => {
      const { accessToken } = await app.signIn()
      for (const options of [
        {},
        { payload: '{', headers: { 'content-type': 'application/json' } },
        { payload: 'x', headers: { 'content-type': 'nonsense' } },
        { payload: Buffer.alloc(2_000_000), headers: { 'content-type': 'application/json' } },
      ]) {
        expectNobody(await app.call('POST', '/in', options))
        assert.ok([400, 413, 415].includes((await app.call('POST', '/in', { ...options, token: accessToken })).status))
      }
    },
  ))

test('a guard may stand in any hook before the handler, and several may stand in one route', () =>
  withApp(
    {
      after: (app) => {
        for (const hook of ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const) {
          // preParsing has the payload as third argument and wants it back: a guard is no hook for it.
          if (hook !== 'preParsing')
            app.get(`/${hook}`, { [hook]: [requireAuthorization(), requireAuthorization()] }, () => 'in')
        }
        app.get('/both', { onRequest: requireAuthorization(), preHandler: requireAuthorization() }, (request) => ({
          name: request.identity!.userName,
        }))
      },
    },
    async (app) => {
      const { accessToken, email } = await app.signIn()
      for (const url of ['/onRequest', '/preValidation', '/preHandler', '/both']) {
        expectNobody(await app.call('GET', url))
        assert.equal((await app.call('GET', url, { token: accessToken })).status, 200)
      }
      assert.equal(named(await app.call('GET', '/both', { token: accessToken })), email)
    },
  ))

test('a cookie that is renewed is renewed once, however many guards ask', () =>
  withApp(
    {
      after: (app) =>
        app.get(
          '/both',
          { onRequest: [requireAuthorization(), requireAuthorization()], preHandler: requireAuthorization() },
          () => 'in',
        ),
    },
    async (app) => {
      const { cookie } = await app.signInWithCookie()
      app.clock.advance(1800)
      const answers = await Promise.all([app.call('GET', '/both', { cookie }), app.call('GET', '/both', { cookie })])
      for (const answer of answers) assert.deepEqual([answer.status, answer.setCookies.length], [200, 1])
    },
  ))

test('two realms in sibling scopes know their own people only', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  for (const name of ['users', 'staff']) {
    await app.register(
      async (scope) => {
        await scope.register(identity, {
          database: await databaseUrl(),
          schema: uniqueSchema(),
          prefix: '/account',
          cookie: { name },
          password: { hasher: { memoryKiB: 64, iterations: 1 } },
        })
        scope.get('/me', { onRequest: requireAuthorization() }, (request) => ({ name: request.identity!.userName }))
      },
      { prefix: `/${name}` },
    )
  }
  const credentials = { email: 'ann@example.com', password: 'Correct-Horse-7' }
  for (const realm of ['users', 'staff']) {
    assert.equal(
      (await app.inject({ method: 'POST', url: `/${realm}/account/register`, payload: credentials })).statusCode,
      200,
    )
    const other = realm === 'users' ? 'staff' : 'users'
    const { accessToken, refreshToken } = (
      await app.inject({ method: 'POST', url: `/${realm}/account/login`, payload: credentials })
    ).json<Record<string, string>>()
    const authorization = `Bearer ${accessToken!}`
    assert.equal((await app.inject({ url: `/${realm}/me`, headers: { authorization } })).statusCode, 200)
    assert.equal((await app.inject({ url: `/${other}/me`, headers: { authorization } })).statusCode, 401)
    assert.equal(
      (await app.inject({ method: 'POST', url: `/${other}/account/refresh`, payload: { refreshToken } })).statusCode,
      401,
    )
    const login = await app.inject({
      method: 'POST',
      url: `/${realm}/account/login?useCookies=true`,
      payload: credentials,
    })
    const { value } = login.cookies.find(({ name }) => name === realm)!
    assert.equal((await app.inject({ url: `/${realm}/me`, cookies: { [realm]: value } })).statusCode, 200)
    assert.equal(
      (await app.inject({ url: `/${other}/me`, cookies: { [realm]: value, [other]: value } })).statusCode,
      401,
    )
  }
})

test('two realms in one scope go by their decorators', () =>
  withApp(
    {
      after: async (app) => {
        await app.register(identity, {
          database: await databaseUrl(),
          schema: uniqueSchema(),
          prefix: '/staff',
          decorator: 'staff',
          password: { hasher: { memoryKiB: 64, iterations: 1 } },
        })
        me(app)
        app.get('/staff-only', { onRequest: requireAuthorization({ decorator: 'staff' }) }, (request) => ({
          name: (request as unknown as { staff: { userName: string } }).staff.userName,
          other: request.identity,
        }))
        app.get('/nowhere', { onRequest: requireAuthorization({ decorator: 'guests' }) }, () => 'open')
      },
    },
    async (app: TestApp) => {
      const person = await app.register()
      assert.equal((await app.call('POST', '/staff/register', { json: person })).status, 200)
      const user = await app.signIn(person)
      const staff = (await app.call('POST', '/staff/login', { json: person })).json() as { accessToken: string }
      const [staffCookie = ''] = (await app.call('POST', '/staff/login?useCookies=true', { json: person })).setCookies
      assert.match(staffCookie, /^staff=/)
      assert.equal((await app.call('GET', '/me', { token: user.accessToken })).status, 200)
      expectNoToken(await app.call('GET', '/me', { token: staff.accessToken }))
      expectNoToken(await app.call('GET', '/staff-only', { token: user.accessToken }))
      assert.deepEqual((await app.call('GET', '/staff-only', { token: staff.accessToken })).json(), {
        name: person.email,
        other: null,
      })
      const answer = await app.call('GET', '/nowhere', { token: user.accessToken })
      expectNotRegistered({ statusCode: answer.status, body: answer.body }, 'guests')
    },
  ))

test("the host's error handler gets the error of a guard without a plugin, and no error for a caller without a session", () =>
  withApp(
    {
      before: (app) =>
        app.setErrorHandler((error, _request, reply) =>
          reply.code(500).send({ mine: (error as Error & { code: string }).code }),
        ),
      after: (app) => {
        me(app)
        app.get('/nowhere', { onRequest: requireAuthorization({ decorator: 'guests' }) }, () => 'open')
      },
    },
    async (app) => {
      expectNobody(await app.call('GET', '/me'))
      assert.deepEqual((await app.call('GET', '/nowhere')).json(), { mine: 'FST_IDENTITY_NOT_REGISTERED' })
    },
  ))

test("an error of the host's own readToken is the host's, and opens nothing", () =>
  withApp(
    {
      identity: {
        bearer: {
          readToken: () => {
            throw new Error('host')
          },
        },
      },
      after: (app) => {
        me(app)
        app.get('/who', (request) => ({ identity: request.identity }))
      },
    },
    async (app) => {
      assert.equal((await app.call('GET', '/me')).status, 500)
      assert.equal((await app.call('GET', '/who')).status, 500)
      const ours = await app.call('GET', '/account/manage/info')
      assert.equal(ours.status, 500)
      assert.equal(ours.headers['content-type'], 'application/problem+json')
    },
  ))

test('allowAnonymous() shows who is calling, renews what is due, and shows no cookie that another site has sent', () =>
  withApp(
    {
      after: (app) =>
        app.route({
          method: ['GET', 'POST'],
          url: '/who',
          onRequest: allowAnonymous(),
          handler: (request) => ({ scheme: request.identity?.scheme ?? null }),
        }),
    },
    async (app) => {
      const { cookie } = await app.signInWithCookie()
      const { accessToken } = await app.signIn()
      assert.deepEqual((await app.call('GET', '/who')).json(), { scheme: null })
      assert.deepEqual((await app.call('GET', '/who', { token: 'nonsense', cookie })).json(), { scheme: null })
      assert.deepEqual((await app.call('GET', '/who', { token: accessToken })).json(), { scheme: 'bearer' })
      assert.deepEqual((await app.call('POST', '/who', { cookie })).json(), { scheme: 'cookie' })
      const headers = { origin: 'https://evil.example' }
      assert.deepEqual((await app.call('POST', '/who', { cookie, headers })).json(), { scheme: null })
      assert.deepEqual((await app.call('GET', '/who', { cookie, headers })).json(), { scheme: 'cookie' })
      app.clock.advance(1800)
      const renewed = await app.call('GET', '/who', { cookie })
      assert.deepEqual([renewed.json(), renewed.setCookies.length], [{ scheme: 'cookie' }, 1])
    },
  ))
