// Login routes of a host's own: what they hand out is what /login hands out.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import identity, { allowAnonymous, type Identity, requireAuthorization, type SignedIn } from '../../src/index.js'
import { type Answer, type AppOptions, headersOf, pairOf, type Tokens, withApp } from '../support/app.js'
import { uniqueSchema } from '../support/postgres.js'

declare module 'fastify' {
  interface FastifyInstance {
    staff: Identity
  }
}

async function signedIn({ users, signIn }: Identity, userName = 'ada@example.com'): Promise<SignedIn> {
  const known = await users.findByName(userName)
  const created = known === null ? await users.create({ userName, email: userName }) : null
  const user = created?.succeeded === true ? created.user : known
  assert.ok(user)
  const result = await signIn.signIn(user, { amr: ['example'] })
  assert.ok(result.succeeded)
  return result.signedIn
}

/** Routes that sign somebody in on the host's word alone, and a guarded one. */
function host(app: FastifyInstance): void {
  app.get<{ Reply: Tokens }>('/tokens', { onRequest: allowAnonymous() }, async (_request, reply) =>
    app.identity.signIn.sendTokens(reply, await signedIn(app.identity)),
  )
  app.get<{ Querystring: { keep?: string } }>('/cookie', async (request, reply) => {
    app.identity.signIn.setCookie(reply, await signedIn(app.identity), { isPersistent: request.query.keep === 'yes' })
    return reply.redirect('/me')
  })
  app.get('/me', { onRequest: requireAuthorization() }, ({ identity: principal }) => ({
    name: principal!.userName,
    amr: principal!.amr,
    claims: principal!.claims,
  }))
}

const options: AppOptions = { after: host, identity: { claims: () => [{ type: 'tier', value: 'gold' }] } }

function form(answer: Answer): unknown {
  const mask = (text: string) => text.replace(/[A-Za-z0-9_-]{100,}/g, 'TOKEN').replace(/\b\d{3,}\b/g, 'NUMBER')
  return { status: answer.status, headers: mask(JSON.stringify(headersOf(answer))), body: mask(answer.body) }
}

test('sendTokens answers as /login does, with tokens that let in and can be refreshed', async () => {
  await withApp(options, async (started) => {
    const person = await started.register({ email: 'bob@example.com' })
    const answer = await started.call('GET', '/tokens')
    assert.deepEqual(form(answer), form(await started.call('POST', '/account/login', { json: person })))
    const { accessToken, refreshToken } = answer.json() as Tokens
    const me = (await started.call('GET', '/me', { token: accessToken })).json() as {
      name: string
      amr: string[]
      claims: { type: string }[]
    }
    assert.deepEqual([me.name, me.amr], ['ada@example.com', ['example']])
    assert.ok(me.claims.some(({ type }) => type === 'tier'))
    assert.equal((await started.call('POST', '/account/refresh', { json: { refreshToken } })).status, 200)
  })
})

test('sendTokens names its members as option jsonNaming says', async () => {
  await withApp({ after: host, identity: { jsonNaming: 'snake_case' } }, async (started) => {
    assert.deepEqual(Object.keys((await started.call('GET', '/tokens')).json() as object), [
      'token_type',
      'access_token',
      'expires_in',
      'refresh_token',
    ])
  })
})

for (const [keep, mode] of [
  ['yes', 'useCookies'],
  ['no', 'useSessionCookies'],
] as const) {
  test(`setCookie sets the cookie of ${mode}=true, and the route goes on with its own answer`, async () => {
    await withApp(options, async (started) => {
      const person = await started.register({ email: 'bob@example.com' })
      const answer = await started.call('GET', `/cookie?keep=${keep}`)
      assert.deepEqual([answer.status, answer.headers.location], [302, '/me'])
      const login = await started.call('POST', `/account/login?${mode}=true`, { json: person })
      const attributes = (line: string) => line.slice(line.indexOf(';'))
      assert.deepEqual(answer.setCookies.map(attributes), login.setCookies.map(attributes))
      assert.equal((await started.call('GET', '/me', { cookie: pairOf(answer.setCookies[0]!) })).status, 200)
    })
  })
}

test('with cookies: false setCookie says so, and sendTokens works', async () => {
  await withApp({ after: host, identity: { cookies: false } }, async (started) => {
    const cookie = await started.call('GET', '/cookie')
    assert.deepEqual(
      [cookie.status, (cookie.json() as { code: string }).code, cookie.setCookies],
      [500, 'FST_IDENTITY_COOKIES_OFF', []],
    )
    assert.equal((await started.call('GET', '/tokens')).status, 200)
    assert.equal(
      (await started.app.identity.sessions.list((await started.app.identity.users.findByName('ada@example.com'))!.id))
        .length,
      2,
    )
  })
})

test('a sign-in of one realm is handed out by that realm only', async () => {
  const after = async (app: FastifyInstance) => {
    host(app)
    await app.register(identity, { prefix: '/staff', decorator: 'staff', schema: uniqueSchema() })
    app.get('/staff-tokens', async (_request, reply) =>
      app.staff.signIn.sendTokens(reply, await signedIn(app.staff, 'eve@example.com')),
    )
    app.get('/crossed-tokens', async (_request, reply) =>
      app.staff.signIn.sendTokens(reply, await signedIn(app.identity)),
    )
    app.get('/crossed-cookie', async (_request, reply) =>
      app.staff.signIn.setCookie(reply, await signedIn(app.identity)),
    )
    app.get('/copied', async (_request, reply) =>
      app.identity.signIn.sendTokens(reply, { ...(await signedIn(app.identity)), roles: ['admin'] }),
    )
    app.get('/staff-only', { onRequest: requireAuthorization({ decorator: 'staff' }) }, () => ({ ok: true }))
  }
  await withApp({ after }, async (started) => {
    const { accessToken } = (await started.call('GET', '/staff-tokens')).json() as Tokens
    assert.equal((await started.call('GET', '/staff-only', { token: accessToken })).status, 200)
    assert.equal((await started.call('GET', '/me', { token: accessToken })).status, 401)
    for (const url of ['/crossed-tokens', '/crossed-cookie', '/copied']) {
      const answer = await started.call('GET', url)
      assert.deepEqual([answer.status, answer.setCookies], [500, []])
      assert.match(answer.body, /This is no sign-in of the realm/)
    }
  })
})

test('a sign-in is handed out for one minute, so that no ticket is made of a session whose end was forgotten', async () => {
  let kept: SignedIn | null = null
  const after = (app: FastifyInstance) => {
    app.get('/kept', (_request, reply) => app.identity.signIn.sendTokens(reply, kept!))
  }
  await withApp({ after }, async (started) => {
    kept = await signedIn(started.app.identity)
    started.clock.advance(60)
    assert.equal((await started.call('GET', '/kept')).status, 200)
    started.clock.advance(0.001)
    const late = await started.call('GET', '/kept')
    assert.equal(late.status, 500)
    assert.match(late.body, /more than a minute old/)
  })
})
