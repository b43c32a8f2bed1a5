import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type Answer,
  emptyHeaders,
  expectChallenge,
  expectTokenRefused,
  expectEmpty,
  expectProblem,
  headersOf,
  startApp,
  type TestApp,
  withApp,
} from '../../support/app.js'

interface Listed {
  readonly id: string
  readonly createdAt: string
  readonly lastSeenAt: string
  readonly client: string | null
  readonly amr: readonly string[]
  readonly current: boolean
}

let server: TestApp

before(async () => {
  server = await startApp()
})
after(() => server.close())

const list = (by: { token: string } | { cookie: string }, from = server) =>
  from.call('GET', '/account/manage/sessions', by)
const end = (id: string, by: { token: string } | { cookie: string }, from = server) =>
  from.call('DELETE', `/account/manage/sessions/${id}`, by)
const listed = (answer: Answer) => answer.json() as Listed[]
const info = (by: { token: string } | { cookie: string }) => server.call('GET', '/account/manage/info', by)

const cleared = {
  'set-cookie': 'identity=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax',
  'cache-control': 'no-cache,no-store',
  pragma: 'no-cache',
  expires: 'Thu, 01 Jan 1970 00:00:00 GMT',
}

test('a caller who is not signed in is challenged, whatever is asked for', async () => {
  expectChallenge(await server.call('GET', '/account/manage/sessions'))
  expectTokenRefused(await server.call('GET', '/account/manage/sessions', { token: 'nonsense' }))
  expectChallenge(await server.call('DELETE', '/account/manage/sessions/00000000-0000-7000-8000-000000000000'))
  expectTokenRefused(await server.call('DELETE', '/account/manage/sessions/nonsense', { token: 'nonsense' }))
})

test("the caller's sessions are listed newest first, to the byte", () =>
  withApp({}, async (app) => {
    const began = new Date(app.clock()).toISOString()
    const person = await app.register()
    const login = (client?: string) =>
      app.call('POST', '/account/login', {
        json: person,
        headers: client === undefined ? {} : { 'user-agent': client },
      })
    const first = (await login('Firefox "on" Linux')).json() as { accessToken: string; refreshToken: string }
    await app.signIn()
    app.clock.advance(60)
    await app.signInWithCookie(person)
    app.clock.advance(60)
    await app.call('POST', '/account/refresh', { json: { refreshToken: first.refreshToken } })
    const answer = await list({ token: first.accessToken }, app)
    const [second, own] = listed(answer)
    const at = (seconds: number) => new Date(Date.parse(began) + seconds * 1000).toISOString()
    assert.equal(answer.status, 200)
    assert.equal(
      answer.body,
      `[{"id":"${second!.id}","createdAt":"${at(60)}","lastSeenAt":"${at(60)}","client":"lightMyRequest","amr":["pwd"],"current":false,"method":"password","claims":[],"address":null},` +
        `{"id":"${own!.id}","createdAt":"${began}","lastSeenAt":"${at(120)}","client":"Firefox \\"on\\" Linux","amr":["pwd"],"current":true,"method":"password","claims":[],"address":null}]`,
    )
    assert.deepEqual(headersOf(answer), {
      ...emptyHeaders,
      'content-type': 'application/json; charset=utf-8',
      'content-length': String(Buffer.byteLength(answer.body)),
    })
    assert.match(own!.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  }))

test('each credential finds the session that it belongs to as the current one', async () => {
  const person = await server.register()
  const [one, other] = [await server.signIn(person), await server.signInWithCookie(person)]
  const [byToken, byCookie] = [listed(await list({ token: one.accessToken })), listed(await list(other))]
  assert.deepEqual(
    byToken.map(({ id }) => id),
    byCookie.map(({ id }) => id),
  )
  const current = (sessions: readonly Listed[]) => sessions.filter((session) => session.current).map(({ id }) => id)
  assert.equal(current(byToken).length, 1)
  assert.equal(current(byCookie).length, 1)
  assert.notDeepEqual(current(byToken), current(byCookie))
})

test('a session that has ended or is over is listed no more', () =>
  withApp({ identity: { sessions: { absoluteSeconds: 1000 } } }, async (app) => {
    const old = await app.signIn()
    app.clock.advance(999)
    const young = await app.signIn(old)
    const gone = await app.signIn(old)
    await app.call('POST', '/account/logout', { token: gone.accessToken })
    assert.equal(listed(await list({ token: young.accessToken }, app)).length, 2)
    app.clock.advance(1)
    assert.equal(listed(await list({ token: young.accessToken }, app)).length, 1)
  }))

test("another session ends at once, with everything it was given, and the caller's goes on", async () => {
  const person = await server.register()
  const [own, other, cookie] = [
    await server.signIn(person),
    await server.signIn(person),
    await server.signInWithCookie(person),
  ]
  for (const { id } of listed(await list({ token: own.accessToken })).filter(({ current }) => !current)) {
    expectEmpty(await end(id.toUpperCase(), { token: own.accessToken }), 200)
  }
  expectTokenRefused(await info({ token: other.accessToken }))
  expectChallenge(await server.call('POST', '/account/refresh', { json: { refreshToken: other.refreshToken } }))
  assert.equal((await info(cookie)).status, 401)
  assert.equal((await info({ token: own.accessToken })).status, 200)
  assert.equal(listed(await list({ token: own.accessToken })).length, 1)
})

test("the caller's own session ends too, and a cookie is cleared as it was set", async () => {
  const person = await server.register()
  const [byToken, byCookie] = [await server.signIn(person), await server.signInWithCookie(person)]
  const own = async (by: { token: string } | { cookie: string }) =>
    listed(await list(by)).find(({ current }) => current)!.id
  expectEmpty(await end((await own(byCookie)).toUpperCase(), byCookie), 200, cleared)
  expectEmpty(await end(await own({ token: byToken.accessToken }), { token: byToken.accessToken }), 200)
  expectTokenRefused(await info({ token: byToken.accessToken }))
  expectChallenge(await info(byCookie), cleared)
})

test('with a cookie another session ends and the cookie stays', async () => {
  const person = await server.register()
  const [other, own] = [await server.signIn(person), await server.signInWithCookie(person)]
  const answer = await end(listed(await list(own)).find(({ current }) => !current)!.id, own)
  expectEmpty(answer, 200)
  assert.equal((await info({ token: other.accessToken })).status, 401)
  assert.equal((await info(own)).status, 200)
})

test('a session of somebody else, one that has ended and what is no id are the same 404', async () => {
  const [own, stranger] = [await server.signIn(), await server.signIn()]
  const [theirs] = listed(await list({ token: stranger.accessToken }))
  const ended = await server.signIn(own)
  const { id } = listed(await list({ token: ended.accessToken })).find(({ current }) => current)!
  expectEmpty(await end(id, { token: own.accessToken }), 200)
  const ids = [
    theirs!.id,
    id,
    '00000000-0000-7000-8000-000000000000',
    'nonsense',
    '%00',
    '%F0%9F%99%82',
    "'%20or%201=1--",
    `${theirs!.id}0`,
    'x'.repeat(100),
    '__proto__',
    '%2e%2e',
  ]
  for (const text of ids) expectEmpty(await end(text, { token: own.accessToken }), 404)
  assert.equal((await info({ token: stranger.accessToken })).status, 200)
  assert.equal((await info({ token: own.accessToken })).status, 200)
})

test('a session is ended by a page of the same origin only', async () => {
  const { cookie } = await server.signInWithCookie()
  const [own] = listed(await list({ cookie }))
  const from = (headers: Record<string, string>) =>
    server.call('DELETE', `/account/manage/sessions/${own!.id}`, { cookie, headers })
  const refused =
    '{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.4","title":"Forbidden","status":403,' +
    '"detail":"A request with a cookie must come from the same origin or from one of option csrf.trustedOrigins"}'
  expectProblem(await from({ 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }), 403, refused)
  expectProblem(await from({ 'sec-fetch-site': 'same-site' }), 403, refused)
  assert.equal((await info({ cookie })).status, 200)
  expectEmpty(await from({ 'sec-fetch-site': 'same-origin' }), 200, cleared)
})

test('a body that nobody asked for does not matter, and other verbs are 405', async () => {
  const { accessToken: token } = await server.signIn()
  const [own] = listed(await list({ token }))
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
    expectEmpty(await server.call(method, '/account/manage/sessions', { token }), 405, { allow: 'GET' })
  }
  for (const method of ['GET', 'POST', 'PUT', 'PATCH']) {
    expectEmpty(await server.call(method, `/account/manage/sessions/${own!.id}`, { token }), 405, { allow: 'DELETE' })
  }
  assert.equal((await server.call('HEAD', '/account/manage/sessions', { token })).status, 405)
  expectEmpty(
    await server.call('DELETE', `/account/manage/sessions/${own!.id}`, { token, json: { id: 'another' } }),
    200,
  )
})

test('a session with a second factor says so', async () => {
  const person = await server.signIn()
  const user = await server.app.identity.users.findByName(person.email)
  await server.sql("update sessions set amr = '{mfa}', client = null where user_id = $1", [user!.id])
  const [own] = listed(await list({ token: person.accessToken }))
  assert.deepEqual([own!.amr, own!.client], [['mfa'], null])
})

test('with jsonNaming snake_case the answer names its members so', () =>
  withApp({ identity: { jsonNaming: 'snake_case' } }, async (app) => {
    const person = await app.register()
    const { access_token: token } = (await app.call('POST', '/account/login', { json: person })).json() as {
      access_token: string
    }
    const [own] = (await list({ token }, app)).json() as object[]
    assert.deepEqual(Object.keys(own!), [
      'id',
      'created_at',
      'last_seen_at',
      'client',
      'amr',
      'current',
      'method',
      'claims',
      'address',
    ])
  }))

test('without the endpoint both paths are unknown, and the host ends sessions all the same', () =>
  withApp({ identity: { endpoints: { sessions: false } } }, async (app) => {
    const { accessToken: token, email } = await app.signIn()
    const user = await app.app.identity.users.findByName(email)
    const [session] = await app.app.identity.sessions.list(user!.id)
    assert.equal((await list({ token }, app)).status, 404)
    assert.equal((await end(session!.id, { token }, app)).status, 404)
    assert.equal(await app.app.identity.sessions.revoke(session!.id), true)
    assert.equal((await app.call('GET', '/account/manage/info', { token })).status, 401)
  }))
