// The document that @fastify/swagger makes of a host with the plugin: valid by the specification's own schema,
// complete, and never broken.
import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import { Validator } from '@seriousme/openapi-schema-validator'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyInstance, FastifySchema } from 'fastify'
import { endpoints } from '../../src/routes/endpoints.js'
import identity, { type IdentityOptions, identityRoutes, requireAuthorization } from '../../src/index.js'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'
import { withApp } from '../support/app.js'

interface Operation {
  readonly operationId?: string
  readonly summary?: string
  readonly tags?: readonly string[]
  readonly security?: readonly Record<string, readonly string[]>[]
  readonly requestBody?: { readonly content: Record<string, { readonly schema: unknown }> }
  readonly parameters?: readonly {
    readonly name: string
    readonly in: string
    readonly schema: { readonly type?: string }
  }[]
  readonly responses: Record<string, { readonly description: string; readonly content?: Record<string, unknown> }>
}

interface Document {
  readonly paths: Record<string, Record<string, Operation>>
  readonly components?: {
    readonly securitySchemes?: Record<string, unknown>
    readonly schemas?: Record<string, { properties?: Record<string, unknown>; required?: string[] }>
  }
}

const documentOf = (app: FastifyInstance) => app.swagger() as unknown as Document // as @fastify/swagger writes it
const withSwagger =
  (version: string, more: FastifyDynamicSwaggerOptions = {}) =>
  (app: FastifyInstance) =>
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
  {},
  { cookies: false },
  { jsonNaming: 'snake_case' },
  { publicUrl: 'https://api.example.com', email: { send: () => Promise.resolve() } },
  { preset: 'hardened', publicUrl: 'https://api.example.com', email: { send: () => Promise.resolve() } },
  { user: { userNameIsEmail: false } },
  { decorator: 'staff' },
  { endpoints: { register: false, sessions: false } },
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

  test(`a document of OpenAPI ${version} shows each of our operations once, and no alias`, () =>
    withApp({ before: withSwagger(version), after: guarded }, (app) => {
      const { paths } = documentOf(app.app)
      const shown = Object.entries(paths).flatMap(([path, verbs]) =>
        Object.keys(verbs).map((verb) => `${verb} ${path}`),
      )
      assert.deepEqual(
        shown.filter((operation) => operation.includes('/account')),
        endpoints.map(({ method, path }) => `${method.toLowerCase()} /account${path.replace(/:(\w+)/g, '{$1}')}`),
      )
      for (const { name, method, path, auth, answers } of endpoints) {
        const shownAs = `/account${path.replace(/:(\w+)/g, '{$1}')}`
        const { operationId, summary, tags, responses, security } = paths[shownAs]![method.toLowerCase()]!
        assert.equal(operationId, `identity${name[0]!.toUpperCase()}${name.slice(1)}`)
        assert.ok(summary!.length > 5)
        assert.deepEqual(tags, ['Identity'])
        for (const { description } of Object.values(responses)) assert.ok(description.length > 5, path)
        assert.deepEqual(
          security,
          auth === 'signedIn' ? [{ identityBearer: [] }, { identityCookie: [] }] : undefined,
          path,
        )
        assert.deepEqual(Object.keys(responses), Object.keys(answers), path)
      }
      return Promise.resolve()
    }))

  test(`a document of OpenAPI ${version} names bodies, members and content types as they are on the wire`, () =>
    withApp({ before: withSwagger(version) }, (app) => {
      const { paths, components } = documentOf(app.app)
      const login = paths['/account/login']!.post!
      assert.deepEqual(login.requestBody!.content['application/json']!.schema, {
        $ref: '#/components/schemas/LoginRequest',
      })
      const body = components!.schemas!.LoginRequest!
      assert.deepEqual(Object.keys(body.properties!), ['email', 'password', 'twoFactorCode', 'twoFactorRecoveryCode'])
      assert.deepEqual(body.required, ['email', 'password'])
      assert.deepEqual(
        login.parameters!.map(({ name, in: place }) => `${place} ${name}`),
        ['query useCookies', 'query useSessionCookies'],
      )
      for (const { schema } of login.parameters!) assert.equal(schema.type, 'boolean')
      // The reference's names, and ours.
      assert.deepEqual(Object.keys(components!.schemas!).sort(), [
        'AccessTokenResponse',
        'ForgotPasswordRequest',
        'HttpValidationProblemDetails',
        'InfoRequest',
        'InfoResponse',
        'LoginRequest',
        'RefreshRequest',
        'RegisterRequest',
        'ResendConfirmationEmailRequest',
        'ResetPasswordRequest',
        'SessionResponse',
        'TwoFactorRequest',
        'TwoFactorResponse',
      ])
      const {
        AccessTokenResponse: tokens,
        TwoFactorResponse: factor,
        RegisterRequest: registration,
      } = components!.schemas!
      assert.deepEqual((tokens!.properties!.expiresIn as { format: string }).format, 'int64')
      assert.deepEqual((factor!.properties!.recoveryCodesLeft as { format: string }).format, 'int32')
      assert.deepEqual(registration!.properties!.email, { type: 'string' })
      assert.equal(paths['/account/logout']!.post!.requestBody, undefined)
      assert.deepEqual(Object.keys(login.responses['200']!.content!), ['application/json'])
      for (const status of ['400', '401', '403', '503'])
        assert.deepEqual(Object.keys(login.responses[status]!.content!), ['application/problem+json'], status)
      for (const status of ['413', '415']) assert.equal(login.responses[status]!.content, undefined, status)
      assert.equal(paths['/account/register']!.post!.responses['200']!.content, undefined)
      assert.deepEqual(components!.securitySchemes, {
        identityBearer: { type: 'http', scheme: 'bearer', description: 'The accessToken of POST /login or /refresh' },
        identityCookie: {
          type: 'apiKey',
          in: 'cookie',
          name: 'identity',
          description: 'Set by POST /login?useCookies=true',
        },
      })
      return Promise.resolve()
    }))
}

test('two realms and two mounts in one document keep their operations and schemes apart', () =>
  withApp(
    {
      before: withSwagger('3.1.0'),
      after: async (app) => {
        await app.register(identity, {
          prefix: '/staff',
          decorator: 'staff',
          database: await databaseUrl(),
          schema: uniqueSchema(),
        })
        await app.register(identityRoutes, { prefix: '/v2/account' })
        app.get('/users-only', { onRequest: requireAuthorization() }, () => [])
        app.get('/staff-only', { onRequest: requireAuthorization({ decorator: 'staff' }) }, () => [])
      },
    },
    async (app) => {
      const document = documentOf(app.app)
      assert.deepEqual(await errorsOf(document), null)
      const ids = Object.values(document.paths)
        .flatMap((path) => Object.values(path))
        .map(({ operationId }) => operationId)
        .filter((id) => id !== undefined)
      assert.equal(new Set(ids).size, ids.length)
      assert.deepEqual(Object.keys(document.components!.securitySchemes!).sort(), [
        'identityBearer',
        'identityCookie',
        'staffBearer',
        'staffCookie',
      ])
      assert.deepEqual(document.paths['/users-only']!.get!.security, [{ identityBearer: [] }, { identityCookie: [] }])
      assert.deepEqual(document.paths['/staff-only']!.get!.security, [{ staffBearer: [] }, { staffCookie: [] }])
      assert.deepEqual(document.paths['/staff/logout']!.post!.security, [{ staffBearer: [] }, { staffCookie: [] }])
    },
  ))

test('a host without @fastify/swagger starts, and so does one that registers it after us', async () => {
  await withApp({ after: guarded }, async (app) => {
    assert.equal((await app.call('GET', '/weatherforecast')).status, 401)
  })
  await withApp(
    {
      after: async (app) => {
        guarded(app)
        await withSwagger('3.1.0')(app)
        app.get('/later', { onRequest: requireAuthorization() }, () => [])
      },
    },
    async (app) => {
      assert.deepEqual(await errorsOf(documentOf(app.app)), null)
      assert.deepEqual(Object.keys(documentOf(app.app).paths), ['/later'])
    },
  )
})

test('a document of a scope with @fastify/swagger of its own does not break at our schemes', async () => {
  let inner: FastifyInstance | undefined
  await withApp(
    {
      after: (app) =>
        app.register(async (scope) => {
          await withSwagger('3.1.0')(scope)
          guarded(scope)
          inner = scope
        }),
    },
    async () => {
      assert.deepEqual(await errorsOf(documentOf(inner!)), null)
      assert.deepEqual(Object.keys(documentOf(inner!).paths), ['/weatherforecast', '/forecasts/{id}', '/open'])
    },
  )
})

test('a document of Swagger 2 shows our routes without breaking', () =>
  withApp(
    {
      before: (app) =>
        app.register(swagger, {
          swagger: {
            info: { title: 'Host', version: '1' },
            consumes: ['application/json'],
            produces: ['application/json'],
          },
        }),
      after: guarded,
    },
    async (app) => {
      const document = app.app.swagger() as unknown as {
        swagger: string
        paths: Record<string, Record<string, { security?: unknown }>>
        securityDefinitions?: Record<string, unknown>
      }
      assert.equal(document.swagger, '2.0')
      assert.ok('/account/login' in document.paths && '/weatherforecast' in document.paths)
      assert.deepEqual(Object.keys(document.securityDefinitions!), ['identityBearer'])
      const security = [{ identityBearer: [] }]
      assert.deepEqual(document.paths['/account/manage/info']!.get!.security, security)
      assert.deepEqual(document.paths['/weatherforecast'].get!.security, security)
      assert.equal(document.paths['/account/login'].post!.security, undefined)
      assert.ok(app.app.swagger({ yaml: true }).startsWith('swagger: "2.0"'))
      assert.equal((await app.call('GET', '/weatherforecast')).status, 401)
    },
  ))

test("what the host hides, tags and transforms is the host's", () =>
  withApp(
    {
      before: withSwagger('3.1.0', {
        hideUntagged: true,
        transform: ({ schema, url }) => ({ schema, url: url.replace('/internal', '') }),
      }),
      after: (app) => {
        app.get('/internal/a', { schema: { tags: ['mine'] }, onRequest: requireAuthorization() }, () => [])
        app.get('/internal/b', { onRequest: requireAuthorization() }, () => [])
        app.get('/internal/c', { schema: { tags: ['mine'], hide: true }, onRequest: requireAuthorization() }, () => [])
      },
    },
    async (app) => {
      const document = documentOf(app.app)
      assert.deepEqual(await errorsOf(document), null)
      assert.deepEqual(
        Object.keys(document.paths).filter((path) => !path.startsWith('/account')),
        ['/a'],
      )
      assert.deepEqual(document.paths['/a']!.get!.security, [{ identityBearer: [] }, { identityCookie: [] }])
    },
  ))

/** Schemas as zod's are: objects with methods that no JSON Schema compiler understands. */
class Shape {
  readonly _def = {}
  readonly '~standard' = { version: 1, vendor: 'shapes' }
  constructor(readonly json: Record<string, unknown>) {}
}

// As a type provider's transform does: it converts its own schemas, and knows no others.
function convertShapes({ schema, url }: { schema: FastifySchema; url: string }) {
  const { response = {}, body, querystring, params, headers, ...rest } = schema
  const convert = (shape: unknown) => {
    if (!(shape instanceof Shape)) throw new Error(`Invalid schema passed: ${JSON.stringify(shape)}`)
    return shape.json
  }
  const all = (shapes: object) =>
    Object.fromEntries(
      Object.entries(shapes)
        .filter(([, shape]) => shape !== undefined)
        .map(([name, shape]) => [name, convert(shape)]),
    )
  const answers = Object.keys(response as object).length === 0 ? {} : { response: all(response as object) }
  return { url, schema: { ...rest, ...all({ body, querystring, params, headers }), ...answers } }
}

test('a host whose schemas are of another library keeps its document, its validation and its answers', () =>
  withApp(
    {
      before: async (app) => {
        app.setValidatorCompiler(({ schema }) => {
          assert.ok(schema instanceof Shape)
          return (value) => ({ value: value as unknown })
        })
        app.setSerializerCompiler(({ schema }) => {
          assert.ok(schema instanceof Shape)
          return (answer) => JSON.stringify(answer)
        })
        await withSwagger('3.1.0', {
          transform: convertShapes as unknown as NonNullable<FastifyDynamicSwaggerOptions['transform']>,
        })(app)
      },
      after: (app) => {
        const onRequest = requireAuthorization()
        const text = new Shape({ type: 'object', properties: { a: { type: 'string' } } })
        app.get('/bare', { onRequest }, () => ({ a: 'b' }))
        app.post('/body', { onRequest, schema: { body: text } }, () => ({ a: 'b' }))
        app.get('/answer', { onRequest, schema: { response: { 200: text } } }, () => ({ a: 'b' }))
        app.post(
          '/both',
          { onRequest, schema: { body: text, querystring: text, response: { 200: text, 404: text }, tags: ['mine'] } },
          () => ({ a: 'b' }),
        )
        app.get('/open', { schema: { response: { 200: text } } }, () => ({ a: 'b' }))
      },
    },
    async (app) => {
      const document = documentOf(app.app)
      assert.deepEqual(await errorsOf(document), null)
      const { accessToken } = await app.signIn()
      for (const [method, path] of [
        ['GET', '/bare'],
        ['POST', '/body'],
        ['GET', '/answer'],
        ['POST', '/both'],
      ] as const) {
        assert.deepEqual(
          document.paths[path]![method.toLowerCase()]!.security,
          [{ identityBearer: [] }, { identityCookie: [] }],
          path,
        )
        assert.equal((await app.call(method, path, method === 'POST' ? { json: {} } : {})).status, 401)
        const answer = await app.call(method, path, { token: accessToken, ...(method === 'POST' ? { json: {} } : {}) })
        assert.deepEqual([answer.status, answer.body], [200, '{"a":"b"}'])
      }
      assert.equal(document.paths['/open']!.get!.security, undefined)
      assert.ok('/account/login' in document.paths)
    },
  ))
