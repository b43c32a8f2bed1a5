import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import identity, { type Principal, requireAuthorization } from '../../src/index.js'
import { signInAs } from '../../src/testing/index.js'
import { type AppOptions, goodPassword, withApp } from '../support/app.js'
import { uniqueSchema } from '../support/postgres.js'

function host(app: FastifyInstance): void {
  const shown = ({ userName, email, roles, amr, scheme }: Principal) => ({ userName, email, roles, amr, scheme })
  app.get('/me', { onRequest: requireAuthorization() }, (request) => shown(request.identity!))
  app.post('/me', { onRequest: requireAuthorization() }, (request) => shown(request.identity!))
  app.get(
    '/orders',
    { onRequest: requireAuthorization({ roles: ['clerk'], claims: { department: 'sales' } }) },
    () => 'orders',
  )
  app.get('/safe', { onRequest: requireAuthorization({ amr: ['mfa'] }) }, () => 'safe')
}

// A hasher that fails when a password is hashed.
const refuse = () => Promise.reject(new Error('A password was hashed'))
const never = { hash: refuse, verify: refuse }
const options: AppOptions = { after: host, identity: { password: { hasher: never } } }

test('a user signed in by token or cookie passes guards, without a hash; a missing user is created', async () => {
  await withApp(options, async ({ app }) => {
    for (const scheme of ['bearer', 'cookie'] as const) {
      const headers =
        scheme === 'bearer'
          ? await signInAs(app, { email: 'ada@example.com' })
          : await signInAs(app, { email: 'ada@example.com' }, { scheme })
      assert.deepEqual(Object.keys(headers), [scheme === 'bearer' ? 'authorization' : 'cookie'])
      for (const method of ['GET', 'POST'] as const) {
        const answer = await app.inject({ method, url: '/me', headers })
        assert.deepEqual(answer.json(), {
          userName: 'ada@example.com',
          email: 'ada@example.com',
          roles: [],
          amr: ['pwd'],
          scheme,
        })
      }
    }
    assert.equal((await app.identity.users.list()).users.length, 1)
  })
})

test('missing roles and claims are made, once however often they are asked for', async () => {
  await withApp(options, async ({ app }) => {
    const clerk = { userName: 'ada', roles: ['clerk'], claims: [{ type: 'department', value: 'sales' }] }
    assert.equal(
      (await app.inject({ url: '/orders', headers: await signInAs(app, { userName: 'ada' }) })).statusCode,
      403,
    )
    for (let time = 0; time < 2; time++)
      assert.equal((await app.inject({ url: '/orders', headers: await signInAs(app, clerk) })).statusCode, 200)
    const ada = (await app.identity.users.findByName('ada'))!
    assert.deepEqual(
      [await app.identity.users.getRoles(ada), await app.identity.users.getClaims(ada)],
      [['clerk'], clerk.claims],
    )
  })
})

test('amr is how the user has signed in', async () => {
  await withApp(options, async ({ app }) => {
    assert.equal((await app.inject({ url: '/safe', headers: await signInAs(app, {}) })).statusCode, 403)
    assert.equal(
      (await app.inject({ url: '/safe', headers: await signInAs(app, {}, { amr: ['mfa'] }) })).statusCode,
      200,
    )
    assert.equal((await app.identity.users.list()).users.length, 2)
  })
})

test("a user object of the test's own is signed in as stored now; a deleted user is not created anew", async () => {
  await withApp({ after: host, identity: { signIn: { requireConfirmedEmail: true } } }, async ({ app }) => {
    const created = await app.identity.users.create({ userName: 'ada', email: 'ada@example.com' }, goodPassword)
    assert.ok(created.succeeded)
    const { user } = created
    await assert.rejects(signInAs(app, user), /ada may not sign in: NotAllowed/)
    const stale = { ...user }
    await app.identity.users.confirmEmail(user, app.identity.users.generateEmailConfirmationToken(user))
    assert.equal((await app.inject({ url: '/me', headers: await signInAs(app, stale) })).statusCode, 200)
    await app.identity.users.delete(user)
    await assert.rejects(signInAs(app, user), /There is no user/)
  })
})

test('the session is a real one: it can be ended', async () => {
  await withApp(options, async ({ app }) => {
    const headers = await signInAs(app, { email: 'ada@example.com' })
    await app.identity.sessions.revokeAll((await app.identity.users.findByName('ada@example.com'))!.id)
    assert.equal((await app.inject({ url: '/me', headers })).statusCode, 401)
  })
})

test('users of tests that run at once are created once', async () => {
  await withApp(options, async ({ app }) => {
    const all = await Promise.all(
      Array.from({ length: 8 }, () => signInAs(app, { email: 'ada@example.com', roles: ['clerk'] })),
    )
    for (const headers of all)
      assert.deepEqual((await app.inject({ url: '/me', headers })).json<{ roles: string[] }>().roles, ['clerk'])
    assert.equal((await app.identity.users.list()).users.length, 1)
    await assert.rejects(signInAs(app, { claims: [{ type: '', value: 'x' }] }), /was not changed: DefaultError/)
  })
})

test('the cookie has the name that this realm reads, over https too', async () => {
  await withApp({ after: host, identity: { publicUrl: 'https://id.example.com' } }, async ({ app }) => {
    const headers = await signInAs(app, {}, { scheme: 'cookie' })
    assert.match(headers.cookie, /^__Host-identity=/)
    assert.equal((await app.inject({ url: '/me', headers })).statusCode, 200)
  })
})

test('without cookies no cookie is made, and without the realm there is an error', async () => {
  await withApp({ after: host, identity: { cookies: false } }, async ({ app }) => {
    await assert.rejects(signInAs(app, {}, { scheme: 'cookie' }), { code: 'FST_IDENTITY_COOKIES_OFF' })
    await assert.rejects(signInAs(app, {}, { decorator: 'staff' }), /No realm 'staff' is registered in this scope/)
  })
  const bare = Fastify()
  await assert.rejects(signInAs(bare, {}), /No realm 'identity'/)
  await bare.close()
})

test('another realm is signed in to by its decorator', async () => {
  const after = async (app: FastifyInstance) => {
    host(app)
    await app.register(identity, { prefix: '/staff', decorator: 'staff', schema: uniqueSchema() })
    app.get('/desk', { onRequest: requireAuthorization({ decorator: 'staff' }) }, () => 'desk')
  }
  await withApp({ after }, async ({ app }) => {
    const headers = await signInAs(app, { email: 'eve@example.com' }, { decorator: 'staff' })
    assert.equal((await app.inject({ url: '/desk', headers })).statusCode, 200)
    assert.equal((await app.inject({ url: '/me', headers })).statusCode, 401)
  })
})
