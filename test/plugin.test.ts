// The plugin in hosts of every kind: what a host sets for itself changes nothing for our routes, and ours nothing for
// the host's.
import { fastifyCookie } from '@fastify/cookie'
import assert from 'node:assert/strict'
import Fastify, { type FastifyInstance, type FastifyPluginOptions } from 'fastify'
import pg from 'pg'
import { test } from 'node:test'
import identity, { requireAuthorization } from '../src/index.js'
import { databaseUrl, uniqueSchema } from './support/postgres.js'
import {
  type Answer,
  type AppOptions,
  goodPassword,
  headersOf,
  pairOf,
  type TestApp,
  type Tokens,
  withApp,
} from './support/app.js'

// What differs from run to run, tokens and times, becomes a word.
function plain(answer: Answer): unknown {
  const mask = (text: string) =>
    text.replace(/[A-Za-z0-9_-]{100,}/g, 'TOKEN').replace(/Expires=(?!Thu, 01 Jan 1970)[^;]+/g, 'Expires=THEN')
  const headers = Object.fromEntries(
    Object.entries(headersOf(answer)).map(([name, value]) => [name, mask(String(value))]),
  )
  return { status: answer.status, headers, body: mask(answer.body) }
}

/** A walk through all kinds of answers. */
async function walk(app: TestApp): Promise<unknown[]> {
  const answers: Answer[] = []
  const step = async (...request: Parameters<TestApp['call']>) => {
    const answer = await app.call(...request)
    answers.push(answer)
    return answer
  }
  const json = { email: 'ann@example.com', password: goodPassword }
  const headers = { 'content-type': 'application/json' }
  await step('POST', '/account/register', { json: { ...json, password: 'weak', isAdmin: true } })
  await step('POST', '/account/register', { json: { ...json, isAdmin: true } })
  await step('POST', '/account/register', { json: { ...json, email: 5 } })
  await step('POST', '/account/register', { json: { ...json, email: [json.email] } })
  await step('POST', '/account/login', { json: { ...json, password: 'wrong' } })
  await step('POST', '/account/login', { payload: '{', headers })
  await step('POST', '/account/login', { payload: 'x', headers: { 'content-type': 'text/plain' } })
  await step('POST', '/account/login', {
    payload: 'email=a',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  })
  await step('POST', '/account/login', { payload: Buffer.alloc(17_000), headers })
  await step('POST', '/account/login?useCookies=1', { json })
  await step('POST', '/account/login', { json: { ...json, note: 'x'.repeat(15_000) } })
  const { accessToken, refreshToken } = (await step('POST', '/account/login', { json })).json() as Tokens
  const {
    setCookies: [setCookie = ''],
  } = await step('POST', '/account/login?useCookies=true', { json })
  const cookie = pairOf(setCookie)
  await step('POST', '/account/refresh', { json: { refreshToken } })
  await step('POST', '/account/refresh', { json: { refreshToken: null } })
  await step('GET', '/account/manage/info', { token: accessToken })
  await step('GET', '/account/manage/info', { cookie })
  await step('GET', '/account/manage/info', { cookie: `mine=1; ${cookie}` })
  await step('GET', '/account/manage/info')
  await step('POST', '/account/logout', { cookie, json: {}, headers: { origin: 'https://evil.example' } })
  await step('POST', '/account/logout', { cookie, json: {} })
  await step('POST', '/account/logout', { token: accessToken })
  await step('PUT', '/account/login')
  await step('GET', '/account/nothing')
  await step('GET', '/me', { token: accessToken })
  await step('GET', '/me', { token: (await app.signIn(json)).accessToken })
  await step('GET', '/me', { cookie: (await app.signInWithCookie(json)).cookie })
  await step('GET', '/confirmEmail')
  return answers.map(plain)
}

const after = (app: FastifyInstance) => {
  app.get('/me', { onRequest: requireAuthorization() }, (request, reply) =>
    reply.type('text/plain').send(request.identity!.userName),
  )
}
const server = { genReqId: () => 'one' }

async function walked(options: AppOptions): Promise<unknown[]> {
  let result: unknown[] = []
  await withApp({ after, ...options, server: { ...server, ...options.server } }, async (app) => {
    result = await walk(app)
  })
  return result
}

const expected = walked({})

const hosts: Record<string, AppOptions> = {
  'coerces and removes with its own Ajv': {
    server: {
      ajv: { customOptions: { coerceTypes: 'array', removeAdditional: 'all', useDefaults: true, allErrors: true } },
    },
  },
  'has compilers that throw': {
    before: (app) => {
      app.setValidatorCompiler(() => {
        throw new Error('not for you')
      })
      app.setSerializerCompiler(() => {
        throw new Error('not for you')
      })
    },
  },
  'brings its own schema controller': {
    server: {
      schemaController: {
        compilersFactory: {
          buildValidator: () => () => {
            throw new Error('not for you')
          },
          buildSerializer: () => () => {
            throw new Error('not for you')
          },
        },
      },
    },
  },
  'has its own error handler, 404 and schema error formatter': {
    before: (app) => {
      app.setErrorHandler((_error, _request, reply) => reply.code(418).send('mine'))
      app.setNotFoundHandler((_request, reply) =>
        reply
          .code(404)
          .type('application/json; charset=utf-8')
          .send(JSON.stringify({ message: 'Route GET:/confirmEmail not found', error: 'Not Found', statusCode: 404 })),
      )
      app.setSchemaErrorFormatter(() => new Error('mine'))
    },
  },
  'reads every content type': {
    before: (app) => {
      app.removeAllContentTypeParsers()
      app.addContentTypeParser(
        ['text/plain', 'application/x-www-form-urlencoded', 'application/json'],
        { parseAs: 'string' },
        (_request, _body, done) => {
          done(null, { email: 'ann@example.com', password: goodPassword })
        },
      )
      app.addContentTypeParser('*', (_request, _payload, done) => {
        done(null, { email: 'ann@example.com', password: goodPassword })
      })
    },
  },
  'reads nothing at all': {
    before: (app) => {
      app.removeAllContentTypeParsers()
    },
  },
  'writes answers its own way': {
    before: (app) => {
      app.setReplySerializer((payload) => JSON.stringify({ data: payload }))
    },
  },
  'takes bodies of ten bytes': { server: { bodyLimit: 10 } },
  'takes bodies of a gigabyte, and poisoned ones': {
    server: { bodyLimit: 2 ** 30, onProtoPoisoning: 'ignore', onConstructorPoisoning: 'ignore' },
  },
  'has schemas of all the names that we might use': {
    before: (app) => {
      for (const $id of ['LoginRequest', 'AccessTokenResponse', 'Problem', 'identity', 'Empty', 'http://localhost/'])
        app.addSchema({ $id, type: 'string' })
    },
  },
  'routes loosely': {
    server: { routerOptions: { caseSensitive: false, ignoreTrailingSlash: true, ignoreDuplicateSlashes: true } },
  },
  'exposes no HEAD routes': { server: { exposeHeadRoutes: false } },
  'has @fastify/cookie before us': { before: (app) => app.register(fastifyCookie) },
  'has @fastify/cookie with everything set': {
    before: (app) =>
      app.register(fastifyCookie, {
        secret: 'a secret of the host that is long enough',
        hook: 'preHandler',
        parseOptions: {
          domain: 'host.example',
          path: '/host',
          maxAge: 1,
          sameSite: 'none',
          secure: true,
          httpOnly: false,
          signed: true,
          encode: () => 'host',
        },
      }),
  },
  'has @fastify/cookie after us': {
    after: async (app) => {
      await app.register(fastifyCookie)
      after(app)
    },
  },
  'decorates what others decorate': {
    before: (app) => {
      app.decorateRequest('user', null)
      app.decorateRequest('session', null)
      app.decorate('authenticate', () => undefined)
    },
  },
  'keeps its own log child and request ids': {
    server: {
      requestIdHeader: 'x-request-id',
      childLoggerFactory: (logger, bindings, options) => logger.child({ ...bindings, mine: 1 }, options),
    },
  },
}

for (const [host, options] of Object.entries(hosts)) {
  test(`nothing changes for our routes in a host that ${host}`, async () => {
    assert.deepEqual(await walked(options), await expected)
  })
}

test("the host's routes keep what the host has set", () =>
  withApp(
    {
      server: { ajv: { customOptions: { coerceTypes: true } }, bodyLimit: 100_000 },
      after: (app) => {
        app.post(
          '/mine',
          { schema: { body: { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] } } },
          (request) => ({ body: request.body }),
        )
        app.post('/text', (request) => ({ body: request.body }))
      },
    },
    async (app) => {
      assert.deepEqual((await app.call('POST', '/mine', { json: { n: '5' } })).json(), { body: { n: 5 } })
      assert.deepEqual(
        (await app.call('POST', '/text', { payload: 'hello', headers: { 'content-type': 'text/plain' } })).json(),
        { body: 'hello' },
      )
      const refused = await app.call('POST', '/mine', { json: {} })
      assert.equal(refused.status, 400)
      assert.match(refused.body, /must have required property 'n'/)
      assert.equal((await app.call('POST', '/mine', { json: { n: 1, note: 'x'.repeat(50_000) } })).status, 200)
      assert.match((await app.call('GET', '/nothing')).body, /Route GET:\/nothing not found/)
      for (const header of ['cache-control', 'x-content-type-options']) assert.equal(refused.headers[header], undefined)
    },
  ))

for (const when of ['before', 'after'] as const) {
  test(`cookies of the host stand beside ours, with @fastify/cookie registered ${when} us`, () =>
    withApp(
      {
        ...(when === 'before' ? { before: (app: FastifyInstance) => app.register(fastifyCookie) } : {}),
        after: async (app) => {
          if (when === 'after') await app.register(fastifyCookie)
          app.get('/mine', { onRequest: requireAuthorization() }, (request, reply) =>
            reply.setCookie('mine', '1').setCookie('other', '2').send(request.cookies),
          )
        },
      },
      async (app) => {
        const { cookie } = await app.signInWithCookie()
        app.clock.advance(1800)
        const answer = await app.call('GET', '/mine', { cookie: `a=b; ${cookie}` })
        assert.equal(answer.status, 200)
        assert.deepEqual(
          answer.setCookies.map((text) => text.slice(0, text.indexOf('='))),
          ['identity', 'mine', 'other'],
        )
        assert.equal((answer.json() as { a: string }).a, 'b')
      },
    ))
}

test('a Set-Cookie header that the host has written stays beside ours, in either order', () =>
  withApp(
    {
      before: (app) =>
        app.addHook('onRequest', (_request, reply, done) => {
          void reply.header('set-cookie', 'before=1')
          done()
        }),
      after: (app) =>
        app.get('/mine', { onRequest: requireAuthorization() }, (_request, reply) =>
          reply.header('set-cookie', 'after=2').send('in'),
        ),
    },
    async (app) => {
      const person = await app.register()
      const login = await app.call('POST', '/account/login?useCookies=true', { json: person })
      assert.deepEqual(
        login.setCookies.map((text) => text.slice(0, text.indexOf('='))),
        ['before', 'identity'],
      )
      app.clock.advance(1800)
      const answer = await app.call('GET', '/mine', { cookie: pairOf(login.setCookies[1]!) })
      assert.deepEqual(
        answer.setCookies.map((text) => text.slice(0, text.indexOf('='))),
        ['before', 'identity', 'after'],
      )
      const logout = await app.call('POST', '/account/logout', { cookie: pairOf(answer.setCookies[1]!) })
      assert.deepEqual(
        logout.setCookies.map((text) => text.slice(0, text.indexOf('='))),
        ['before', 'identity'],
      )
    },
  ))

test("options may come from a function, as everywhere in Fastify, and a route's log level from the registration", async (t) => {
  const lines: string[] = []
  const database = await databaseUrl()
  const schema = uniqueSchema()
  const app = Fastify({
    logger: {
      level: 'info',
      stream: {
        write(line: string) {
          lines.push(line)
        },
      },
    },
  })
  t.after(() => app.close())
  await app.register(identity, (): FastifyPluginOptions => ({
    prefix: '/account',
    database,
    schema,
    logLevel: 'silent',
  }))
  app.get('/mine', () => 'mine')
  lines.length = 0
  assert.equal((await app.inject({ method: 'POST', url: '/account/login', payload: {} })).statusCode, 400)
  assert.deepEqual(lines, [])
  await app.inject('/mine')
  assert.equal(lines.length, 2)
})

test('a pool that the host hands in is used and not closed', async (t) => {
  const pool = new pg.Pool({ connectionString: await databaseUrl(), max: 3 })
  t.after(() => pool.end())
  await withApp({ identity: { database: pool } }, async (app) => {
    await app.signIn()
  })
  assert.deepEqual((await pool.query('select 1 as one')).rows, [{ one: 1 }])
})

test('registering twice under one name is refused, and closes what it had opened', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  const options = { database: await databaseUrl(), schema: uniqueSchema(), prefix: '/account' }
  await app.register(identity, options)
  await assert.rejects(
    async () => {
      await app.register(identity, { ...options, prefix: '/other' })
    },
    { code: 'FST_IDENTITY_ALREADY_REGISTERED' },
  )
})

test('a host that is closed while it starts ends cleanly', async () => {
  const app = Fastify()
  void app.register(identity, { database: await databaseUrl(), schema: uniqueSchema() })
  await app.close()
})

test('healthCheck reports that all is well', () =>
  withApp({}, async (app) => {
    assert.deepEqual(await app.app.identity.healthCheck(), { ok: true, database: true, revocations: true })
  }))
