import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type Answer,
  emptyHeaders,
  expectEmpty,
  expectProblem,
  goodPassword,
  headersOf,
  pairOf,
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

const send = (json: unknown, query = '', to: TestApp = server) => to.call('POST', `/account/login${query}`, { json })

const unauthorized = (detail: string) =>
  `{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.2","title":"Unauthorized","status":401,"detail":"${detail}"}`

const expectFailure = (answer: Answer, detail: string) => expectProblem(answer, 401, unauthorized(detail))

test('a login answers a token pair and no cookie', async () => {
  const person = await server.register()
  const answer = await send(person)
  assert.equal(answer.status, 200)
  const { accessToken, refreshToken } = answer.json() as Tokens
  assert.equal(
    answer.body,
    `{"tokenType":"Bearer","accessToken":"${accessToken}","expiresIn":3600,"refreshToken":"${refreshToken}"}`,
  )
  assert.match(accessToken, /^[A-Za-z0-9_-]{100,4096}$/)
  assert.match(refreshToken, /^[A-Za-z0-9_-]{100,4096}$/)
  assert.deepEqual(headersOf(answer), {
    ...emptyHeaders,
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(answer.body.length),
  })
})

test('expiresIn is what option bearer.accessTokenSeconds says', () =>
  withApp({ identity: { bearer: { accessTokenSeconds: 90 } } }, async (app) => {
    assert.equal((await app.signIn()).expiresIn, 90)
  }))

test('expiresIn never promises more than the session has left', () =>
  withApp({ identity: { sessions: { absoluteSeconds: 5000 } } }, async (app) => {
    const { refreshToken } = await app.signIn()
    app.clock.advance(4000)
    const refreshed = await app.call('POST', '/account/refresh', { json: { refreshToken } })
    const { accessToken, expiresIn } = refreshed.json() as Tokens
    assert.equal(expiresIn, 1000)
    app.clock.advance(999)
    assert.equal((await app.call('GET', '/account/manage/info', { token: accessToken })).status, 200)
    app.clock.advance(1)
    assert.equal((await app.call('GET', '/account/manage/info', { token: accessToken })).status, 401)
  }))

// The reference's table: a cookie for either flag; it outlives the browser only with useCookies and without
// useSessionCookies.
const modes: [query: string, cookie: 'none' | 'session' | 'persistent'][] = [
  ['', 'none'],
  ['?useCookies=false', 'none'],
  ['?useSessionCookies=false', 'none'],
  ['?useCookies=false&useSessionCookies=false', 'none'],
  ['?useCookies=true', 'persistent'],
  ['?useCookies=true&useSessionCookies=false', 'persistent'],
  ['?useSessionCookies=true', 'session'],
  ['?useCookies=false&useSessionCookies=true', 'session'],
  ['?useCookies=true&useSessionCookies=true', 'session'],
]

for (const [query, cookie] of modes) {
  test(`/login${query} gives ${cookie === 'none' ? 'tokens' : `a ${cookie} cookie`}`, async () => {
    const answer = await send(await server.register(), query)
    if (cookie === 'none') {
      assert.equal(answer.status, 200)
      assert.deepEqual(answer.setCookies, [])
      assert.deepEqual(Object.keys(answer.json() as object), ['tokenType', 'accessToken', 'expiresIn', 'refreshToken'])
      return
    }
    const expires = new Date(server.clock() + 1_209_600_000).toUTCString()
    const [setCookie = ''] = answer.setCookies
    assert.equal(
      setCookie,
      cookie === 'persistent'
        ? `${pairOf(setCookie)}; Max-Age=1209600; Path=/; Expires=${expires}; HttpOnly; SameSite=Lax`
        : `${pairOf(setCookie)}; Path=/; HttpOnly; SameSite=Lax`,
    )
    assert.match(pairOf(setCookie), /^identity=[A-Za-z0-9_-]{100,4000}$/)
    assert.equal(answer.setCookies.length, 1)
    expectEmpty(answer, 200, {
      'set-cookie': setCookie,
      'cache-control': 'no-cache,no-store',
      pragma: 'no-cache',
      expires: 'Thu, 01 Jan 1970 00:00:00 GMT',
    })
    assert.equal((await server.call('GET', '/account/manage/info', { cookie: pairOf(setCookie) })).status, 200)
  })
}

test('the flags are read in any letter case with blanks around them, and nothing else is a boolean', async () => {
  const person = await server.register()
  for (const yes of ['true', 'TRUE', 'True', 'tRuE', '%20true%20', '+true', 'true%09', '%0atrue']) {
    assert.equal((await send(person, `?useCookies=${yes}`)).setCookies.length, 1, yes)
    assert.equal((await send(person, `?USECOOKIES=${yes}`)).setCookies.length, 1, yes)
    assert.equal((await send(person, `?usesessioncookies=${yes}`)).setCookies.length, 1, yes)
  }
  for (const no of ['false', 'FALSE', '%20False']) {
    const answer = await send(person, `?useCookies=${no}`)
    assert.equal(answer.status, 200)
    assert.deepEqual(answer.setCookies, [])
  }
  // As in the reference, a flag without a value counts as absent.
  for (const query of ['?useCookies=', '?useCookies', '?useSessionCookies='])
    assert.equal((await send(person, query)).status, 200, query)
  for (const wrong of [
    '1',
    '0',
    'yes',
    'no',
    'on',
    'null',
    'truee',
    'tr ue',
    '%00true',
    't%C5%97ue',
    'true&useCookies=true',
    'true&useCookies=false',
    '"true"',
    'true,true',
  ]) {
    expectEmpty(await send(person, `?useCookies=${wrong}`), 400)
    expectEmpty(await send(person, `?useSessionCookies=${wrong}`.replaceAll('useCookies', 'useSessionCookies')), 400)
  }
  assert.deepEqual((await send(person, '?useCookies[]=true')).setCookies, [])
})

test('query parameters that nobody knows are ignored, __proto__ too', async () => {
  const person = await server.register()
  const answer = await send(
    person,
    '?returnUrl=https://evil.example&ReturnUrl=/x&__proto__=1&constructor=2&useCookie=1&username=x&toString=1',
  )
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.location, undefined)
})

test('a wrong password, an unknown name and an empty password get the same bytes and the same headers', async () => {
  const { email } = await server.register()
  const answers = [
    await send({ email, password: 'Wrong-Horse-7' }),
    await send({ email: 'nobody@example.com', password: goodPassword }),
    await send({ email, password: '' }),
    await send({ email: '', password: '' }),
    await send({ email: 'no address', password: goodPassword }),
    await send({ email: 'nul\u0000@example.com', password: 'nul\u0000' }),
    await send({ email: 'x'.repeat(10_000), password: 'x'.repeat(5_000) }),
  ]
  for (const answer of answers) expectFailure(answer, 'Failed')
  assert.equal(
    new Set(answers.map((answer) => JSON.stringify([headersOf(answer), Object.keys(answer.headers), answer.body])))
      .size,
    1,
  )
})

test('a user without a password cannot log in, not even with an empty one', async () => {
  const { email } = await server.register()
  await server.sql('update users set password_hash = null where user_name = $1', [email])
  expectFailure(await send({ email, password: '' }), 'Failed')
  expectFailure(await send({ email, password: goodPassword }), 'Failed')
})

test('the value of email is looked up as user name, in any letter case', async () => {
  const { email } = await server.register({ email: 'named@example.com' })
  await server.sql(
    "update users set email = 'other@example.com', normalized_email = 'OTHER@EXAMPLE.COM' where user_name = $1",
    [email],
  )
  expectFailure(await send({ email: 'other@example.com', password: goodPassword }), 'Failed')
  for (const typed of ['named@example.com', 'NAMED@EXAMPLE.COM', 'Named@Example.com']) {
    assert.equal((await send({ email: typed, password: goodPassword })).status, 200)
  }
  // Letters that other case foldings take for these.
  expectFailure(await send({ email: 'named@eXample.ſom', password: goodPassword }), 'Failed')
})

test('every byte of a password counts', async () => {
  const start = 'Aa1!'.padEnd(100, 'x')
  const { email } = await server.register({ password: `${start}Y` })
  expectFailure(await send({ email, password: `${start}Z` }), 'Failed')
  expectFailure(await send({ email, password: start }), 'Failed')
  expectFailure(await send({ email, password: `${start}Y ` }), 'Failed')
  assert.equal((await send({ email, password: `${start}Y` })).status, 200)
  const nul = await server.register({ password: 'Aa1!\u0000first' })
  expectFailure(await send({ email: nul.email, password: 'Aa1!\u0000second' }), 'Failed')
  assert.equal((await send(nul)).status, 200)
})

test('one password has several spellings in Unicode, and each opens', async () => {
  const { email } = await server.register({ password: 'Caf\u00e9-2030' })
  assert.equal((await send({ email, password: 'Cafe\u0301-2030' })).status, 200)
})

test('the fifth wrong password locks, for five minutes to the second, also against the right one', async () => {
  const { email, password } = await server.register()
  for (let attempt = 1; attempt <= 4; attempt++) expectFailure(await send({ email, password: 'Wrong-1' }), 'Failed')
  expectFailure(await send({ email, password: 'Wrong-1' }), 'LockedOut')
  expectFailure(await send({ email, password }), 'LockedOut')
  server.clock.advance(299)
  expectFailure(await send({ email, password }), 'LockedOut')
  server.clock.advance(1)
  assert.equal((await send({ email, password })).status, 200)
})

test('an unknown name locks like a known one', async () => {
  for (let attempt = 1; attempt <= 4; attempt++)
    expectFailure(await send({ email: 'ghost@example.com', password: 'Wrong-1' }), 'Failed')
  expectFailure(await send({ email: 'ghost@example.com', password: 'Wrong-1' }), 'LockedOut')
  expectFailure(await send({ email: 'GHOST@example.com', password: 'Wrong-1' }), 'LockedOut')
})

test('a right password in between starts the count anew', async () => {
  const { email, password } = await server.register()
  for (let round = 1; round <= 3; round++) {
    for (let attempt = 1; attempt <= 4; attempt++) expectFailure(await send({ email, password: 'Wrong-1' }), 'Failed')
    assert.equal((await send({ email, password })).status, 200)
  }
})

test('a lock leaves the sessions that there are', async () => {
  const { email, accessToken, refreshToken } = await server.signIn()
  for (let attempt = 1; attempt <= 5; attempt++) await send({ email, password: 'Wrong-1' })
  assert.equal((await server.call('GET', '/account/manage/info', { token: accessToken })).status, 200)
  assert.equal((await server.call('POST', '/account/refresh', { json: { refreshToken } })).status, 200)
})

test('an unconfirmed account answers NotAllowed to the right password only', () =>
  withApp({ identity: { signIn: { requireConfirmedEmail: true } } }, async (app) => {
    const person = await app.register()
    expectFailure(await send({ ...person, password: 'Wrong-1' }, '', app), 'Failed')
    expectFailure(await send(person, '', app), 'NotAllowed')
    expectFailure(await send(person, '?useCookies=true', app), 'NotAllowed')
    assert.deepEqual((await send(person, '?useCookies=true', app)).setCookies, [])
    await app.sql('update users set email_confirmed = true where user_name = $1', [person.email])
    assert.equal((await send(person, '', app)).status, 200)
  }))

test('a second factor that nobody asked for is ignored', async () => {
  const person = await server.register()
  assert.equal((await send({ ...person, twoFactorCode: '123456' })).status, 200)
  assert.equal((await send({ ...person, twoFactorCode: null, twoFactorRecoveryCode: null })).status, 200)
  assert.equal((await send({ ...person, TwoFactorRecoveryCode: 'AAAAA-BBBBB', anything: { else: [1] } })).status, 200)
  expectEmpty(await send({ ...person, twoFactorCode: 123456 }), 400)
  expectEmpty(await send({ ...person, twoFactorRecoveryCode: ['AAAAA-BBBBB'] }), 400)
})

test('null, a missing member and a wrong type are 400 without a body', async () => {
  const person = await server.register()
  const bodies: unknown[] = [
    { ...person, email: null },
    { ...person, password: null },
    { email: person.email },
    { password: person.password },
    {},
    [],
    [person],
    null,
    'text',
    5,
    false,
    { ...person, email: [person.email] },
    { ...person, password: 1 },
    { ...person, password: { toString: 1 } },
  ]
  for (const body of bodies) expectEmpty(await send(body), 400)
})

test('members are found in any letter case', async () => {
  const { email, password } = await server.register()
  assert.equal((await send({ EMAIL: email, passWORD: password })).status, 200)
  assert.equal((await send({ Email: email, password: 'x', Password: password })).status, 200)
})

test('with cookies switched off the answer says so, and tokens are still given', () =>
  withApp({ identity: { cookies: false } }, async (app) => {
    const person = await app.register()
    const answer = await send(person, '?useCookies=true', app)
    expectProblem(
      answer,
      400,
      '{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.1","title":"Bad Request","status":400,' +
        '"detail":"Cookies are switched off here (option cookies); log in without useCookies and useSessionCookies"}',
    )
    assert.equal((await send(person, '', app)).status, 200)
    assert.equal((await send(person, '?useCookies=false', app)).status, 200)
  }))

test('over https the cookie is a secure one that no sibling host can set', () =>
  withApp({ server: { trustProxy: true } }, async (app) => {
    const https = { 'x-forwarded-proto': 'https' }
    const answer = await app.call('POST', '/account/login?useSessionCookies=true', {
      json: await app.register(),
      headers: https,
    })
    const [setCookie = ''] = answer.setCookies
    assert.equal(setCookie, `${pairOf(setCookie)}; Path=/; HttpOnly; Secure; SameSite=Lax`)
    assert.match(setCookie, /^__Host-identity=/)
    assert.equal(
      (await app.call('GET', '/account/manage/info', { cookie: pairOf(setCookie), headers: https })).status,
      200,
    )
  }))

test('with an https publicUrl the cookie is secure whatever the request came by', () =>
  withApp({ identity: { publicUrl: 'https://api.example.com' } }, async (app) => {
    const { cookie } = await app.signInWithCookie()
    assert.match(cookie, /^__Host-identity=/)
    assert.equal((await app.call('GET', '/account/manage/info', { cookie })).status, 200)
    assert.equal((await app.call('GET', '/account/manage/info', { cookie: cookie.replace('__Host-', '') })).status, 401)
  }))

test('the options of the cookie stand in the cookie', () =>
  withApp(
    {
      identity: {
        cookie: {
          name: 'who',
          domain: 'example.com',
          path: '/api',
          sameSite: 'strict',
          secure: true,
          lifetimeSeconds: 60,
        },
      },
    },
    async (app) => {
      const answer = await send(await app.register(), '?useCookies=true', app)
      const [setCookie = ''] = answer.setCookies
      const expires = new Date(app.clock() + 60_000).toUTCString()
      assert.equal(
        setCookie,
        `${pairOf(setCookie)}; Max-Age=60; Domain=example.com; Path=/api; Expires=${expires}; HttpOnly; Secure; SameSite=Strict`,
      )
      assert.match(setCookie, /^who=/)
    },
  ))

test('a cookie lives no longer than its session', () =>
  withApp({ identity: { sessions: { absoluteSeconds: 100 } } }, async (app) => {
    const answer = await send(await app.register(), '?useCookies=true', app)
    assert.match(answer.setCookies[0]!, /; Max-Age=100; /)
  }))

test('a login opens a session of its own, whatever cookie or token came along', async () => {
  const person = await server.register()
  const { cookie } = await server.signInWithCookie(person)
  const { accessToken } = await server.signIn(person)
  await server.call('POST', '/account/login?useCookies=true', { json: person, cookie, token: accessToken })
  const sessions = await server.sql(
    'select s.id from sessions s join users u on u.id = s.user_id where u.user_name = $1',
    [person.email],
  )
  assert.equal(sessions.length, 3)
})

test('the session remembers what the client calls itself, cut and without control characters', async () => {
  const person = await server.register()
  await server.call('POST', '/account/login', { json: person, headers: { 'user-agent': `App/1\t${'x'.repeat(500)}` } })
  const [session] = await server.sql(
    'select s.client from sessions s join users u on u.id = s.user_id where u.user_name = $1',
    [person.email],
  )
  assert.equal(session!.client, `App/1 ${'x'.repeat(250)}`)
})

test('roles and claims that fit no cookie are read from the database instead', () =>
  withApp({}, async (app) => {
    const person = await app.register()
    await app.sql(`insert into user_claims (id, user_id, type, value)
    select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, u.id, 'scope' || n, repeat('v', 20) from users u, generate_series(1, 130) n`)
    const answer = await send(person, '?useCookies=true', app)
    assert.equal(answer.status, 200)
    const [line] = answer.setCookies
    assert.ok(line!.length < 4096)
    assert.equal((await app.call('GET', '/account/manage/info', { cookie: pairOf(line!) })).status, 200)
  }))
