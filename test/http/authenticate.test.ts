// Who is calling: bearer header or cookie, and how long either is believed.
import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { type Principal, requireAuthorization } from '../../src/index.js'
import { findRealm } from '../../src/http/realm.js'
import { openTicket, sealTicket } from '../../src/tokens/ticket.js'
import {
  type Answer,
  expectChallenge,
  headersOf,
  pairOf,
  startApp,
  type TestApp,
  type Tokens,
  withApp,
} from '../support/app.js'
import { speak } from '../support/raw-http.js'
import { byteFlips, respellings, truncations } from '../support/tampering.js'

const routes = (app: FastifyInstance) => {
  app.get('/me', { onRequest: requireAuthorization() }, (request) => seen(request.identity))
  app.all('/who', (request) => seen(request.identity))
}

function seen(identity: Principal | null) {
  return identity === null
    ? { scheme: null }
    : { name: identity.userName, scheme: identity.scheme, roles: identity.roles, claims: identity.claims }
}

interface Seen {
  readonly name?: string
  readonly scheme: 'bearer' | 'cookie' | null
  readonly roles?: readonly string[]
  readonly claims?: readonly { type: string; value: string }[]
}

let server: TestApp

before(async () => {
  server = await startApp({ after: routes })
})
after(() => server.close())

const me = (options: Parameters<TestApp['call']>[2], to: TestApp = server) => to.call('GET', '/me', options)

function seenBy(answer: Answer): Seen {
  assert.equal(answer.status, 200, answer.body)
  return answer.json() as Seen
}

// On a host's route, where no header is ours but the challenge.
function expectNobody(answer: Answer, challenge = 'Bearer'): void {
  assert.deepEqual(
    { status: answer.status, body: answer.body, headers: headersOf(answer) },
    {
      status: 401,
      body: '',
      headers: { 'www-authenticate': challenge, 'content-length': '0' },
    },
  )
}

const expectNoToken = (answer: Answer) => expectNobody(answer, 'Bearer error="invalid_token"')

const valueOf = (cookie: string) => cookie.slice(cookie.indexOf('=') + 1)

test('a bearer token decides before a cookie', async () => {
  const ann = await server.signIn()
  const bob = await server.signInWithCookie()
  const { name, scheme } = seenBy(await me({ token: ann.accessToken, cookie: bob.cookie }))
  assert.deepEqual([name, scheme], [ann.email, 'bearer'])
})

test('a bad bearer token is not rescued by a good cookie', async () => {
  const { cookie, email } = await server.signInWithCookie()
  assert.equal(seenBy(await me({ cookie })).name, email)
  for (const header of [
    'Bearer nonsense',
    'Bearer  ',
    'Bearer ',
    'bearer x',
    'Bearer null',
    'Bearer undefined',
    `Bearer ${'A'.repeat(300)}`,
    `Bearer ${valueOf(cookie)}`,
    'Bearer \t',
  ]) {
    expectNoToken(await me({ cookie, headers: { authorization: header } }))
  }
})

test('without a bearer token the cookie is asked, also behind another scheme', async () => {
  const { cookie, email } = await server.signInWithCookie()
  for (const header of [
    'Bearer',
    'bearer',
    'Basic YTpi',
    'Bearerx y',
    'BearerToken',
    'Token x',
    'Digest a=b',
    '',
    ' ',
    'Bearer\tx',
    'Bearer,x',
  ]) {
    assert.deepEqual([seenBy(await me({ cookie, headers: { authorization: header } })).name, header], [email, header])
  }
})

test('the scheme is read in any letter case, the token in its own only', async () => {
  const { accessToken } = await server.signIn()
  for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR']) {
    assert.equal(seenBy(await me({ headers: { authorization: `${scheme} ${accessToken}` } })).scheme, 'bearer')
  }
  // As in the reference, whose decoder skips blanks.
  for (const text of [
    `  ${accessToken}`,
    ` ${accessToken} `,
    `\t${accessToken}\t`,
    ` ${accessToken.slice(0, 40)} ${accessToken.slice(40)}`,
  ])
    assert.equal(seenBy(await me({ headers: { authorization: `Bearer ${text}` } })).scheme, 'bearer', text)
  for (const header of [
    ` Bearer ${accessToken}`,
    `Bearer "${accessToken}"`,
    `Bearer ${accessToken},x`,
    `Bearer ${accessToken.toUpperCase()}`,
    `Bearer Bearer ${accessToken}`,
    accessToken,
  ]) {
    const expectRefused = header.startsWith('Bearer ') ? expectNoToken : expectNobody
    expectRefused(await me({ headers: { authorization: header } }))
  }
})

test('no byte of a token can be changed, dropped or spelled otherwise', async () => {
  const { accessToken } = await server.signIn()
  for (const token of [...respellings(accessToken)].filter((text) => /^[\x21-\x7e]+$/.test(text)))
    expectNoToken(await me({ token }))
  for (const token of [...truncations(accessToken)].filter((_, index) => index % 7 === 0))
    expectNoToken(await me({ token }))
  for (const [index, bytes] of [...byteFlips(Buffer.from(accessToken, 'base64url'))].entries()) {
    if (index % 5 === 0) expectNoToken(await me({ token: bytes.toString('base64url') }))
  }
  assert.equal((await me({ token: accessToken })).status, 200)
})

test('a header of 64 KiB is refused and not choked on', async () => {
  expectNoToken(await me({ token: 'A'.repeat(65_536) }))
  expectNobody(await me({ cookie: `identity=${'A'.repeat(65_536)}` }))
  expectNobody(await me({ cookie: 'a=b; '.repeat(13_000) }))
  expectNobody(await me({ cookie: ';'.repeat(65_536) }))
  await withApp({ after: routes, server: { http: { maxHeaderSize: 200_000 } } }, async (app) => {
    const origin = await app.listen()
    const get = (lines: string) => speak(origin, `GET /me HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${lines}\r\n\r\n`)
    assert.equal((await get(`Authorization: Bearer ${'A'.repeat(65_536)}`)).status, 401)
    assert.equal((await get(`Authorization: ${'Bearer '.repeat(9_000)}`)).status, 401)
    assert.equal((await get(`Cookie: identity=${'A'.repeat(65_536)}`)).status, 401)
    assert.equal((await get('Authorization: Bearer \x80\xff')).status, 401)
    assert.equal((await get('Authorization:')).status, 401)
  })
})

test('a request with two Authorization headers is 401, whichever is good', async () => {
  await withApp({ after: routes }, async (app) => {
    const origin = await app.listen()
    const { accessToken } = await app.signIn()
    const get = (...headers: string[]) =>
      speak(origin, `GET /me HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${headers.join('\r\n')}\r\n\r\n`)
    assert.equal((await get(`Authorization: Bearer ${accessToken}`, 'Authorization: Bearer x')).status, 401)
    assert.equal((await get('Authorization: Bearer x', `Authorization: Bearer ${accessToken}`)).status, 401)
  })
})

test('of several cookies of our name the one that opens counts, in any order, and the others are expired', async () => {
  const { cookie, email } = await server.signInWithCookie()
  const ended = await server.signInWithCookie()
  assert.equal((await server.call('POST', '/account/logout', { cookie: ended.cookie })).status, 200)
  for (const header of [
    `${cookie}; ${ended.cookie}`,
    `${ended.cookie}; ${cookie}`,
    `${cookie}; ${cookie}`,
    `${cookie};identity=`,
    `identity=x; ${cookie}`,
    `identity=; ${cookie}`,
  ]) {
    const answer = await me({ cookie: header, headers: { host: 'www.app.example.com' } })
    assert.equal(seenBy(answer).name, email)
    const set = answer.setCookies.map((line) =>
      line.replace(/^identity=[^;]+/, 'identity=value').replace(/Expires=[^;]*/, 'Expires=x'),
    )
    assert.deepEqual(set, [
      'identity=; Max-Age=0; Domain=www.app.example.com; Path=/; Expires=x; HttpOnly; SameSite=Lax',
      'identity=; Max-Age=0; Domain=app.example.com; Path=/; Expires=x; HttpOnly; SameSite=Lax',
      'identity=; Max-Age=0; Domain=example.com; Path=/; Expires=x; HttpOnly; SameSite=Lax',
      'identity=value; Max-Age=1209600; Path=/; Expires=x; HttpOnly; SameSite=Lax',
    ])
    assert.equal(seenBy(await me({ cookie: pairOf(answer.setCookies.at(-1)!) })).name, email)
  }
  for (const header of [
    'identity=x; identity=y',
    `${ended.cookie}; identity=`,
    `${cookie}; identity=1; identity=2; identity=3; identity=4`,
  ])
    assert.equal((await me({ cookie: header })).status, 401)
})

test('of two live sessions the later one counts', () =>
  withApp({ after: routes }, async (app) => {
    const first = await app.signInWithCookie()
    app.clock.advance(5)
    const second = await app.signInWithCookie()
    for (const cookie of [`${first.cookie}; ${second.cookie}`, `${second.cookie}; ${first.cookie}`])
      assert.equal(seenBy(await app.call('GET', '/me', { cookie })).name, second.email)
  }))

test('an answer with our cookie is never stored, whatever a handler and later hooks say', () =>
  withApp(
    {
      after: (app) => {
        app.addHook('onSend', (_request, reply, _payload, done) => {
          void reply.header('cache-control', 'public, max-age=600').header('expires', 'Fri, 01 Jan 2100 00:00:00 GMT')
          done()
        })
        app.get('/page', { onRequest: requireAuthorization() }, (_request, reply) => {
          void reply.header('cache-control', 'public, max-age=3600')
          return { page: 1 }
        })
        app.get('/stream', { onRequest: requireAuthorization() }, (_request, reply) => {
          return reply.header('cache-control', 'public').send(Readable.from(['a', 'b']))
        })
      },
    },
    async (app) => {
      const { cookie } = await app.signInWithCookie()
      assert.equal((await app.call('GET', '/page', { cookie })).headers['cache-control'], 'public, max-age=600')
      app.clock.advance(8 * 86_400)
      const origin = await app.listen()
      for (const path of ['/page', '/stream']) {
        const answer = await app.call('GET', path, { cookie })
        assert.equal(answer.setCookies.length, 1)
        assert.equal(answer.headers['cache-control'], 'no-cache,no-store')
        const { headers } = await fetch(origin + path, { headers: { cookie } })
        assert.deepEqual(
          ['cache-control', 'pragma', 'expires'].map((name) => headers.get(name)),
          ['no-cache,no-store', 'no-cache', 'Thu, 01 Jan 1970 00:00:00 GMT'],
        )
        assert.equal(headers.getSetCookie().length, 1)
      }
    },
  ))

test('the cookie is found among others, by exactly its name', async () => {
  const { cookie, email } = await server.signInWithCookie()
  const value = valueOf(cookie)
  for (const header of [
    `a=b; ${cookie}; c=d`,
    `a=b;${cookie};c=d`,
    ` ${cookie} `,
    `;;${cookie};`,
    `identityx=1; ${cookie}; xidentity=2`,
    `__Host-identity=x; ${cookie}`,
    `a="b; c"; ${cookie}`,
  ]) {
    assert.equal(seenBy(await me({ cookie: header })).name, email, header)
  }
  for (const header of [
    `identit%79=${value}`,
    `%69dentity=${value}`,
    `Identity=${value}`,
    `IDENTITY=${value}`,
    `__Host-identity=${value}`,
    `identity =${value}`,
    `identity= ${value}`,
    `identity="${value}"`,
    `identity=${encodeURIComponent(`${value}=`)}`,
    `identity==${value}`,
    `identity=${value}=`,
    `identity=${value},identity=x`,
    value,
    `$identity=${value}`,
  ]) {
    expectNobody(await me({ cookie: header }))
  }
})

test('a token in the query, in the body or in another header is no credential', async () => {
  const { accessToken } = await server.signIn()
  for (const name of ['access_token', 'accessToken', 'token', 'bearer', 'authorization', 'identity']) {
    expectNobody(await server.call('GET', `/me?${name}=${accessToken}`))
    expectChallenge(await server.call('GET', `/account/manage/info?${name}=Bearer%20${accessToken}`))
    expectNobody(await me({ headers: { [`x-${name.replace('_', '-')}`]: accessToken } }))
  }
  expectNobody(await me({ headers: { 'proxy-authorization': `Bearer ${accessToken}`, 'x-forwarded-user': 'admin' } }))
  const inBody = await server.call('POST', '/account/logout', {
    payload: `access_token=${accessToken}`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  })
  expectChallenge(inBody)
})

test('a token opens what it was made for, and nothing else', async () => {
  const { accessToken, refreshToken } = await server.signIn()
  const { cookie } = await server.signInWithCookie()
  const user = await server.app.identity.users.findByName((await server.register()).email)
  const mailed = server.app.identity.users.generateEmailConfirmationToken(user!)
  for (const token of [refreshToken, valueOf(cookie), mailed]) expectNoToken(await me({ token }))
  for (const value of [accessToken, refreshToken, mailed]) expectNobody(await me({ cookie: `identity=${value}` }))
  for (const value of [accessToken, valueOf(cookie), mailed])
    expectChallenge(await server.call('POST', '/account/refresh', { json: { refreshToken: value } }))
})

test('a token of another database, or of another realm in the same one, is refused here', async () => {
  await withApp({ after: routes }, async (other) => {
    const { accessToken, refreshToken } = await other.signIn()
    const { cookie } = await other.signInWithCookie()
    assert.equal((await me({ token: accessToken }, other)).status, 200)
    expectNoToken(await me({ token: accessToken }))
    expectNobody(await me({ cookie }))
    expectChallenge(await server.call('POST', '/account/refresh', { json: { refreshToken } }))
  })
  await withApp(
    { identity: { schema: server.schema, decorator: 'staff', cookie: { name: 'identity' } } },
    async (staff) => {
      const { accessToken, refreshToken } = await staff.signIn()
      const { cookie } = await staff.signInWithCookie()
      assert.equal((await staff.call('GET', '/account/manage/info', { token: accessToken })).status, 200)
      expectNoToken(await me({ token: accessToken }))
      expectNobody(await me({ cookie }))
      expectChallenge(await server.call('POST', '/account/refresh', { json: { refreshToken } }))
    },
  )
})

test('a second instance of the same realm accepts the tokens of the first', () =>
  withApp({ after: routes }, async (one) => {
    await withApp({ after: routes, identity: { schema: one.schema } }, async (other) => {
      const { accessToken, refreshToken, email } = await one.signIn()
      const { cookie } = await one.signInWithCookie()
      assert.equal(seenBy(await me({ token: accessToken }, other)).name, email)
      assert.equal((await me({ cookie }, other)).status, 200)
      assert.equal((await other.call('POST', '/account/refresh', { json: { refreshToken } })).status, 200)
    })
  }))

test('an access token is good until the very second of its expiry, also when it was seen a moment before', () =>
  withApp({ after: routes }, async (app) => {
    const first = await app.signIn()
    app.clock.advance(3599)
    assert.equal((await me({ token: first.accessToken }, app)).status, 200)
    app.clock.advance(1)
    expectNoToken(await me({ token: first.accessToken }, app))
    const second = await app.signIn()
    app.clock.advance(3600)
    expectNoToken(await me({ token: second.accessToken }, app))
  }))

test('a token from the future is good for a minute of difference between clocks', () =>
  withApp({ after: routes }, async (app) => {
    const { accessToken } = await app.signIn()
    app.clock.advance(-60)
    assert.equal((await me({ token: accessToken }, app)).status, 200)
    app.clock.advance(-1)
    expectNoToken(await me({ token: accessToken }, app))
  }))

const unvalidated = { securityStamp: { validationSeconds: 40 * 86_400 } }

test('a cookie is good until the very second of its expiry', () =>
  withApp({ after: routes, identity: { ...unvalidated, cookie: { slidingExpiration: false } } }, async (app) => {
    const { cookie } = await app.signInWithCookie()
    app.clock.advance(1_209_599)
    const answer = await me({ cookie }, app)
    assert.equal(seenBy(answer).scheme, 'cookie')
    assert.deepEqual(answer.setCookies, [])
    app.clock.advance(1)
    expectNobody(await me({ cookie }, app))
  }))

test('a cookie slides when more than half of its life is over, and keeps its kind', () =>
  withApp({ after: routes, identity: { ...unvalidated, cookie: { lifetimeSeconds: 1000 } } }, async (app) => {
    for (const mode of ['useCookies', 'useSessionCookies'] as const) {
      const { cookie, email } = await app.signInWithCookie(undefined, mode)
      app.clock.advance(500)
      assert.deepEqual((await me({ cookie }, app)).setCookies, [])
      app.clock.advance(1)
      const slid = await me({ cookie }, app)
      const [setCookie = ''] = slid.setCookies
      assert.equal(slid.setCookies.length, 1)
      assert.equal(setCookie.includes('; Max-Age=1000; '), mode === 'useCookies')
      assert.equal(setCookie.includes('Expires'), mode === 'useCookies')
      assert.equal(slid.headers['cache-control'], 'no-cache,no-store')
      assert.notEqual(pairOf(setCookie), cookie)
      app.clock.advance(999)
      expectNobody(await me({ cookie }, app))
      assert.equal(seenBy(await me({ cookie: pairOf(setCookie) }, app)).name, email)
      app.clock.advance(1)
      expectNobody(await me({ cookie: pairOf(setCookie) }, app))
    }
  }))

test('a cookie never slides past the end of its session', () =>
  withApp(
    {
      after: routes,
      identity: { ...unvalidated, cookie: { lifetimeSeconds: 1000 }, sessions: { absoluteSeconds: 1200 } },
    },
    async (app) => {
      const { cookie } = await app.signInWithCookie()
      app.clock.advance(600)
      const [slid = ''] = (await me({ cookie }, app)).setCookies
      assert.match(slid, /; Max-Age=600; /)
      app.clock.advance(599)
      const last = await me({ cookie: pairOf(slid) }, app)
      assert.equal(last.status, 200)
      assert.deepEqual(last.setCookies, [])
      app.clock.advance(1)
      expectNobody(await me({ cookie: pairOf(slid) }, app))
    },
  ))

const cleared = {
  'set-cookie': 'identity=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax',
  'cache-control': 'no-cache,no-store',
  pragma: 'no-cache',
  expires: 'Thu, 01 Jan 1970 00:00:00 GMT',
}

function expectCleared(answer: Answer): void {
  assert.deepEqual([answer.status, answer.body, answer.headers['www-authenticate']], [401, '', 'Bearer'])
  for (const [name, value] of Object.entries(cleared)) assert.deepEqual(answer.headers[name], value)
}

test("a cookie's user is read again after half an hour: new claims count, in a new cookie", () =>
  withApp({ after: routes }, async (app) => {
    const { cookie, email } = await app.signInWithCookie()
    const [user] = await app.sql(
      "update users set user_name = 'ann', normalized_user_name = 'ANN' where user_name = $1 returning id",
      [email],
    )
    await app.sql(
      "insert into roles values ('00000000-0000-7000-8000-000000000001', 'Admin', 'ADMIN', '00000000-0000-7000-8000-000000000001')",
    )
    await app.sql("insert into user_roles values ($1, '00000000-0000-7000-8000-000000000001')", [user!.id])
    await app.sql(
      "insert into role_claims values ('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-000000000001', 'may', 'everything')",
    )
    app.clock.advance(1799)
    const before = await me({ cookie }, app)
    assert.deepEqual([seenBy(before).name, seenBy(before).roles, before.setCookies], [email, [], []])
    app.clock.advance(1)
    const now = await me({ cookie }, app)
    assert.deepEqual([seenBy(now).name, seenBy(now).roles], ['ann', ['Admin']])
    assert.ok(seenBy(now).claims!.some(({ type, value }) => type === 'may' && value === 'everything'))
    assert.ok(seenBy(now).claims!.some(({ type, value }) => type === 'amr' && value === 'pwd'))
    assert.match(now.setCookies[0]!, /; Max-Age=1209600; /)
    // The new one is as good as a login's, and the old one is still the session's.
    const renewed = pairOf(now.setCookies[0]!)
    app.clock.advance(1799)
    assert.deepEqual((await me({ cookie: renewed }, app)).setCookies, [])
    await app.sql('delete from user_roles')
    app.clock.advance(1)
    assert.deepEqual(seenBy(await me({ cookie: renewed }, app)).roles, [])
    assert.equal((await me({ cookie }, app)).status, 200)
  }))

test("with validationSeconds 0 a cookie's user is read at every request", () =>
  withApp({ after: routes, identity: { securityStamp: { validationSeconds: 0 } } }, async (app) => {
    const { cookie, email } = await app.signInWithCookie()
    assert.equal(seenBy(await me({ cookie }, app)).name, email)
    await app.sql("update users set user_name = 'ann', normalized_user_name = 'ANN'")
    assert.equal(seenBy(await me({ cookie }, app)).name, 'ann')
    await app.sql("update users set security_stamp = 'ANOTHERSTAMPANOTHERSTAMPANOTHERS'")
    expectCleared(await me({ cookie }, app))
  }))

test('without sliding expiration a validated cookie keeps its end', () =>
  withApp({ after: routes, identity: { cookie: { slidingExpiration: false } } }, async (app) => {
    const { cookie } = await app.signInWithCookie()
    app.clock.advance(1800)
    const [renewed = ''] = (await me({ cookie }, app)).setCookies
    assert.match(renewed, /; Max-Age=1207800; /)
  }))

test('a changed stamp, an ended session and a deleted user clear the cookie at its validation', () =>
  withApp({ after: routes }, async (app) => {
    const changed = await app.signInWithCookie()
    const ended = await app.signInWithCookie()
    const gone = await app.signInWithCookie()
    await app.sql("update users set security_stamp = 'ANOTHERSTAMPANOTHERSTAMPANOTHERS' where user_name = $1", [
      changed.email,
    ])
    await app.sql('delete from sessions where user_id = (select id from users where user_name = $1)', [ended.email])
    await app.sql('delete from users where user_name = $1', [gone.email])
    app.clock.advance(1799)
    for (const { cookie } of [changed, ended, gone]) assert.equal((await me({ cookie }, app)).status, 200)
    app.clock.advance(1)
    for (const { cookie } of [changed, ended, gone]) expectCleared(await me({ cookie }, app))
    // On a route of ours too, and once more for a browser that kept it.
    expectChallenge(await app.call('GET', '/account/manage/info', { cookie: changed.cookie }), cleared)
  }))

test('many requests with a cookie that is due are all let in, and all with the same claims', () =>
  withApp({ after: routes }, async (app) => {
    const { cookie } = await app.signInWithCookie()
    await app.sql("update users set user_name = 'ann', normalized_user_name = 'ANN'")
    app.clock.advance(1800)
    const answers = await Promise.all(Array.from({ length: 20 }, () => me({ cookie }, app)))
    for (const answer of answers) {
      assert.equal(seenBy(answer).name, 'ann')
      assert.equal(answer.setCookies.length, 1)
    }
  }))

test('a cookie of before a change of stamp that its session has outlived goes on beside one of after it', () =>
  withApp({ after: routes, identity: { securityStamp: { validationSeconds: 0 } } }, async (app) => {
    const { cookie } = await app.signInWithCookie()
    const realm = findRealm(app.app, 'identity')!
    const ticket = openTicket((id) => realm.keys.find(id), 'cookie', valueOf(cookie), Math.floor(app.clock() / 1000))!
    const older = `identity=${sealTicket(realm.keys.sealing(), 'cookie', { ...ticket, stamp: 'AAAAAAAAAAA' })}`
    const answers = await Promise.all([me({ cookie }, app), me({ cookie: older }, app)])
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200],
    )
    // Of a session from before migration 0003 the mark in the ticket is all there is.
    await app.sql('update sessions set security_stamp = null')
    assert.equal((await me({ cookie }, app)).status, 200)
    expectCleared(await me({ cookie: older }, app))
  }))

test('what was changed past the managers shows in an access token at its refresh only', () =>
  withApp({ after: routes }, async (app) => {
    const { accessToken, refreshToken, email } = await app.signIn()
    await app.sql("update users set user_name = 'ann', normalized_user_name = 'ANN'")
    app.clock.advance(3599)
    assert.equal(seenBy(await me({ token: accessToken }, app)).name, email)
    const refreshed = await app.call('POST', '/account/refresh', { json: { refreshToken } })
    assert.equal(seenBy(await me({ token: (refreshed.json() as Tokens).accessToken }, app)).name, 'ann')
  }))

test('readToken takes a token from elsewhere, and the header still counts where it answers nothing', () =>
  withApp(
    {
      after: routes,
      identity: {
        bearer: {
          readToken: ({ headers, query }) =>
            headers['x-token'] === undefined ? (query as { t?: string }).t : String(headers['x-token']),
        },
      },
    },
    async (app) => {
      const ann = await app.signIn()
      const bob = await app.signIn()
      const { cookie } = await app.signInWithCookie()
      assert.equal(seenBy(await me({ headers: { 'x-token': ann.accessToken } }, app)).name, ann.email)
      assert.equal(seenBy(await app.call('GET', `/me?t=${ann.accessToken}`)).name, ann.email)
      assert.equal(
        seenBy(await me({ headers: { 'x-token': ann.accessToken }, token: bob.accessToken }, app)).name,
        ann.email,
      )
      assert.equal(seenBy(await me({ token: bob.accessToken }, app)).name, bob.email)
      assert.equal(seenBy(await me({ cookie }, app)).scheme, 'cookie')
      expectNoToken(await me({ headers: { 'x-token': 'nonsense' }, token: bob.accessToken, cookie }, app))
      expectNoToken(await me({ headers: { 'x-token': '' }, cookie }, app))
    },
  ))

test('with cookies switched off a cookie is nobody', async () => {
  const { cookie } = await server.signInWithCookie()
  await withApp({ after: routes, identity: { cookies: false, schema: server.schema } }, async (app) => {
    expectNobody(await me({ cookie }, app))
    assert.equal(seenBy(await app.call('GET', '/who', { cookie })).scheme, null)
  })
})

const who = (options: Parameters<TestApp['call']>[2], to: TestApp = server, method = 'GET') =>
  to.call(method, '/who', options)

test('a route without a guard knows the caller, as far as the ticket says', async () => {
  const ann = await server.signIn()
  const bob = await server.signInWithCookie()
  assert.deepEqual((await who({})).json(), { scheme: null })
  assert.equal(seenBy(await who({ token: ann.accessToken })).name, ann.email)
  assert.equal(seenBy(await who({ cookie: bob.cookie })).name, bob.email)
  assert.equal(seenBy(await who({ token: 'nonsense', cookie: bob.cookie })).scheme, null)
  assert.deepEqual((await who({ cookie: bob.cookie })).setCookies, [])
  assert.equal((await server.call('POST', '/account/logout', { token: ann.accessToken })).status, 200)
  assert.equal(seenBy(await who({ token: ann.accessToken })).scheme, null)
})

test('a route without a guard does not see a cookie whose user is due to be read again, nor one that has expired', () =>
  withApp({ after: routes }, async (app) => {
    const { cookie } = await app.signInWithCookie()
    app.clock.advance(1799)
    assert.equal(seenBy(await who({ cookie }, app)).scheme, 'cookie')
    app.clock.advance(1)
    const answer = await who({ cookie }, app)
    assert.equal(seenBy(answer).scheme, null)
    assert.deepEqual(answer.setCookies, [])
    const [renewed = ''] = (await me({ cookie }, app)).setCookies
    assert.equal(seenBy(await who({ cookie: pairOf(renewed) }, app)).scheme, 'cookie')
  }))

test('a route without a guard does not see the cookie of a request that another site has made', async () => {
  const { cookie } = await server.signInWithCookie()
  const { accessToken } = await server.signIn()
  for (const headers of [
    { 'sec-fetch-site': 'cross-site' },
    { origin: 'https://evil.example' },
    { 'sec-fetch-site': 'same-site' },
  ]) {
    assert.equal(seenBy(await who({ cookie, headers }, server, 'POST')).scheme, null)
    // What only reads is shown by SameSite, and a token is nothing that a browser adds by itself.
    assert.equal(seenBy(await who({ cookie, headers })).scheme, 'cookie')
    assert.equal(seenBy(await who({ token: accessToken, headers }, server, 'POST')).scheme, 'bearer')
  }
  assert.equal(
    seenBy(await who({ cookie, headers: { 'sec-fetch-site': 'same-origin' } }, server, 'POST')).scheme,
    'cookie',
  )
})

test('the principal is one object per request, frozen to its last claim, with the names of the reference in their order', () =>
  withApp(
    {
      after: (app) =>
        app.get('/me', { onRequest: requireAuthorization() }, (request) => {
          const principal = request.identity!
          assert.equal(request.identity, principal)
          assert.deepEqual(Object.keys(JSON.parse(JSON.stringify(principal)) as object), [
            'userId',
            'userName',
            'email',
            'sessionId',
            'scheme',
            'claims',
            'roles',
            'amr',
            'authenticatedAt',
          ])
          assert.equal(principal.claims, principal.claims)
          for (const thing of [principal, principal.claims, principal.roles, principal.amr, ...principal.claims])
            assert.ok(Object.isFrozen(thing))
          assert.throws(() => {
            ;(request as { identity: unknown }).identity = null
          }, TypeError)
          assert.ok(principal.isInRole('Admin') && !principal.isInRole('admin'))
          assert.ok(
            principal.hasClaim('colour') &&
              principal.hasClaim('colour', 'blue') &&
              !principal.hasClaim('colour', 'Blue') &&
              !principal.hasClaim('toString'),
          )
          assert.deepEqual(principal.findFirst('colour'), { type: 'colour', value: 'blue' })
          assert.deepEqual(
            principal.findAll('colour').map(({ value }) => value),
            ['blue', 'green'],
          )
          assert.equal(principal.findFirst('nothing'), null)
          return { ...principal, claims: principal.claims.map(({ type, value }) => `${type}=${value}`) }
        }),
    },
    async (app) => {
      const person = await app.register()
      const [user] = await app.sql('select id from users')
      await app.sql(
        "insert into roles values ('00000000-0000-7000-8000-000000000001', 'Admin', 'ADMIN', '00000000-0000-7000-8000-000000000001')",
      )
      await app.sql("insert into user_roles values ($1, '00000000-0000-7000-8000-000000000001')", [user!.id])
      for (const [index, colour] of ['blue', 'green'].entries()) {
        await app.sql("insert into user_claims values ($1, $2, 'colour', $3)", [
          `00000000-0000-7000-8000-00000000000${index}`,
          user!.id,
          colour,
        ])
      }
      const { accessToken } = await app.signIn(person)
      const [session] = await app.sql('select id from sessions')
      const seconds = app.clock() / 1000
      assert.deepEqual((await me({ token: accessToken }, app)).json(), {
        userId: user!.id,
        userName: person.email,
        email: person.email,
        sessionId: session!.id,
        scheme: 'bearer',
        roles: ['Admin'],
        amr: ['pwd'],
        authenticatedAt: app.clock(),
        claims: [
          `sub=${String(user!.id)}`,
          `name=${person.email}`,
          `email=${person.email}`,
          'colour=blue',
          'colour=green',
          'role=Admin',
          'amr=pwd',
          `auth_time=${seconds}`,
          `sid=${String(session!.id)}`,
        ],
      })
    },
  ))
