// The list of routes and guards that option `authorization.explicit` judges by: what it misses would stand open.
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import Fastify, { type FastifyInstance } from 'fastify'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readRoutes } from '../../src/http/route-table.js'
import { allowAnonymous, type IdentityOptions, identityRoutes, requireAuthorization } from '../../src/index.js'
import { type AppOptions, startApp, type TestApp } from '../support/app.js'

const answer = () => 'here'

async function tableOf(register: (app: FastifyInstance) => unknown): Promise<string[]> {
  const app = Fastify()
  await register(app)
  await app.ready()
  try {
    return readRoutes(app).map(({ method, url, hooks }) =>
      [method, url, ...hooks.filter((name) => name !== 'handler')].join(' '),
    )
  } finally {
    await app.close()
  }
}

const guard = requireAuthorization()
const open = allowAnonymous()

test('every route is listed with its HEAD twin, its constraints apart, and the guards that run before its handler', async () => {
  assert.deepEqual(
    await tableOf((app) => {
      app.get('/', { onRequest: guard }, answer)
      app.get('/one', { exposeHeadRoute: false, preHandler: guard }, answer)
      app.get('/host', { constraints: { host: 'a.example' }, onRequest: guard }, answer)
      app.get('/host', { constraints: { host: 'b.example' } }, answer)
      app.route({ method: ['PUT', 'DELETE'], url: '/two', preValidation: [guard], handler: answer })
      app.get('/deep', { preParsing: (_request, _reply, payload, done) => done(null, payload) }, answer)
      app.get('/deeper', answer)
    }),
    [
      'GET / identityGuard',
      'HEAD / identityGuard',
      'GET /one identityGuard',
      'GET /host identityGuard',
      'HEAD /host identityGuard',
      'GET /host',
      'HEAD /host',
      'PUT /two identityGuard',
      'DELETE /two identityGuard',
      'GET /deep preParsing',
      'HEAD /deep preParsing',
      'GET /deeper',
      'HEAD /deeper',
    ],
  )
})

test('wildcards in different places are different routes', async () => {
  assert.deepEqual(
    await tableOf((app) => {
      app.get('/open/*', { exposeHeadRoute: false }, answer)
      app.get('/closed/*', { exposeHeadRoute: false, onRequest: guard }, answer)
      app.get('/closed/:id/*', { exposeHeadRoute: false }, answer)
      app.options('*', answer)
    }),
    ['GET /open/*', 'GET /closed/:id/*', 'GET /closed/* identityGuard', 'OPTIONS *'],
  )
})

test('parameters of several names, with patterns and inside a segment, are listed as they were written', async () => {
  assert.deepEqual(
    await tableOf((app) => {
      const silent = { exposeHeadRoute: false }
      app.get('/users/:id', silent, answer)
      app.get('/users/:user/posts', { ...silent, onRequest: guard }, answer)
      app.get('/number/:n(^\\d+$)', silent, answer)
      app.get('/at/:h(^\\d{2})h:m(^\\d{2})m', silent, answer)
      app.get('/maybe/:x?', silent, answer)
      app.get('/a b/(x)', { ...silent, onRequest: guard }, answer)
    }),
    [
      'GET /users/:id|:user',
      'GET /users/:id|:user/posts identityGuard',
      'GET /number/:n(^\\d+$)',
      'GET /at/:h(^\\d{2})h:m(^\\d{2})m',
      'GET /a b/(x) identityGuard',
      'GET /maybe',
      'GET /maybe/:x',
    ],
  )
})

test('the hooks of nested scopes count, and those of siblings do not', async () => {
  assert.deepEqual(
    await tableOf(async (app) => {
      await app.register(
        async (outer) => {
          outer.addHook('onRequest', guard)
          await outer.register(
            (inner, _options, done) => {
              inner.post('/inside', answer)
              done()
            },
            { prefix: '/inner' },
          )
        },
        { prefix: '/outer' },
      )
      app.post('/outer/beside', answer)
    }),
    ['POST /outer/inner/inside identityGuard', 'POST /outer/beside'],
  )
})

const explicit: IdentityOptions = { authorization: { explicit: true } }

async function refusal(options: AppOptions): Promise<string> {
  try {
    await (await startApp(options)).close()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'FST_IDENTITY_UNDECIDED_ROUTES')
      return error.message
    throw error
  }
  return 'started'
}

const undecided = (routes: string) =>
  `These routes say nothing about access: ${routes}. Give each onRequest: requireAuthorization() or allowAnonymous()`

test('without authorization.explicit a route may say nothing about access', async () => {
  assert.equal(await refusal({ after: (app) => app.get('/open', answer) }), 'started')
})

test('with authorization.explicit the application starts when every route has decided, ours by themselves', async () => {
  assert.equal(
    await refusal({
      identity: explicit,
      before: (app) => {
        app.get('/before', { onRequest: guard }, answer)
        // A browser asks what it may do before it signs in; @fastify/cors answers it so.
        app.options('*', answer)
      },
      after: async (app) => {
        app.get('/after', { preHandler: [open] }, answer)
        await app.register(async (scope) => {
          scope.addHook('onRequest', requireAuthorization({ roles: ['clerk'] }))
          scope.post('/in-a-guarded-scope', answer)
          await scope.register(identityRoutes, { prefix: '/in-a-guarded-scope/accounts' })
        })
        await app.register(identityRoutes, { prefix: '/second' })
      },
    }),
    'started',
  )
})

test('with authorization.explicit the application does not start while a route is undecided, and names each', async () => {
  assert.equal(
    await refusal({
      identity: explicit,
      before: (app) => app.get('/before', { exposeHeadRoute: false }, answer),
      after: async (app) => {
        app.get('/with-a-twin', answer)
        app.get('/wild/*', { exposeHeadRoute: false }, answer)
        app.get('/tame/*', { exposeHeadRoute: false, onRequest: guard }, answer)
        app.get('/host', { exposeHeadRoute: false, constraints: { host: 'a.example' }, onRequest: guard }, answer)
        app.get('/host', { exposeHeadRoute: false, constraints: { host: 'b.example' } }, answer)
        await app.register(
          (scope, _options, done) => {
            scope.addHook('onRequest', guard)
            scope.post('/guarded', answer)
            done()
          },
          { prefix: '/scope' },
        )
        app.post('/scope/beside', answer)
        app.all('/everything', answer)
      },
    }),
    undecided(
      'GET /before, GET /with-a-twin, HEAD /with-a-twin, GET /wild/*, GET /host, POST /scope/beside, ' +
        'GET /everything, HEAD /everything, TRACE /everything, DELETE /everything, PATCH /everything, PUT /everything, POST /everything, QUERY /everything',
    ),
  )
})

test('a guard that is called inside another hook is not seen, and the route counts as undecided', async () => {
  assert.equal(
    await refusal({
      identity: explicit,
      after: (app) =>
        app.post('/wrapped', { onRequest: (request, reply, done) => guard(request, reply, done) }, answer),
    }),
    undecided('POST /wrapped'),
  )
})

test('routes of another plugin are decided by the scope that it is registered in: Swagger UI under allowAnonymous', async () => {
  const documented: AppOptions = {
    identity: explicit,
    before: async (app) => {
      await app.register(swagger, { openapi: { openapi: '3.1.0' } })
    },
  }
  assert.match(
    await refusal({ ...documented, after: (app) => app.register(swaggerUi, { routePrefix: '/docs' }) }),
    /: GET \/docs, /,
  )
  const server: TestApp = await startApp({
    ...documented,
    after: (app) =>
      app.register(async (scope) => {
        scope.addHook('onRequest', allowAnonymous())
        await scope.register(swaggerUi, { routePrefix: '/docs' })
      }),
  })
  try {
    assert.equal((await server.call('GET', '/docs/json')).status, 200)
    assert.equal((await server.call('GET', '/docs/')).status, 200)
  } finally {
    await server.close()
  }
})
