// The document that @fastify/swagger makes of a host with the plugin: valid by the specification's own schema, complete, and never broken.
import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import { Validator } from '@seriousme/openapi-schema-validator'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { type IdentityOptions, requireAuthorization } from '../../src/index.js'
import { withApp } from '../support/app.js'

interface Operation {
  readonly operationId?: string
  readonly summary?: string
  readonly tags?: readonly string[]
  readonly security?: readonly Record<string, readonly string[]>[]
  readonly requestBody?: {
    readonly content: Record<string, { readonly schema: { readonly properties?: Record<string, unknown>, readonly required?: readonly string[] } }>
  }
  readonly parameters?: readonly { readonly name: string, readonly in: string }[]
  readonly responses: Record<string, { readonly description: string, readonly content?: Record<string, unknown> }>
}

interface Document {
  readonly paths: Record<string, Record<string, Operation>>
  readonly components?: { readonly securitySchemes?: Record<string, unknown> }
}

const documentOf = (app: FastifyInstance) => app.swagger() as unknown as Document // as @fastify/swagger writes it
const withSwagger = (version: string, more: FastifyDynamicSwaggerOptions = {}) => (app: FastifyInstance) =>
  app.register(swagger, { openapi: { openapi: version, info: { title: 'Host', version: '1' } }, ...more })
const guarded = (app: FastifyInstance) => {
  app.get('/weatherforecast', { onRequest: requireAuthorization() }, () => [])
  app.get('/forecasts/:id', { onRequest: requireAuthorization() }, () => [])
  app.get('/open', () => [])
}

const validator = new Validator()

async function errorsOf(document: unknown): Promise<unknown> {
  // A copy as it goes over the wire.
  const { valid, errors } = await validator.validate(JSON.parse(JSON.stringify(document)) as Record<string, unknown>)
  return valid ? null : errors
}

/** Everything that the plugin can show. */
const everything: IdentityOptions[] = [
  {}, { cookies: false }, { jsonNaming: 'snake_case' }, { publicUrl: 'https://api.example.com', email: { send: () => Promise.resolve() } },
  { user: { userNameIsEmail: false } }, { decorator: 'staff' }, { endpoints: { register: false, sessions: false } },
]

for (const version of ['3.0.3', '3.1.0']) {
  test(`a document of OpenAPI ${version} is valid, whatever the options`, async () => {
    for (const options of everything) {
      await withApp({ before: withSwagger(version), after: guarded, identity: options }, async (app) => {
        assert.deepEqual(await errorsOf(documentOf(app.app)), null, JSON.stringify(options))
        assert.ok(app.app.swagger({ yaml: true }).startsWith(`openapi: ${version}`))
      })
    }
  })

  test(`a document of OpenAPI ${version} shows each of our operations once, and no alias`, () => withApp({ before: withSwagger(version), after: guarded }, (app) => {
    const { paths } = documentOf(app.app)
    const shown = Object.entries(paths).flatMap(([path, verbs]) => Object.keys(verbs).map((verb) => `${verb} ${path}`))
    assert.deepEqual(shown.filter((operation) => operation.includes('/account')), [
      'post /account/register', 'post /account/login', 'post /account/refresh', 'get /account/confirmEmail', 'post /account/resendConfirmationEmail',
      'post /account/forgotPassword', 'post /account/resetPassword', 'post /account/logout', 'post /account/manage/2fa', 'get /account/manage/info',
      'post /account/manage/info', 'get /account/manage/sessions', 'delete /account/manage/sessions/{id}',
    ])
    for (const [path, verbs] of Object.entries(paths).filter(([path]) => path.startsWith('/account'))) {
      for (const { operationId, summary, tags, responses, security } of Object.values(verbs)) {
        assert.match(operationId!, /^identity[A-Z]/)
        assert.ok(summary!.length > 5)
        assert.deepEqual(tags, ['Identity'])
        for (const { description } of Object.values(responses)) assert.ok(description.length > 5, path)
        const isGuarded = path.includes('/manage/') || path.endsWith('/logout')
        assert.deepEqual(security, isGuarded ? [{ identityBearer: [] }, { identityCookie: [] }] : undefined, path)
        assert.equal('401' in responses, isGuarded || ['/login', '/refresh', '/confirmEmail'].some((end) => path.endsWith(end)), path)
      }
    }
    return Promise.resolve()
  }))

  test(`a document of OpenAPI ${version} names bodies, members and content types as they are on the wire`, () => withApp({ before: withSwagger(version) }, (app) => {
    const { paths, components } = documentOf(app.app)
    const login = paths['/account/login']!.post!
    const body = login.requestBody!.content['application/json']!.schema
    assert.deepEqual(Object.keys(body.properties!), ['email', 'password', 'twoFactorCode', 'twoFactorRecoveryCode'])
    assert.deepEqual(body.required, ['email', 'password'])
    assert.deepEqual(login.parameters!.map(({ name, in: place }) => `${place} ${name}`), ['query useCookies', 'query useSessionCookies'])
    assert.deepEqual(Object.keys(login.responses['200']!.content!), ['application/json'])
    for (const status of [
      '400', '401', '403', '503',
    ]) assert.deepEqual(Object.keys(login.responses[status]!.content!), ['application/problem+json'], status)
    for (const status of ['413', '415']) assert.equal(login.responses[status]!.content, undefined, status)
    assert.equal(paths['/account/register']!.post!.responses['200']!.content, undefined)
    assert.deepEqual(components!.securitySchemes, {
      identityBearer: { type: 'http', scheme: 'bearer', description: 'The accessToken of POST /login or /refresh' },
      identityCookie: { type: 'apiKey', in: 'cookie', name: 'identity', description: 'Set by POST /login?useCookies=true' },
    })
    return Promise.resolve()
  }))
}

test('a host without @fastify/swagger starts, and so does one that registers it after us', async () => {
  await withApp({ after: guarded }, async (app) => { assert.equal((await app.call('GET', '/weatherforecast')).status, 401) })
  await withApp({
    after: async (app) => {
      guarded(app)
      await withSwagger('3.1.0')(app)
      app.get('/later', { onRequest: requireAuthorization() }, () => [])
    },
  }, async (app) => {
    assert.deepEqual(await errorsOf(documentOf(app.app)), null)
    assert.deepEqual(Object.keys(documentOf(app.app).paths), ['/later'])
  })
})

test('a document of a scope with @fastify/swagger of its own does not break at our schemes', async () => {
  let inner: FastifyInstance | undefined
  await withApp({
    after: (app) => app.register(async (scope) => {
      await withSwagger('3.1.0')(scope)
      guarded(scope)
      inner = scope
    }),
  }, async () => {
    assert.deepEqual(await errorsOf(documentOf(inner!)), null)
    assert.deepEqual(Object.keys(documentOf(inner!).paths), ['/weatherforecast', '/forecasts/{id}', '/open'])
  })
})

test('what the host hides, tags and transforms is the host\'s', () => withApp({
  before: withSwagger('3.1.0', {
    hideUntagged: true,
    transform: ({ schema, url }) => ({ schema, url: url.replace('/internal', '') }),
  }),
  after: (app) => {
    app.get('/internal/a', { schema: { tags: ['mine'] }, onRequest: requireAuthorization() }, () => [])
    app.get('/internal/b', { onRequest: requireAuthorization() }, () => [])
    app.get('/internal/c', { schema: { tags: ['mine'], hide: true }, onRequest: requireAuthorization() }, () => [])
  },
}, async (app) => {
  const document = documentOf(app.app)
  assert.deepEqual(await errorsOf(document), null)
  assert.deepEqual(Object.keys(document.paths).filter((path) => !path.startsWith('/account')), ['/a'])
  assert.deepEqual(document.paths['/a']!.get!.security, [{ identityBearer: [] }, { identityCookie: [] }])
}))
