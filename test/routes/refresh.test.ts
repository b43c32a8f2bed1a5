import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type Answer,
  emptyHeaders,
  expectChallenge,
  expectEmpty,
  expectTokenRefused,
  headersOf,
  startApp,
  type TestApp,
  type Tokens,
  withApp,
} from '../support/app.js'

let server: TestApp

before(async () => {
  server = await startApp()
})
after(() => server.close())

const refresh = (refreshToken: unknown, to: TestApp = server) =>
  to.call('POST', '/account/refresh', { json: { refreshToken } })
const info = (token: string, to: TestApp = server) => to.call('GET', '/account/manage/info', { token })

async function pairOf(answer: Answer | Promise<Answer>): Promise<Tokens> {
  const refreshed = await answer
  assert.equal(refreshed.status, 200, refreshed.body)
  return refreshed.json() as Tokens
}

test('a refresh token is exchanged for a new pair, written as at login', async () => {
  const first = await server.signIn()
  const answer = await refresh(first.refreshToken)
  const second = answer.json() as Tokens
  assert.equal(answer.status, 200)
  assert.equal(
    answer.body,
    `{"tokenType":"Bearer","accessToken":"${second.accessToken}","expiresIn":3600,"refreshToken":"${second.refreshToken}"}`,
  )
  assert.deepEqual(headersOf(answer), {
    ...emptyHeaders,
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(answer.body.length),
  })
  assert.notEqual(second.accessToken, first.accessToken)
  assert.notEqual(second.refreshToken, first.refreshToken)
  assert.equal((await info(second.accessToken)).status, 200)
})

test('what is no refresh token is challenged, whatever it is instead', async () => {
  const { accessToken, refreshToken } = await server.signIn()
  const { cookie } = await server.signInWithCookie()
  const wrong = [
    null,
    '',
    ' ',
    'x',
    'A'.repeat(200),
    'A'.repeat(10_000),
    accessToken,
    cookie.slice('identity='.length),
    `Bearer ${refreshToken}`,
    `${refreshToken}=`,
    refreshToken.slice(0, -1),
    `${refreshToken}A`,
    refreshToken.toLowerCase(),
    'nul\u0000',
    'é'.repeat(150),
    '🙂',
  ]
  for (const token of wrong) expectChallenge(await refresh(token))
  // None of them has used the real one up.
  assert.equal((await refresh(refreshToken)).status, 200)
})

test('a missing member and a wrong type are 400 without a body', async () => {
  const { refreshToken } = await server.signIn()
  for (const json of [
    {},
    [],
    null,
    'text',
    1,
    { refreshToken: 1 },
    { refreshToken: [refreshToken] },
    { refreshToken: { a: 1 } },
    { refreshToken: true },
    { token: refreshToken },
  ]) {
    expectEmpty(await server.call('POST', '/account/refresh', { json }), 400)
  }
})

test('the member is found in any letter case', async () => {
  const { refreshToken } = await server.signIn()
  assert.equal((await server.call('POST', '/account/refresh', { json: { RefreshToken: refreshToken } })).status, 200)
})

test('neither an access token in the header nor a cookie is asked for or set', async () => {
  const { refreshToken } = await server.signIn()
  const { cookie } = await server.signInWithCookie()
  const answer = await server.call('POST', '/account/refresh', { json: { refreshToken }, token: 'nonsense', cookie })
  assert.equal(answer.status, 200)
  assert.deepEqual(answer.setCookies, [])
})

test('a refresh token is good until the very second of its expiry', () =>
  withApp({ identity: { bearer: { refreshTokenSeconds: 100 } } }, async (app) => {
    const first = await app.signIn()
    app.clock.advance(99)
    const second = await pairOf(refresh(first.refreshToken, app))
    // Its successor has a full life of its own.
    app.clock.advance(99)
    const third = await pairOf(refresh(second.refreshToken, app))
    app.clock.advance(100)
    expectChallenge(await refresh(third.refreshToken, app))
  }))

test('a session ends at its absolute end, however often it was refreshed', () =>
  withApp({}, async (app) => {
    let { refreshToken } = await app.signIn()
    for (let day = 1; day < 30; day++) {
      app.clock.advance(86_400)
      refreshToken = (await pairOf(refresh(refreshToken, app))).refreshToken
    }
    app.clock.advance(86_399)
    const last = await pairOf(refresh(refreshToken, app))
    assert.equal(last.expiresIn, 1)
    assert.equal((await info(last.accessToken, app)).status, 200)
    app.clock.advance(1)
    expectChallenge(await refresh(last.refreshToken, app))
    assert.equal((await info(last.accessToken, app)).status, 401)
  }))

test('a lost answer is healed for thirty seconds: the same token gets a successor of the same place', () =>
  withApp({}, async (app) => {
    const first = await app.signIn()
    const lost = await pairOf(refresh(first.refreshToken, app))
    app.clock.advance(29)
    const again = await pairOf(refresh(first.refreshToken, app))
    assert.equal((await app.sql('select counter from sessions'))[0]!.counter, 1)
    // Either of the two goes on, and then the other is the one that is one behind.
    const next = await pairOf(refresh(again.refreshToken, app))
    const healed = await pairOf(refresh(lost.refreshToken, app))
    assert.equal((await app.sql('select counter from sessions'))[0]!.counter, 2)
    assert.equal((await info(next.accessToken, app)).status, 200)
    assert.equal((await info(healed.accessToken, app)).status, 200)
  }))

test('a used refresh token that comes back later ends the sessions of its user, with a log line and an event', () =>
  withApp({}, async (app) => {
    const heard: unknown[] = []
    app.app.identity.events.on('refreshTokenReused', (session) => heard.push(session))
    const first = await app.signIn()
    const second = await pairOf(refresh(first.refreshToken, app))
    const other = await app.signIn(first)
    app.clock.advance(30)
    expectChallenge(await refresh(first.refreshToken, app))
    for (const { accessToken, refreshToken } of [first, second]) {
      expectTokenRefused(await info(accessToken, app))
      expectChallenge(await refresh(refreshToken, app))
    }
    expectTokenRefused(await info(other.accessToken, app))
    const user = await app.app.identity.users.findByName(first.email)
    assert.equal(heard.length, 1)
    assert.equal((heard[0] as { userId: string }).userId, user!.id)
    assert.ok(app.logLines.some((line) => line.includes('a used refresh token came back') && line.includes(user!.id)))
  }))

test('many refreshes of one token at once all succeed and move the session one place', () =>
  withApp({}, async (app) => {
    const { refreshToken } = await app.signIn()
    const answers = await Promise.all(Array.from({ length: 12 }, () => refresh(refreshToken, app)))
    for (const answer of answers) assert.equal(answer.status, 200)
    assert.equal((await app.sql('select counter from sessions'))[0]!.counter, 1)
  }))

test('without rotation a refresh token works as often as it is shown, as in the reference', () =>
  withApp({ identity: { bearer: { rotateRefreshTokens: false } } }, async (app) => {
    const first = await app.signIn()
    const second = await pairOf(refresh(first.refreshToken, app))
    app.clock.advance(86_400)
    assert.equal((await refresh(first.refreshToken, app)).status, 200)
    assert.equal((await refresh(first.refreshToken, app)).status, 200)
    assert.equal((await refresh(second.refreshToken, app)).status, 200)
  }))

test('a changed stamp, an ended session and a deleted user refuse the refresh', async () => {
  const changed = await server.signIn()
  await server.sql("update users set security_stamp = 'ANOTHERSTAMPANOTHERSTAMPANOTHERS' where user_name = $1", [
    changed.email,
  ])
  expectChallenge(await refresh(changed.refreshToken))

  const ended = await server.signIn()
  const user = await server.app.identity.users.findByName(ended.email)
  const [session] = await server.app.identity.sessions.list(user!.id)
  assert.equal(await server.app.identity.sessions.revoke(session!.id), true)
  expectChallenge(await refresh(ended.refreshToken))

  const gone = await server.signIn()
  await server.sql('delete from users where user_name = $1', [gone.email])
  expectChallenge(await refresh(gone.refreshToken))
})

test('neither a lock nor a missing confirmation keeps a session from going on', () =>
  withApp({}, async (app) => {
    const { email, refreshToken } = await app.signIn()
    for (let attempt = 1; attempt <= 5; attempt++)
      await app.call('POST', '/account/login', { json: { email, password: 'Wrong-1' } })
    assert.equal((await refresh(refreshToken, app)).status, 200)
  }))

test('a changed name, roles and claims are in the next token', () =>
  withApp(
    {
      after: (app) =>
        app.get('/me', (request) => ({
          name: request.identity?.userName,
          roles: request.identity?.roles,
          claims: request.identity?.claims,
        })),
    },
    async (app) => {
      const { email, accessToken, refreshToken } = await app.signIn()
      const [user] = await app.sql(
        "update users set user_name = 'ann', normalized_user_name = 'ANN' where user_name = $1 returning id",
        [email],
      )
      await app.sql(
        "insert into roles values ('00000000-0000-7000-8000-000000000001', 'Admin', 'ADMIN', '00000000-0000-7000-8000-000000000001')",
      )
      await app.sql("insert into user_roles values ($1, '00000000-0000-7000-8000-000000000001')", [user!.id])
      await app.sql(
        "insert into user_claims values ('00000000-0000-7000-8000-000000000002', $1, 'department', 'sales')",
        [user!.id],
      )
      const before = (await app.call('GET', '/me', { token: accessToken })).json() as { name: string; roles: string[] }
      assert.deepEqual([before.name, before.roles], [email, []])
      const next = await pairOf(refresh(refreshToken, app))
      const now = (await app.call('GET', '/me', { token: next.accessToken })).json() as {
        name: string
        roles: string[]
        claims: unknown[]
      }
      assert.deepEqual([now.name, now.roles], ['ann', ['Admin']])
      assert.deepEqual(now.claims.slice(0, 4), [
        { type: 'sub', value: user!.id },
        { type: 'name', value: 'ann' },
        { type: 'email', value: email },
        { type: 'department', value: 'sales' },
      ])
    },
  ))
