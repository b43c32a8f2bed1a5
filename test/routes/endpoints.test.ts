// Option endpoints: what is switched off is not there, and nothing else changes.
import swagger from '@fastify/swagger'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EndpointDeclaration } from '../../src/routes/endpoint.js'
import { endpointOptions, endpoints } from '../../src/routes/endpoints.js'
import { type IdentityOptions, identityRoutes, type Operation } from '../../src/index.js'
import { type AppOptions, expectEmpty, startApp, withApp } from '../support/app.js'

const declared: readonly EndpointDeclaration[] = endpoints
const operations = Object.keys(endpointOptions.properties) as Operation[] // the names of the type's members
const routesOf = (operation: Operation): [string, string][] =>
  declared
    .filter((endpoint) => operation in endpoint.switch)
    .map(({ method, path }) => [method, path.replace(':id', 'x')])

test('every endpoint has a name and exactly one switch, and every switch an endpoint', () => {
  const names = declared.map(({ name }) => name)
  assert.deepEqual([...new Set(names)], names)
  assert.deepEqual(
    declared.filter((endpoint) => Object.keys(endpoint.switch).length !== 1).map(({ name }) => name),
    [],
  )
  assert.deepEqual(
    operations.filter((operation) => routesOf(operation).length === 0),
    [],
  )
})

const withSwagger: Pick<AppOptions, 'before'> = {
  before: (app) => app.register(swagger, { openapi: { openapi: '3.1.0' } }),
}

for (const off of operations) {
  test(`without ${off} its paths are 404, and every other one is there`, () =>
    withApp({ ...withSwagger, identity: { endpoints: { [off]: false } } }, async (app) => {
      for (const operation of operations) {
        for (const [method, path] of routesOf(operation)) {
          const answer = await app.call(method, `/account${path}`)
          if (operation === off) expectEmpty(answer, 404)
          else assert.notEqual(answer.status, 404, path)
        }
      }
      const { paths } = app.app.swagger() as unknown as { paths: object }
      const gone = routesOf(off).map(([, path]) => `/account${path.replace('/x', '/{id}')}`)
      assert.deepEqual(
        gone.filter((path) => path in paths),
        [],
      )
      assert.equal(Object.keys(paths).length, new Set(declared.map(({ path }) => path)).size - new Set(gone).size)
    }))
}

test('with everything off the managers are there and no path of ours', () =>
  withApp(
    {
      identity: { endpoints: Object.fromEntries(operations.map((name) => [name, false])) },
    },
    async (app) => {
      for (const [method, path] of operations.flatMap(routesOf))
        assert.equal((await app.call(method, `/account${path}`)).status, 404)
      assert.ok((await app.app.identity.users.create({ userName: 'ann@example.com' })).succeeded)
    },
  ))

test('each prefix switches its own', () =>
  withApp(
    {
      identity: { endpoints: { register: false } },
      after: (app) => app.register(identityRoutes, { prefix: '/admin', endpoints: { register: true, login: false } }),
    },
    async (app) => {
      const json = { email: 'ann@example.com', password: 'Correct-Horse-7' }
      expectEmpty(await app.call('POST', '/account/register', { json }), 404)
      expectEmpty(await app.call('POST', '/admin/register', { json }), 200)
      expectEmpty(await app.call('POST', '/admin/login', { json }), 404)
      assert.equal((await app.call('POST', '/account/login', { json })).status, 200)
    },
  ))

const refused = (options: AppOptions, message: RegExp) =>
  assert.rejects(async () => (await startApp(options)).close(), { code: 'FST_IDENTITY_INVALID_OPTION', message })

test('a misspelled endpoint is refused, under each prefix', async () => {
  await refused(
    { identity: { endpoints: { regiser: false } as IdentityOptions['endpoints'] } as IdentityOptions },
    /^Option 'endpoints\.regiser' is unknown/,
  )
  await refused(
    { after: (app) => app.register(identityRoutes, { prefix: '/v2', endpoints: { regiser: false } as object }) },
    /^Option 'endpoints\.regiser' is unknown/,
  )
  await refused(
    { after: (app) => app.register(identityRoutes, { prefix: '/v2', endpoints: { register: 'no' } as object }) },
    /^Option 'endpoints\.register' is wrong/,
  )
})

test('mails that would point to an endpoint that is off are refused, unless links name a page', async () => {
  const mail = { publicUrl: 'https://a.example', email: { send: () => Promise.resolve() } }
  const message = /^Option 'endpoints\.confirmEmail' is off, where mailed links point to/
  await refused({ identity: { ...mail, endpoints: { confirmEmail: false } } }, message)
  await refused(
    {
      identity: mail,
      after: (app) => app.register(identityRoutes, { prefix: '/v2', endpoints: { confirmEmail: false } }),
    },
    message,
  )
  const quiet = { confirmEmail: false, register: false, resendConfirmationEmail: false, info: false }
  for (const identity of [
    { endpoints: { confirmEmail: false } },
    { ...mail, endpoints: quiet },
    { ...mail, endpoints: { confirmEmail: false }, links: { confirmEmail: 'https://spa.example/confirm' } },
  ])
    await (await startApp({ identity })).close()
})
