// POST /manage/info: another password after the old one, and the mail that changes the address.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type Answer,
  emptyHeaders,
  expectEmpty,
  expectTokenRefused,
  expectProblem,
  goodPassword,
  headersOf,
  type Person,
  type Tokens,
} from '../../support/app.js'
import { type MailApp, parameterOf, publicUrl, startMailApp, withMailApp } from '../../support/mailbox.js'

let server: MailApp

before(async () => {
  server = await startMailApp()
})
after(() => server.close())

const newPassword = 'Another-Horse-8'

function validation(errors: string): string {
  return `{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.1","title":"One or more validation errors occurred.","status":400,"errors":{${errors}}}`
}

const send = (token: string, json: unknown, app: MailApp = server) =>
  app.call('POST', '/account/manage/info', { token, json })

function expectInfo(answer: Answer, email: string, isEmailConfirmed: boolean): void {
  const body = `{"email":"${email}","isEmailConfirmed":${isEmailConfirmed}}`
  assert.equal(answer.body, body)
  assert.equal(answer.status, 200)
  assert.deepEqual(headersOf(answer), {
    ...emptyHeaders,
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(body.length),
  })
}

const statusOfLogin = async ({ email, password }: Person, app: MailApp = server) =>
  (await app.call('POST', '/account/login', { json: { email, password } })).status

/** Signed in, with the mail of the registration out of the way. */
async function signedIn(app: MailApp = server): Promise<Person & Tokens> {
  const person = await app.signIn()
  await app.app.identity.mail.flush()
  return person
}

test('nothing asked for answers what is', async () => {
  const { email, accessToken } = await signedIn()
  const nothings = [
    {},
    { newEmail: null, newPassword: null, oldPassword: null },
    { newEmail: '', newPassword: '' },
    { newEmail: email },
    { oldPassword: 'x' },
    { foo: 1 },
  ]
  const mails = await server.mailsOf(async () => {
    for (const nothing of nothings) expectInfo(await send(accessToken, nothing), email, false)
  })
  assert.deepEqual(mails, [])
  assert.equal(await statusOfLogin({ email, password: goodPassword }), 200)
})

test('a caller who is not signed in is challenged before the body is read', async () => {
  const challenge = { 'www-authenticate': 'Bearer' }
  expectEmpty(await server.call('POST', '/account/manage/info'), 401, challenge)
  expectEmpty(await server.call('POST', '/account/manage/info', { json: {} }), 401, challenge)
  expectEmpty(
    await server.call('POST', '/account/manage/info', {
      payload: '{broken',
      headers: { 'content-type': 'application/json' },
    }),
    401,
    challenge,
  )
  expectTokenRefused(await send('nonsense', { newEmail: 'x' }))
})

test('a body that cannot be read is 400, one that is not JSON is 415', async () => {
  const { accessToken: token } = await signedIn()
  expectEmpty(await server.call('POST', '/account/manage/info', { token }), 400)
  for (const body of [null, [], 'text', 1, { newEmail: 5 }, { newPassword: true }, { oldPassword: [] }])
    expectEmpty(await send(token, body), 400)
  expectEmpty(
    await server.call('POST', '/account/manage/info', {
      token,
      payload: '{',
      headers: { 'content-type': 'application/json' },
    }),
    400,
  )
  expectEmpty(
    await server.call('POST', '/account/manage/info', {
      token,
      payload: '{}',
      headers: { 'content-type': 'text/plain' },
    }),
    415,
  )
})

test('a user who is gone is 404', async () => {
  const { email, accessToken } = await signedIn()
  await server.sql('delete from users where user_name = $1', [email])
  expectEmpty(await send(accessToken, {}), 404)
})

test('a new password needs the old one', async () => {
  const { email, accessToken } = await signedIn()
  const required =
    '"OldPasswordRequired":["The old password is required to set a new password. If the old password is forgotten, use /resetPassword."]'
  for (const oldPassword of [undefined, null, ''])
    expectProblem(await send(accessToken, { newPassword, oldPassword }), 400, validation(required))
  expectProblem(
    await send(accessToken, { newPassword: 'x', oldPassword: 'Wrong-Horse-7' }),
    400,
    validation('"PasswordMismatch":["Incorrect password."]'),
  )
  assert.equal(await statusOfLogin({ email, password: goodPassword }), 200)
})

test('a weak new password is refused as at a registration, after the old one was right', async () => {
  const { email, accessToken } = await signedIn()
  expectProblem(
    await send(accessToken, { newPassword: 'weak-', oldPassword: goodPassword }),
    400,
    validation(
      [
        '"PasswordTooShort":["Passwords must be at least 6 characters."]',
        '"PasswordRequiresDigit":["Passwords must have at least one digit (\'0\'-\'9\')."]',
        '"PasswordRequiresUpper":["Passwords must have at least one uppercase (\'A\'-\'Z\')."]',
      ].join(','),
    ),
  )
  assert.equal(await statusOfLogin({ email, password: goodPassword }), 200)
})

test('a new password counts at once, rotates the stamp and ends all sessions but the one that set it', async () => {
  const { email, accessToken, refreshToken } = await signedIn()
  const elsewhere = await server.signIn({ email, password: goodPassword })
  const browser = await server.signInWithCookie({ email, password: goodPassword })
  const [before] = await server.sql('select security_stamp from users where email = $1', [email])
  expectInfo(await send(accessToken, { newPassword, oldPassword: goodPassword }), email, false)
  const [after] = await server.sql('select security_stamp from users where email = $1', [email])
  assert.notEqual(after!.security_stamp, before!.security_stamp)
  assert.equal((await server.call('GET', '/account/manage/info', { token: elsewhere.accessToken })).status, 401)
  assert.equal((await server.call('GET', '/account/manage/info', { cookie: browser.cookie })).status, 401)
  assert.equal(
    (await server.call('POST', '/account/refresh', { json: { refreshToken: elsewhere.refreshToken } })).status,
    401,
  )
  assert.equal((await server.call('GET', '/account/manage/info', { token: accessToken })).status, 200)
  assert.equal((await server.call('POST', '/account/refresh', { json: { refreshToken } })).status, 200)
  assert.equal(await statusOfLogin({ email, password: goodPassword }), 401)
  assert.equal(await statusOfLogin({ email, password: newPassword }), 200)
})

test('no cookie is issued by a change of password; the one that made it outlives its next validation', async () => {
  const person = await server.register()
  const { cookie } = await server.signInWithCookie(person)
  const answer = await server.call('POST', '/account/manage/info', {
    cookie,
    json: { newPassword, oldPassword: goodPassword },
    headers: { 'sec-fetch-site': 'same-origin' },
  })
  expectInfo(answer, person.email, false)
  assert.deepEqual(answer.setCookies, [])
  server.clock.advance(1799)
  assert.equal((await server.call('GET', '/account/manage/info', { cookie })).status, 200)
  server.clock.advance(1)
  const validated = await server.call('GET', '/account/manage/info', { cookie })
  assert.deepEqual([validated.status, validated.setCookies.length], [200, 1])
})

test('a cookie from another site changes nothing', async () => {
  const { email, cookie } = await server.signInWithCookie()
  for (const headers of [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
  ]) {
    const answer = await server.call('POST', '/account/manage/info', {
      cookie,
      headers,
      json: { newPassword, oldPassword: goodPassword },
    })
    assert.equal(answer.status, 403)
  }
  assert.equal(await statusOfLogin({ email, password: goodPassword }), 200)
})

test('wrong old passwords are counted by session, and lock its guesses but no login', () =>
  withMailApp({}, async (app) => {
    const { email, accessToken } = await signedIn(app)
    const mismatch = validation('"PasswordMismatch":["Incorrect password."]')
    for (let guess = 0; guess < 5; guess++)
      expectProblem(await send(accessToken, { newPassword, oldPassword: `Wrong-Horse-${guess}` }, app), 400, mismatch)
    // Not even the right one while the lock lasts: it would be an oracle.
    expectProblem(await send(accessToken, { newPassword, oldPassword: goodPassword }, app), 400, mismatch)
    const other = await app.signIn({ email, password: goodPassword })
    expectInfo(await send(other.accessToken, { newPassword, oldPassword: goodPassword }, app), email, false)
  }))

test("a stranger's wrong passwords at the login do not keep the owner from changing theirs", () =>
  withMailApp({}, async (app) => {
    const { email, accessToken } = await signedIn(app)
    for (let guess = 0; guess < 6; guess++)
      assert.equal((await app.call('POST', '/account/login', { json: { email, password: 'x' } })).status, 401)
    expectInfo(await send(accessToken, { newPassword, oldPassword: goodPassword }, app), email, false)
  }))

test('a new address is mailed a link and shown once that was followed', async () => {
  const { email, accessToken } = await signedIn()
  const letter = await server.mailOf(async () =>
    expectInfo(await send(accessToken, { newEmail: 'moved@example.com' }), email, false),
  )
  assert.equal(letter.to, 'moved@example.com')
  assert.ok(letter.content.startsWith(`${publicUrl}/account/confirmEmail?userId=`))
  assert.equal(parameterOf(letter, 'changedEmail'), 'moved@example.com')
  assert.equal((await server.call('GET', letter.path)).status, 200)
  expectInfo(await server.call('GET', '/account/manage/info', { token: accessToken }), 'moved@example.com', true)
})

test('what is no address to write to is InvalidEmail, before anything else is looked at', async () => {
  const { email, accessToken } = await signedIn()
  const invalid = [
    'plain',
    '@x',
    'x@',
    'a@b@c',
    'a b@c',
    'a@b c',
    'a@b,c',
    'a@b;c',
    'a@b>',
    '<a@b',
    'a@b\r\nBcc: c',
    'a@b\n',
    '"a"@b',
    'a@b)',
    '\u0000@b',
    'a＠b@c',
    ' ',
  ]
  const mails = await server.mailsOf(async () => {
    for (const newEmail of invalid) {
      const shown = JSON.stringify(newEmail).slice(1, -1)
      expectProblem(
        await send(accessToken, { newEmail, newPassword, oldPassword: goodPassword }),
        400,
        validation(`"InvalidEmail":["Email '${shown}' is invalid."]`),
      )
    }
  })
  assert.deepEqual(mails, [])
  assert.equal(await statusOfLogin({ email, password: goodPassword }), 200)
})

test('a wrong old password sends no mail either', async () => {
  const { accessToken } = await signedIn()
  const mails = await server.mailsOf(async () => {
    assert.equal(
      (await send(accessToken, { newEmail: 'moved2@example.com', newPassword, oldPassword: 'x' })).status,
      400,
    )
    assert.equal(
      (await send(accessToken, { newEmail: 'moved2@example.com', newPassword: 'x', oldPassword: goodPassword })).status,
      400,
    )
    assert.equal((await send(accessToken, { newEmail: 'moved2@example.com', newPassword })).status, 400)
  })
  assert.deepEqual(mails, [])
})

test('password and address may change in one request; the link is of the stamp after it', async () => {
  const { email, accessToken } = await signedIn()
  const letter = await server.mailOf(async () =>
    expectInfo(
      await send(accessToken, { newEmail: 'both@example.com', newPassword, oldPassword: goodPassword }),
      email,
      false,
    ),
  )
  assert.equal((await server.call('GET', letter.path)).status, 200)
  assert.equal(await statusOfLogin({ email: 'both@example.com', password: newPassword }), 200)
})

test('a taken address is answered like a free one', async () => {
  const taken = await server.register()
  const { email, accessToken } = await signedIn()
  const [one, other] = [
    await send(accessToken, { newEmail: taken.email }),
    await send(accessToken, { newEmail: 'free@example.com' }),
  ]
  expectInfo(one, email, false)
  expectInfo(other, email, false)
})

test('other verbs are 405', async () => {
  for (const verb of ['PUT', 'PATCH', 'DELETE'])
    expectEmpty(await server.call(verb, '/account/manage/info'), 405, { allow: 'GET, POST' })
})
