// Customers and staff in one application: another decorator, schema and prefix each. What one realm gives out is
// nothing to the other.
import swagger from '@fastify/swagger'
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import identity, {
  allowAnonymous,
  type Identity,
  type IdentityOptions,
  identityRoutes,
  type Principal,
  requireAuthorization,
} from '../../src/index.js'
import {
  expectChallenge,
  expectTokenRefused,
  expectEmpty,
  goodPassword,
  pairOf,
  startApp,
  type TestApp,
  type Tokens,
} from '../support/app.js'
import { cheapHasher } from '../support/instances.js'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'

declare module 'fastify' {
  interface FastifyInstance {
    staff: Identity
  }
  interface FastifyRequest {
    readonly staff: Principal | null
  }
}

const staffSchema = uniqueSchema()
const secret = 'one root secret for both realms, 32 bytes and more'
let server: TestApp

before(async () => {
  const staff: IdentityOptions = {
    prefix: '/staff',
    decorator: 'staff',
    schema: staffSchema,
    secret,
    database: await databaseUrl(),
    password: { hasher: cheapHasher },
  }
  server = await startApp({
    identity: { secret },
    before: (app) => app.register(swagger, { openapi: { openapi: '3.1.0' } }),
    after: async (app) => {
      await app.register(identity, staff)
      app.get('/shop', { onRequest: requireAuthorization() }, (request) => ({
        customer: request.identity?.userName,
        staff: request.staff?.userName ?? null,
      }))
      app.get('/desk', { onRequest: requireAuthorization({ decorator: 'staff' }) }, (request) => ({
        customer: request.identity?.userName ?? null,
        staff: request.staff?.userName,
      }))
      app.get('/hello', { onRequest: [allowAnonymous(), allowAnonymous({ decorator: 'staff' })] }, (request) => ({
        customer: request.identity?.userName ?? null,
        staff: request.staff?.userName ?? null,
      }))
      app.get(
        '/both',
        { onRequest: [requireAuthorization(), requireAuthorization({ decorator: 'staff' })] },
        () => 'in',
      )
      await app.register(
        (scope, _options, done) => {
          scope.addHook('onRequest', requireAuthorization({ decorator: 'staff' }))
          scope.get('/scope', () => 'in')
          done()
        },
        { prefix: '/desk' },
      )
      await app.register(identityRoutes, { prefix: '/staff/v2', decorator: 'staff' })
    },
  })
})
after(async () => {
  await server.sql(`drop schema if exists ${staffSchema} cascade`)
  await server.close()
})

const person = { email: 'ann@example.com', password: goodPassword }
const post = (path: string, json: object) => server.call('POST', path, { json })

async function tokensOf(prefix: string): Promise<Tokens> {
  await post(`${prefix}/register`, person)
  const answer = await post(`${prefix}/login`, person)
  assert.equal(answer.status, 200, answer.body)
  return answer.json() as Tokens
}

async function cookieOf(prefix: string): Promise<string> {
  await post(`${prefix}/register`, person)
  return pairOf((await post(`${prefix}/login?useCookies=true`, person)).setCookies[0]!)
}

test('a person of one realm is unknown in the other', async () => {
  expectEmpty(await post('/account/register', { email: 'only@example.com', password: goodPassword }), 200)
  assert.equal((await post('/staff/login', { email: 'only@example.com', password: goodPassword })).status, 401)
  assert.notEqual(await server.app.identity.users.findByName('only@example.com'), null)
  assert.equal(await server.app.staff.users.findByName('only@example.com'), null)
  expectEmpty(await post('/staff/register', { email: 'only@example.com', password: goodPassword }), 200)
})

test('the token of one realm is let in there and challenged in the other', async () => {
  const [customer, staff] = [await tokensOf('/account'), await tokensOf('/staff')]
  const ask = (path: string, { accessToken }: Tokens) => server.call('GET', path, { token: accessToken })
  assert.deepEqual((await ask('/shop', customer)).json(), { customer: 'ann@example.com', staff: null })
  assert.deepEqual((await ask('/desk', staff)).json(), { customer: null, staff: 'ann@example.com' })
  for (const [path, tokens] of [
    ['/shop', staff],
    ['/desk', customer],
    ['/desk/scope', customer],
    ['/both', customer],
    ['/both', staff],
  ] as const) {
    assert.equal((await ask(path, tokens)).status, 401, path)
  }
  for (const [path, tokens] of [
    ['/account/manage/info', staff],
    ['/staff/manage/info', customer],
    ['/staff/v2/manage/info', customer],
  ] as const) {
    expectTokenRefused(await ask(path, tokens))
  }
  assert.equal((await ask('/desk/scope', staff)).status, 200)
  assert.equal((await ask('/staff/v2/manage/info', staff)).status, 200)
})

test('the refresh token of one realm refreshes nothing in the other', async () => {
  const [customer, staff] = [await tokensOf('/account'), await tokensOf('/staff')]
  expectChallenge(await post('/staff/refresh', { refreshToken: customer.refreshToken }))
  expectChallenge(await post('/account/refresh', { refreshToken: staff.refreshToken }))
  assert.equal((await post('/staff/refresh', { refreshToken: staff.refreshToken })).status, 200)
})

test('a browser keeps a cookie of each realm, and each is asked for its own only', async () => {
  const [customer, staff] = [await cookieOf('/account'), await cookieOf('/staff')]
  assert.match(customer, /^identity=/)
  assert.match(staff, /^staff=/)
  const hello = async (cookie: string) => (await server.call('GET', '/hello', { cookie })).json()
  assert.deepEqual(await hello(customer), { customer: 'ann@example.com', staff: null })
  assert.deepEqual(await hello(staff), { customer: null, staff: 'ann@example.com' })
  assert.deepEqual(await hello(`${customer}; ${staff}`), { customer: 'ann@example.com', staff: 'ann@example.com' })
  assert.equal((await server.call('GET', '/both', { cookie: `${customer}; ${staff}` })).body, 'in')
  // The same value under the other's name.
  assert.deepEqual(await hello(customer.replace(/^identity=/, 'staff=')), { customer: null, staff: null })
})

test('logging out of one realm leaves the other', async () => {
  const cookie = `${await cookieOf('/account')}; ${await cookieOf('/staff')}`
  const answer = await server.call('POST', '/staff/logout', { cookie })
  assert.equal(answer.status, 200)
  assert.deepEqual(
    answer.setCookies.map((line) => line.split('=')[0]),
    ['staff'],
  )
  assert.deepEqual((await server.call('GET', '/hello', { cookie })).json(), {
    customer: 'ann@example.com',
    staff: null,
  })
})

test('a code of one realm confirms and resets nothing in the other', async () => {
  await tokensOf('/account')
  await tokensOf('/staff')
  const { identity: customers, staff } = server.app
  const [customer, clerk] = [
    (await customers.users.findByName(person.email))!,
    (await staff.users.findByName(person.email))!,
  ]
  const refused = { succeeded: false, errors: [{ code: 'InvalidToken', description: 'Invalid token.' }] }
  assert.deepEqual(
    await staff.users.confirmEmail(clerk, customers.users.generateEmailConfirmationToken(customer)),
    refused,
  )
  assert.deepEqual(
    await customers.users.resetPassword(customer, staff.users.generatePasswordResetToken(clerk), 'Other-Horse-7'),
    refused,
  )
  // Not even for a user of the same id.
  assert.deepEqual(
    await staff.users.confirmEmail(clerk, customers.users.generateEmailConfirmationToken(clerk)),
    refused,
  )
})

test('the document shows each route under the realm that guards it', () => {
  const { paths, components } = server.app.swagger() as unknown as {
    paths: Record<string, { get?: { security?: object[] }; post?: { operationId?: string } }>
    components: { securitySchemes: object }
  }
  assert.deepEqual(Object.keys(components.securitySchemes), [
    'staffBearer',
    'staffCookie',
    'identityBearer',
    'identityCookie',
  ])
  const staff = [{ staffBearer: [] }, { staffCookie: [] }]
  const customer = [{ identityBearer: [] }, { identityCookie: [] }]
  assert.deepEqual(paths['/shop']!.get!.security, customer)
  assert.deepEqual(paths['/desk']!.get!.security, staff)
  assert.deepEqual(paths['/desk/scope']!.get!.security, staff)
  assert.deepEqual(paths['/hello']!.get!.security, undefined)
  assert.equal(paths['/staff/login']!.post!.operationId, 'staffLogin')
  assert.equal(paths['/account/login']!.post!.operationId, 'identityLogin')
})

test('a second realm of the same name is refused', async () => {
  const database = await databaseUrl()
  await assert.rejects(
    startApp({ after: (app) => app.register(identity, { database, schema: uniqueSchema(), prefix: '/second' }) }),
    { code: 'FST_IDENTITY_ALREADY_REGISTERED' },
  )
})
