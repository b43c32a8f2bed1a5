// What guards say in the document of @fastify/swagger, without a word from the host.
import swagger from '@fastify/swagger'
import { Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { allowAnonymous, identityRoutes, requireAuthorization } from '../../src/index.js'
import { endpointOptions } from '../../src/routes/endpoints.js'
import { startApp, type TestApp, withApp } from '../support/app.js'

interface Operation {
  readonly operationId?: string
  readonly security?: readonly Record<string, readonly string[]>[]
  readonly responses: Record<string, { readonly description?: string }>
}

interface Document {
  readonly paths: Record<string, Record<string, Operation>>
  readonly components?: { readonly securitySchemes?: Record<string, unknown> }
}

const documentOf = (app: FastifyInstance) => app.swagger() as unknown as Document // as @fastify/swagger writes it
const own = { type: 'http', scheme: 'basic' } as const
const withSwagger = (app: FastifyInstance) =>
  app.register(swagger, {
    openapi: { openapi: '3.1.0', info: { title: 't', version: '1' }, components: { securitySchemes: { own } } },
  })
const answer = { schema: { response: { 200: Type.Object({ a: Type.String() }) } } }
const security = [{ identityBearer: [] }, { identityCookie: [] }]

let server: TestApp
let document: Document
const shared = { response: { 200: Type.Object({ a: Type.String() }) } }

before(async () => {
  server = await startApp({
    before: withSwagger,
    after: async (app) => {
      app.get('/open', answer, () => ({ a: '' }))
      app.get('/anonymous', { ...answer, onRequest: allowAnonymous() }, () => ({ a: '' }))
      app.get('/guarded', { ...answer, onRequest: requireAuthorization({ roles: ['clerk'] }) }, () => ({ a: '' }))
      app.get('/without-a-schema', { preHandler: [requireAuthorization()] }, () => ({ a: '' }))
      app.get(
        '/own-words',
        {
          schema: {
            security: [{ own: [] }],
            response: { ...answer.schema.response, 403: Type.Object({}, { description: 'my own' }) },
          },
          onRequest: requireAuthorization(),
        },
        () => ({ a: '' }),
      )
      app.get('/shared/guarded', { schema: shared, onRequest: requireAuthorization() }, () => ({ a: '' }))
      app.get('/shared/open', { schema: shared }, () => ({ a: '' }))
      await app.register(
        async (scope) => {
          scope.addHook('onRequest', requireAuthorization())
          scope.get('/', answer, () => ({ a: '' }))
          scope.get('/users/:id', answer, () => ({ a: '' }))
          scope.get('/users/:user/files/*', answer, () => ({ a: '' }))
          await scope.register(
            (nested, _options, done) => {
              nested.post('/nested', answer, () => ({ a: '' }))
              done()
            },
            { prefix: '/deep' },
          )
        },
        { prefix: '/scope' },
      )
      app.post('/scope/beside', answer, () => ({ a: '' }))
      await app.register(identityRoutes, { prefix: '/second' })
    },
  })
  document = documentOf(server.app)
})
after(() => server.close())

const get = (path: string) => document.paths[path]!.get!

test('a guarded route shows how to sign in, 401 and 403', () => {
  for (const path of ['/guarded', '/without-a-schema']) {
    const { security: shown, responses } = get(path)
    assert.deepEqual(shown, security, path)
    assert.deepEqual(Object.keys(responses), ['200', '401', '403'])
    assert.equal(responses['401']!.description, 'The request has no valid token or cookie')
    assert.match(responses['403']!.description!, /^The caller lacks what this route requires/)
  }
})

test('a route under a guarded scope shows the same, however deep, with parameters and wildcards', () => {
  const operations = [
    get('/scope/'),
    get('/scope/users/{id}'),
    get('/scope/users/{user}/files/{*}'),
    document.paths['/scope/deep/nested']!.post!,
  ]
  for (const { security: shown, responses } of operations) {
    assert.deepEqual(shown, security)
    assert.deepEqual(Object.keys(responses), ['200', '401', '403'])
  }
})

test('an open route shows nothing', () => {
  for (const operation of [get('/open'), get('/anonymous'), document.paths['/scope/beside']!.post!]) {
    assert.equal(operation.security, undefined)
    assert.deepEqual(Object.keys(operation.responses), ['200'])
  }
})

test('what the host says itself stands', () => {
  const { security: shown, responses } = get('/own-words')
  assert.deepEqual(shown, [{ own: [] }])
  assert.equal(responses['403']!.description, 'my own')
  assert.deepEqual(Object.keys(responses), ['200', '401', '403'])
})

test('a schema that two routes share is painted for the guarded one only', () => {
  assert.deepEqual(get('/shared/guarded').security, security)
  assert.equal(get('/shared/open').security, undefined)
  assert.deepEqual(Object.keys(shared), ['response'])
})

test('the document declares the schemes, and each operation has an id of its own', () => {
  assert.deepEqual(Object.keys(document.components?.securitySchemes ?? {}), ['identityBearer', 'identityCookie', 'own'])
  const ids = Object.values(document.paths)
    .flatMap((path) => Object.values(path))
    .map(({ operationId }) => operationId)
    .filter((id) => id !== undefined)
  assert.equal(new Set(ids).size, ids.length)
  assert.ok(ids.includes('identityLogin') && ids.includes('identityLogin__second'))
})

test('what the document says of a guarded answer changes nothing on the wire', async () => {
  const refused = await server.call('GET', '/guarded', { token: (await server.signIn()).accessToken })
  assert.deepEqual([refused.status, refused.body], [403, ''])
})

test('without cookies the document has no cookie scheme, and a realm is shown under its own name', () =>
  withApp(
    {
      identity: { cookies: false, decorator: 'staff' },
      before: withSwagger,
      after: (app) => app.get('/guarded', { onRequest: requireAuthorization({ decorator: 'staff' }) }, () => 'in'),
    },
    (realm) => {
      const staff = documentOf(realm.app)
      assert.deepEqual(Object.keys(staff.components?.securitySchemes ?? {}), ['staffBearer', 'own'])
      assert.deepEqual(staff.paths['/guarded']!.get!.security, [{ staffBearer: [] }])
      assert.equal(staff.paths['/account/login']!.post!.operationId, 'staffLogin')
      return Promise.resolve()
    },
  ))

const noEndpoints = Object.fromEntries(Object.keys(endpointOptions.properties).map((name) => [name, false]))

test('where none of our routes is in the document, a guarded route shows 401 and 403 and names no scheme that nobody declared', async () => {
  const guarded = (app: FastifyInstance) => app.get('/guarded', { onRequest: requireAuthorization() }, () => 'in')
  const shown = (app: FastifyInstance) => documentOf(app).paths['/guarded']!.get!
  const unnamed = (realm: TestApp) => {
    assert.equal(shown(realm.app).security, undefined)
    assert.deepEqual(Object.keys(shown(realm.app).responses), ['200', '401', '403'])
    return Promise.resolve()
  }
  await withApp({ before: withSwagger, identity: { endpoints: noEndpoints }, after: guarded }, unnamed)
  await withApp(
    {
      after: async (app) => {
        await withSwagger(app)
        guarded(app)
      },
    },
    unnamed,
  )
  await withApp(
    {
      before: withSwagger,
      identity: { endpoints: noEndpoints },
      after: async (app) => {
        guarded(app)
        await app.register(identityRoutes, { prefix: '/later' })
        app.get('/guarded-later', { onRequest: requireAuthorization() }, () => 'in')
      },
    },
    async (realm) => {
      await unnamed(realm)
      assert.deepEqual(documentOf(realm.app).paths['/guarded-later']!.get!.security, security)
    },
  )
})

test('@fastify/swagger that comes too late to show our routes gets a warning', () =>
  withApp({ after: withSwagger }, (realm) => {
    assert.equal(realm.logLines.filter((line) => line.includes('@fastify/swagger was registered after')).length, 1)
    return Promise.resolve()
  }))
