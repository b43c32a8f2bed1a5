// signIn.refreshSignIn and validateSecurityStamp, on routes of a host: for the cookie and for a bearer.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { allowAnonymous, requireAuthorization } from '../../src/index.js'
import { type AppOptions, pairOf, type TestApp, type Tokens, withApp } from '../support/app.js'

function host(app: FastifyInstance): void {
  const { signIn } = app.identity
  const renew = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const answer = await signIn.refreshSignIn(request, reply)
    return answer === null ? { isRenewed: true } : answer
  }
  app.post('/renew', { onRequest: requireAuthorization() }, renew)
  app.post('/renew-open', { onRequest: allowAnonymous() }, renew)
  app.post('/renew-bare', renew)
  app.post('/renew-alone', (request, reply) => signIn.refreshSignIn(request, reply))
  app.get('/me', { onRequest: requireAuthorization() }, ({ identity }) => ({
    roles: identity!.roles,
    sessionId: identity!.sessionId,
    own: identity!.sessionClaims,
  }))
  app.get('/stamp', { onRequest: allowAnonymous() }, async ({ identity }) => ({
    userName: (await signIn.validateSecurityStamp(identity))?.userName ?? null,
  }))
}

const options: AppOptions = { after: host }
const routes = ['/renew', '/renew-open', '/renew-bare']

async function userOf({ app }: TestApp, name: string) {
  const user = await app.identity.users.findByName(name)
  assert.ok(user)
  return user
}

async function giveRole(app: TestApp, name: string): Promise<void> {
  const { roles, users } = app.app.identity
  await roles.create({ name: 'clerk' })
  assert.ok((await users.addToRole(await userOf(app, name), 'clerk')).succeeded)
}

test('a bearer gets a pair of the same session with the roles of now, and its refresh token goes on', async () => {
  await withApp(options, async (app) => {
    const { email, accessToken, refreshToken } = await app.signIn()
    await giveRole(app, email)
    const answer = await app.call('POST', '/renew', { token: accessToken })
    assert.deepEqual([answer.status, answer.headers['cache-control']], [200, 'no-store'])
    const pair = answer.json() as Tokens
    assert.deepEqual(Object.keys(pair), ['tokenType', 'accessToken', 'expiresIn', 'refreshToken'])
    const me = async (token: string) =>
      (await app.call('GET', '/me', { token })).json() as { roles: string[]; sessionId: string }
    assert.deepEqual(await me(pair.accessToken), await me(accessToken))
    assert.deepEqual((await me(pair.accessToken)).roles, ['clerk'])
    assert.notEqual(pair.refreshToken, refreshToken)
    const next = await app.call('POST', '/account/refresh', { json: { refreshToken: pair.refreshToken } })
    assert.equal(next.status, 200)
    // No rotation: the new refresh token has the place of the old one.
    assert.equal((await app.app.identity.sessions.list((await userOf(app, email)).id)).length, 1)
  })
})

test('renewing twice, or an access token of before a refresh, uses up nothing', async () => {
  await withApp(options, async (app) => {
    const { accessToken, refreshToken } = await app.signIn()
    for (let i = 0; i < 3; i++) assert.equal((await app.call('POST', '/renew', { token: accessToken })).status, 200)
    assert.equal((await app.call('POST', '/account/refresh', { json: { refreshToken } })).status, 200)
    app.clock.advance(120)
    const { refreshToken: now } = (await app.call('POST', '/renew', { token: accessToken })).json() as Tokens
    assert.equal((await app.call('POST', '/account/refresh', { json: { refreshToken: now } })).status, 200)
  })
})

for (const mode of ['useCookies', 'useSessionCookies'] as const) {
  test(`the cookie of ${mode} is renewed as it is, and the route sends its own answer`, async () => {
    await withApp(options, async (app) => {
      const { email, cookie } = await app.signInWithCookie(undefined, mode)
      await giveRole(app, email)
      app.clock.advance(60)
      for (const url of routes) {
        const answer = await app.call('POST', url, { cookie })
        assert.deepEqual([answer.status, answer.body, answer.setCookies.length], [200, '{"isRenewed":true}', 1])
        assert.equal(/Max-Age=1209600;/.test(answer.setCookies[0]!), mode === 'useCookies')
        const me = await app.call('GET', '/me', { cookie: pairOf(answer.setCookies[0]!) })
        assert.deepEqual((me.json() as { roles: string[] }).roles, ['clerk'])
      }
    })
  })
}

test('a route may do nothing else', async () => {
  await withApp(options, async (app) => {
    const { accessToken } = await app.signIn()
    const { cookie } = await app.signInWithCookie()
    const [bearer, browser, stranger] = [
      await app.call('POST', '/renew-alone', { token: accessToken }),
      await app.call('POST', '/renew-alone', { cookie }),
      await app.call('POST', '/renew-alone'),
    ]
    assert.deepEqual([bearer.status, browser.status, stranger.status], [200, 200, 401])
    assert.deepEqual([(bearer.json() as Tokens).tokenType, browser.setCookies.length], ['Bearer', 1])
    assert.deepEqual(
      app.logLines.filter((line) => /ALREADY_SENT|NOT_FULFILLED/.test(line)),
      [],
    )
  })
})

test('claims of the session survive', async () => {
  const after = (app: FastifyInstance) => {
    host(app)
    app.post<{ Body: { name: string } }>('/enter', { onRequest: allowAnonymous() }, async (request, reply) => {
      const user = await app.identity.users.findByName(request.body.name)
      const result = await app.identity.signIn.signIn(user!, { claims: [{ type: 'tenant', value: '7' }] })
      assert.ok(result.succeeded)
      return app.identity.signIn.sendTokens(reply, result.signedIn)
    })
  }
  await withApp({ after }, async (app) => {
    const { email } = await app.register()
    const { accessToken } = (await app.call('POST', '/enter', { json: { name: email } })).json() as Tokens
    const renewed = (await app.call('POST', '/renew', { token: accessToken })).json() as Tokens
    const me = (await app.call('GET', '/me', { token: renewed.accessToken })).json() as { own: unknown }
    assert.deepEqual(me.own, [{ type: 'tenant', value: '7' }])
  })
})

test('without a sign-in, and after its end, the answer is 401', async () => {
  await withApp(options, async (app) => {
    for (const url of routes) assert.equal((await app.call('POST', url)).status, 401)
    const { accessToken } = await app.signIn()
    const { cookie } = await app.signInWithCookie()
    assert.equal((await app.call('POST', '/account/logout', { token: accessToken, json: {} })).status, 200)
    assert.equal((await app.call('POST', '/account/logout', { cookie, json: {} })).status, 200)
    for (const url of routes) {
      assert.equal((await app.call('POST', url, { token: accessToken })).status, 401)
      assert.equal((await app.call('POST', url, { cookie })).status, 401)
    }
  })
})

test('a session whose row is gone, and one whose stamp SQL has changed, are not renewed', async () => {
  await withApp(options, async (app) => {
    const [first, second] = [await app.signIn(), await app.signInWithCookie()]
    await app.sql('delete from sessions where user_id = (select id from users where user_name = $1)', [first.email])
    assert.equal((await app.call('POST', '/renew', { token: first.accessToken })).status, 401)
    await app.sql("update users set security_stamp = 'changed' where user_name = $1", [second.email])
    const answer = await app.call('POST', '/renew', { cookie: second.cookie })
    assert.equal(answer.status, 401)
    assert.match(answer.setCookies[0]!, /^identity=; Max-Age=0/)
  })
})

test('a foreign site cannot renew the cookie, on any of the routes', async () => {
  await withApp(options, async (app) => {
    const { cookie } = await app.signInWithCookie()
    for (const url of routes) {
      const answer = await app.call('POST', url, { cookie, headers: { origin: 'https://evil.example' } })
      assert.deepEqual([answer.status, answer.setCookies], [403, []])
    }
  })
})

test('hook signingIn is asked as for a refresh, and a refusal ends nothing', async () => {
  let isSuspended = false
  const hooks = {
    signingIn: ({ method }: { method: string }) => (isSuspended && method === 'refresh' ? 'suspended' : undefined),
  }
  await withApp({ after: host, identity: { hooks } }, async (app) => {
    const { accessToken, email } = await app.signIn()
    isSuspended = true
    assert.equal((await app.call('POST', '/renew', { token: accessToken })).status, 401)
    assert.deepEqual((await app.call('GET', '/stamp', { token: accessToken })).json(), { userName: email })
    isSuspended = false
    assert.equal((await app.call('POST', '/renew', { token: accessToken })).status, 200)
  })
})

test('validateSecurityStamp finds the user of a sign-in that holds, and nobody otherwise', async () => {
  await withApp(options, async (app) => {
    const { accessToken, email } = await app.signIn()
    const { cookie } = await app.signInWithCookie()
    const name = async (call: { token?: string; cookie?: string }) =>
      ((await app.call('GET', '/stamp', call)).json() as { userName: string | null }).userName
    assert.equal(await name({}), null)
    assert.equal(await name({ token: accessToken }), email)
    assert.notEqual(await name({ cookie }), null)
    await app.sql("update users set security_stamp = 'changed' where user_name = $1", [email])
    assert.equal(await name({ token: accessToken }), null)
    assert.equal((await app.call('GET', '/me', { token: accessToken })).status, 401)
    const { signIn } = app.app.identity
    assert.equal(await signIn.validateSecurityStamp(null), null)
    assert.equal(await signIn.validateSecurityStamp({ userId: 'x' } as never), null) // what a JavaScript host may pass
  })
})
