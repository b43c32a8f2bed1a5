// The twenty behaviours of the reference that are most easily got wrong, one test each. Where we differ on purpose the
// title says what is true here, and the test shows the switch, if there is one.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { IdentityOptions } from '../src/index.js'
import { type Answer, expectEmpty, goodPassword, type Person, pairOf, type Tokens } from './support/app.js'
import { authenticatorOf, wrongCode } from './support/authenticator.js'
import { type MailApp, startMailApp, withMailApp } from './support/mailbox.js'
import { vectors } from './support/vectors.js'

let server: MailApp

before(async () => {
  server = await startMailApp()
})
after(() => server.close())

const login = ({ email, password }: Person, more: Record<string, unknown> = {}, app: MailApp = server, query = '') =>
  app.call('POST', `/account/login${query}`, { json: { email, password, ...more } })

async function outcome(
  person: Person,
  more: Record<string, unknown> = {},
  app: MailApp = server,
): Promise<number | string> {
  const answer = await login(person, more, app)
  return answer.status === 200 ? 200 : (answer.json() as { detail: string }).detail
}

const refresh = (refreshToken: unknown, app: MailApp = server) =>
  app.call('POST', '/account/refresh', { json: { refreshToken } })
const info = (token: string, app: MailApp = server) => app.call('GET', '/account/manage/info', { token })
const twoFactor = (token: string, json: unknown, app: MailApp = server) =>
  app.call('POST', '/account/manage/2fa', { token, json })

async function stampOf({ email }: Person): Promise<string> {
  const [user] = await server.sql('select security_stamp from users where email = $1', [email])
  return user!.security_stamp as string
}

async function secured(app: MailApp = server) {
  const person = await app.signIn()
  const { sharedKey } = (await twoFactor(person.accessToken, {}, app)).json() as { sharedKey: string }
  const phone = authenticatorOf(sharedKey, app.clock)
  const { recoveryCodes } = (
    await twoFactor(person.accessToken, { enable: true, twoFactorCode: phone.code() }, app)
  ).json() as { recoveryCodes: string[] }
  app.clock.advance(30)
  return { ...person, phone, recoveryCodes }
}

test('1. /login looks the value of email up as user name: after the address alone has changed, only the old name logs in', async () => {
  const person = await server.register()
  const { users } = server.app.identity
  assert.ok((await users.setEmail((await users.findByEmail(person.email))!, 'elsewhere@example.com')).succeeded)
  assert.equal(await outcome({ ...person, email: 'elsewhere@example.com' }), 'Failed')
  assert.equal(await outcome(person), 200)
})

test('2. a lock answers right and wrong passwords alike; only the right password gets NotAllowed', () =>
  withMailApp({ identity: { signIn: { requireConfirmedEmail: true } } }, async (app) => {
    const person = await app.register()
    assert.equal(await outcome(person, {}, app), 'NotAllowed')
    for (let guess = 1; guess < 5; guess++)
      assert.equal(await outcome({ ...person, password: 'Wrong-Horse-7' }, {}, app), 'Failed')
    assert.equal(await outcome({ ...person, password: 'Wrong-Horse-7' }, {}, app), 'LockedOut')
    assert.equal(await outcome({ ...person, password: 'Wrong-Horse-7' }, {}, app), 'LockedOut')
    assert.equal(await outcome(person, {}, app), 'LockedOut')
  }))

test('3. the attempt that reaches the limit is already LockedOut, and counting begins anew after the lock', () =>
  withMailApp({}, async (app) => {
    const person = await app.register()
    const wrong = { ...person, password: 'Wrong-Horse-7' }
    const outcomes: (number | string)[] = []
    for (let guess = 0; guess < 5; guess++) outcomes.push(await outcome(wrong, {}, app))
    app.clock.advance(300)
    for (let guess = 0; guess < 5; guess++) outcomes.push(await outcome(wrong, {}, app))
    assert.deepEqual(outcomes, [
      'Failed',
      'Failed',
      'Failed',
      'Failed',
      'LockedOut',
      'Failed',
      'Failed',
      'Failed',
      'Failed',
      'LockedOut',
    ])
  }))

test('4. with a second factor the right password alone does not forget what failed', async () => {
  const person = await secured()
  for (let guess = 1; guess < 5; guess++) {
    assert.equal(await outcome(person, { twoFactorCode: wrongCode(person.phone) }), 'Failed')
    assert.equal(await outcome(person), 'RequiresTwoFactor')
  }
  assert.equal(await outcome(person, { twoFactorCode: wrongCode(person.phone) }), 'LockedOut')
})

test('5. /refresh asks neither for a lock nor for confirmation', () =>
  withMailApp({ identity: { signIn: { requireConfirmedEmail: true } } }, async (app) => {
    const letter = await app.mailOf(() => app.register({ email: 'ann@example.com' }))
    await app.call('GET', letter.path)
    const person = await app.signIn({ email: 'ann@example.com', password: goodPassword })
    await app.sql('update users set email_confirmed = false')
    for (let guess = 0; guess < 5; guess++) await outcome({ ...person, password: 'Wrong-Horse-7' }, {}, app)
    assert.equal(await outcome(person, {}, app), 'LockedOut')
    assert.equal((await refresh(person.refreshToken, app)).status, 200)
  }))

const rotation: [identity: IdentityOptions, used: number, ends: number][] = [
  [{}, 401, 401],
  [{ bearer: { rotateRefreshTokens: false } }, 200, 200],
]
for (const [identity, used, ends] of rotation) {
  const isSwitched = used === 200
  test(`5. a refresh token that was used ${isSwitched ? 'stays usable with rotateRefreshTokens false' : 'is refused after the time of grace, with its session'}`, () =>
    withMailApp({ identity }, async (app) => {
      const person = await app.signIn()
      const next = (await refresh(person.refreshToken, app)).json() as Tokens
      app.clock.advance(31)
      assert.equal((await refresh(person.refreshToken, app)).status, used)
      assert.equal((await refresh(next.refreshToken, app)).status, ends)
    }))
}

test('6. a stamp that SQL has changed: access tokens go on until a refresh, refresh tokens end at once, cookies when they are validated next', async () => {
  const person = await server.signIn()
  const { cookie } = await server.signInWithCookie(person)
  await server.sql("update users set security_stamp = 'ANOTHERSTAMP' where normalized_email = $1", [
    person.email.toUpperCase(),
  ])
  const byCookie = () => server.call('GET', '/account/manage/info', { cookie })
  assert.deepEqual([(await info(person.accessToken)).status, (await refresh(person.refreshToken)).status], [200, 401])
  // A refused refresh ends its session, and the cookie is of another one.
  assert.equal((await info(person.accessToken)).status, 401)
  server.clock.advance(1799)
  assert.equal((await byCookie()).status, 200)
  server.clock.advance(1)
  assert.equal((await byCookie()).status, 401)
})

test('6. an access token of a session that was ended is refused at once', async () => {
  const person = await server.signIn()
  const { users } = server.app.identity
  assert.ok(
    (await users.changePassword((await users.findByEmail(person.email))!, goodPassword, 'Another-Horse-8')).succeeded,
  )
  assert.equal((await info(person.accessToken)).status, 401)
})

test('7. /forgotPassword and /resetPassword need a confirmed address, whatever the options say', async () => {
  const { email } = await server.register()
  assert.deepEqual(await server.mailsOf(() => server.call('POST', '/account/forgotPassword', { json: { email } })), [])
  const { users } = server.app.identity
  const resetCode = users.generatePasswordResetToken((await users.findByEmail(email))!)
  const answer = await server.call('POST', '/account/resetPassword', {
    json: { email, resetCode, newPassword: 'Another-Horse-8' },
  })
  assert.deepEqual((answer.json() as { errors: object }).errors, { InvalidToken: ['Invalid token.'] })
})

test('8. the first POST /manage/2fa {} makes the key and so rotates the stamp; the next one does not, and the session goes on', async () => {
  const person = await server.signIn()
  const before = await stampOf(person)
  await twoFactor(person.accessToken, {})
  const after = await stampOf(person)
  assert.notEqual(after, before)
  await twoFactor(person.accessToken, {})
  assert.equal(await stampOf(person), after)
  assert.equal((await refresh(person.refreshToken)).status, 200)
})

const { password: oldPassword, valid } = vectors('aspnet-password-hashes.json') as {
  password: string
  valid: { hash: string }[]
} // the file's shape

test('9. a rehash at login rotates the stamp', async () => {
  const email = 'migrated@example.com'
  assert.ok(
    (await server.app.identity.users.create({ userName: email, email, passwordHash: valid[0]!.hash })).succeeded,
  )
  const before = await stampOf({ email, password: oldPassword })
  assert.equal(await outcome({ email, password: oldPassword }), 200)
  assert.notEqual(await stampOf({ email, password: oldPassword }), before)
})

test('10. confirming rotates no stamp; a change of address does, and is one step: a taken name leaves everything as it was', async () => {
  let person: Person | undefined
  const letter = await server.mailOf(async () => {
    person = await server.register()
  })
  const before = await stampOf(person!)
  assert.equal((await server.call('GET', letter.path)).status, 200)
  assert.equal(await stampOf(person!), before)

  const { accessToken } = await server.signIn(person)
  const change = await server.mailOf(() =>
    server.call('POST', '/account/manage/info', { token: accessToken, json: { newEmail: 'tenth@example.com' } }),
  )
  await server.register({ email: 'Tenth@example.com' })
  expectEmpty(await server.call('GET', change.path), 401, { 'referrer-policy': 'no-referrer' })
  assert.deepEqual((await info(accessToken)).json(), { email: person!.email, isEmailConfirmed: true })
  assert.equal(await stampOf(person!), before)
})

test('11. bodies are empty, with Content-Length 0, but for problems of validation and login, and the answers that say something', async () => {
  const person = await server.signIn()
  const { email } = person
  const empty: [Promise<Answer>, number][] = [
    [
      server.call('POST', '/account/register', { json: { email: 'eleventh@example.com', password: goodPassword } }),
      200,
    ],
    [server.call('POST', '/account/register', { json: {} }), 400],
    [login(person, {}, server, '?useCookies=true'), 200],
    [server.call('POST', '/account/login', { payload: 'x', headers: { 'content-type': 'text/plain' } }), 415],
    [refresh('x'), 401],
    [server.call('GET', '/account/confirmEmail?userId=x&code=x'), 401],
    [server.call('GET', '/account/confirmEmail'), 400],
    [server.call('POST', '/account/resendConfirmationEmail', { json: { email } }), 200],
    [server.call('POST', '/account/forgotPassword', { json: { email } }), 200],
    [server.call('GET', '/account/manage/info'), 401],
    [server.call('POST', '/account/manage/info', { token: person.accessToken }), 400],
    [server.call('POST', '/account/manage/2fa', { token: person.accessToken, json: null }), 400],
    [server.call('POST', '/account/logout', { token: (await server.signIn(person)).accessToken, json: {} }), 200],
  ]
  for (const [answer, status] of empty) {
    const { body, headers, status: given } = await answer
    assert.deepEqual([given, body, headers['content-length'], headers['content-type']], [status, '', '0', undefined])
  }
  const types = [
    await login({ email, password: 'x' }),
    await server.call('POST', '/account/register', { json: { email: '', password: '' } }),
  ]
  for (const { headers } of types) assert.equal(headers['content-type'], 'application/problem+json')
  for (const { headers } of [await login(person), await info(person.accessToken)])
    assert.equal(headers['content-type'], 'application/json; charset=utf-8')
})

test('12. the 401 of /confirmEmail names no scheme, those of /refresh and /manage name Bearer', async () => {
  const challengeOf = async (answer: Promise<Answer>) => (await answer).headers['www-authenticate']
  assert.equal(await challengeOf(server.call('GET', '/account/confirmEmail?userId=x&code=x')), undefined)
  assert.equal(await challengeOf(login({ email: 'x', password: 'x' })), undefined)
  assert.equal(await challengeOf(refresh('x')), 'Bearer')
  for (const [verb, path] of [
    ['GET', 'info'],
    ['POST', 'info'],
    ['POST', '2fa'],
  ] as const) {
    assert.equal(
      await challengeOf(server.call(verb, `/account/manage/${path}`, verb === 'POST' ? { json: {} } : {})),
      'Bearer',
    )
  }
})

test('13. a bad bearer token is not rescued by a good cookie, a missing one is', async () => {
  const { cookie } = await server.signInWithCookie()
  const by = async (authorization: string | undefined) =>
    (
      await server.call('GET', '/account/manage/info', {
        cookie,
        ...(authorization === undefined ? {} : { headers: { authorization } }),
      })
    ).status
  assert.deepEqual([await by(undefined), await by('Bearer nonsense'), await by('Bearer ')], [200, 401, 401])
  assert.deepEqual([await by('Basic YTpi'), await by('Bearer'), await by('')], [200, 200, 200])
})

test('14. a login with a recovery code is for the session only, even with useCookies=true', async () => {
  const person = await secured()
  const answer = await login(person, { twoFactorRecoveryCode: person.recoveryCodes[0] }, server, '?useCookies=true')
  assert.equal(answer.status, 200)
  assert.equal(answer.setCookies.length, 1)
  assert.ok(!/expires|max-age/i.test(answer.setCookies[0]!))
})

test('15. useSessionCookies=true wins over useCookies=true, for the cookie and for the machine', async () => {
  const person = await secured()
  const query = '?useCookies=true&useSessionCookies=true'
  const answer = await login(person, { twoFactorCode: person.phone.code() }, server, query)
  assert.equal(answer.setCookies.length, 1)
  assert.ok(!/expires|max-age/i.test(answer.setCookies[0]!))
  assert.equal((await login(person, {}, server, query)).status, 401)
  server.clock.advance(30)
  const lasting = await login(
    person,
    { twoFactorCode: person.phone.code() },
    server,
    '?useCookies=true&useSessionCookies=false',
  )
  assert.equal(lasting.setCookies.length, 2)
  assert.ok(lasting.setCookies.every((line) => /; Max-Age=1209600; /.test(line)))
})

test('16. null for a required text: /register says InvalidEmail, /refresh 401, all others 400 without a body', async () => {
  const call = (path: string, json: unknown) => server.call('POST', `/account${path}`, { json })
  const invalid = await call('/register', { email: null, password: goodPassword })
  assert.deepEqual((invalid.json() as { errors: object }).errors, { InvalidEmail: ["Email '' is invalid."] })
  expectEmpty(await refresh(null), 401, { 'www-authenticate': 'Bearer' })
  const bodies: [string, unknown][] = [
    ['/register', { email: 'x@example.com', password: null }],
    ['/login', { email: null, password: 'x' }],
    ['/login', { email: 'x', password: null }],
    ['/resendConfirmationEmail', { email: null }],
    ['/forgotPassword', { email: null }],
    ['/resetPassword', { email: null, resetCode: 'x', newPassword: 'x' }],
    ['/resetPassword', { email: 'x', resetCode: null, newPassword: 'x' }],
    ['/resetPassword', { email: 'x', resetCode: 'x', newPassword: null }],
  ]
  for (const [path, body] of bodies) expectEmpty(await call(path, body), 400)
})

test('17. a sender gets links and codes raw, the default texts escape them', async () => {
  const raw = await server.mailOf(() => server.register({ email: 'seventeen+1@example.com' }))
  const { accessToken } = await server.signIn({ email: 'seventeen+1@example.com', password: goodPassword })
  const change = await server.mailOf(() =>
    server.call('POST', '/account/manage/info', { token: accessToken, json: { newEmail: 'a+b@example.com' } }),
  )
  assert.ok(raw.content.includes('&code=') && !raw.content.includes('&amp;'))
  assert.ok(change.content.endsWith('&changedEmail=a%2Bb%40example.com'))
  const messages: { to: string; subject: string; html: string }[] = []
  await withMailApp(
    {
      identity: {
        email: {
          send(message) {
            messages.push(message)
            return Promise.resolve()
          },
        },
      },
    },
    async (app) => {
      await app.register({ email: 'html@example.com' })
      await app.app.identity.mail.flush()
      await app.sql('update users set email_confirmed = true')
      await app.call('POST', '/account/forgotPassword', { json: { email: 'html@example.com' } })
      await app.app.identity.mail.flush()
    },
  )
  assert.deepEqual(
    messages.map(({ to, subject }) => [to, subject]),
    [
      ['html@example.com', 'Confirm your email'],
      ['html@example.com', 'Reset your password'],
    ],
  )
  assert.match(
    messages[0]!.html,
    /^Please confirm your account by <a href='https:\/\/id\.example\.com\/account\/confirmEmail\?userId=[0-9a-f-]{36}&amp;code=[A-Za-z0-9_-]{100}'>clicking here<\/a>\.$/,
  )
  assert.match(messages[1]!.html, /^Please reset your password using the following code: [A-Za-z0-9_-]{100}$/)
})

test('18. keys of errors stay as they are, members of answers follow jsonNaming', () =>
  withMailApp({ identity: { jsonNaming: 'snake_case' } }, async (app) => {
    const refused = await app.call('POST', '/account/register', {
      json: { email: 'x@example.com', password: 'Weak-Password' },
    })
    assert.deepEqual(Object.keys((refused.json() as { errors: object }).errors), ['PasswordRequiresDigit'])
    const answer = await login(await app.register(), {}, app)
    assert.deepEqual(Object.keys(answer.json() as object), [
      'token_type',
      'access_token',
      'expires_in',
      'refresh_token',
    ])
  }))

test('19. paths, query names and members are found in any letter case, and a slash at the end does not matter', async () => {
  const { email, password } = await server.register()
  const answer = await server.call('POST', '/account/LogIn/?USECOOKIES=True', {
    json: { EMAIL: email, pASSWORD: password },
  })
  assert.equal(answer.status, 200)
  const cookie = pairOf(answer.setCookies[0]!)
  assert.equal((await server.call('GET', '/account/Manage/INFO/', { cookie })).status, 200)
})

test('20. hashes of the reference are read with their big-endian integers; its own tickets are strangers here', async () => {
  for (const [index, { hash }] of valid.entries()) {
    const email = `twentieth${index}@example.com`
    const created = await server.app.identity.users.create({ userName: email, email, passwordHash: hash })
    assert.ok(created.succeeded)
    assert.equal(await server.app.identity.users.checkPassword(created.user, oldPassword), true)
    assert.equal(await server.app.identity.users.checkPassword(created.user, `${oldPassword}x`), false)
  }
  const ticket = `CfDJ8${'A'.repeat(300)}`
  expectEmpty(await info(ticket), 401, { 'www-authenticate': 'Bearer error="invalid_token"' })
  expectEmpty(await refresh(ticket), 401, { 'www-authenticate': 'Bearer' })
})
