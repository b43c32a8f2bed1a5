import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Answer, expectEmpty, expectProblem, goodPassword, type Person } from '../support/app.js'
import { type MailApp, parameterOf, startMailApp, withMailApp } from '../support/mailbox.js'
import { bitFlips, blankings, respellings } from '../support/tampering.js'

let server: MailApp

before(async () => {
  server = await startMailApp()
})
after(() => server.close())

const newPassword = 'Another-Horse-8'
const reset = (json: unknown, app: MailApp = server) => app.call('POST', '/account/resetPassword', { json })

function validation(errors: string): string {
  return `{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.1","title":"One or more validation errors occurred.","status":400,"errors":{${errors}}}`
}

const expectInvalidToken = (answer: Answer) =>
  expectProblem(answer, 400, validation('"InvalidToken":["Invalid token."]'))

/** Somebody whose address is confirmed and who was mailed a code. */
async function forgetful(
  app: MailApp = server,
): Promise<Person & { readonly userId: string; readonly resetCode: string }> {
  let person: Person | undefined
  const letter = await app.mailOf(async () => {
    person = await app.register()
  })
  assert.equal((await app.call('GET', letter.path)).status, 200)
  const { content } = await app.mailOf(() =>
    app.call('POST', '/account/forgotPassword', { json: { email: person!.email } }),
  )
  return { ...person!, userId: parameterOf(letter, 'userId'), resetCode: content }
}

const statusOfLogin = async ({ email, password }: Person, app: MailApp = server) =>
  (await app.call('POST', '/account/login', { json: { email, password } })).status

test('a mailed code sets a new password and answers 200 with nothing in it', async () => {
  const person = await forgetful()
  expectEmpty(await reset({ email: person.email, resetCode: person.resetCode, newPassword }), 200)
  assert.equal(await statusOfLogin(person), 401)
  assert.equal(await statusOfLogin({ ...person, password: newPassword }), 200)
})

test('a code works once', async () => {
  const { email, resetCode } = await forgetful()
  expectEmpty(await reset({ email, resetCode, newPassword }), 200)
  expectInvalidToken(await reset({ email, resetCode, newPassword: 'Third-Horse-9' }))
  assert.equal(await statusOfLogin({ email, password: newPassword }), 200)
})

test('a reset ends the other codes of the user', async () => {
  const { email, resetCode, userId } = await forgetful()
  const second = await server.mailOf(() => server.call('POST', '/account/forgotPassword', { json: { email } }))
  const { users } = server.app.identity
  const change = users.generateChangeEmailToken((await users.findById(userId))!, 'new@example.com')
  expectEmpty(await reset({ email, resetCode: second.content, newPassword }), 200)
  expectInvalidToken(await reset({ email, resetCode, newPassword: 'Third-Horse-9' }))
  expectEmpty(
    await server.call('GET', `/account/confirmEmail?userId=${userId}&code=${change}&changedEmail=new%40example.com`),
    401,
    { 'referrer-policy': 'no-referrer' },
  )
})

test('the address is found in any letter case', async () => {
  const { email, resetCode } = await forgetful()
  expectEmpty(await reset({ Email: email.toUpperCase(), RESETCODE: resetCode, newPASSWORD: newPassword }), 200)
})

test('a reset ends every session at once, and signs nobody in', async () => {
  const person = await forgetful()
  const { accessToken, refreshToken } = await server.signIn(person)
  const { cookie } = await server.signInWithCookie(person)
  const answer = await reset({ email: person.email, resetCode: person.resetCode, newPassword })
  assert.deepEqual([answer.status, answer.setCookies], [200, []])
  assert.equal((await server.call('GET', '/account/manage/info', { token: accessToken })).status, 401)
  assert.equal((await server.call('GET', '/account/manage/info', { cookie })).status, 401)
  assert.equal((await server.call('POST', '/account/refresh', { json: { refreshToken } })).status, 401)
  assert.deepEqual(await server.sql('select id from sessions where user_id = $1', [person.userId]), [])
})

test('a code is good until the second before its hour is over', () =>
  withMailApp({}, async (app) => {
    const person = await forgetful(app)
    app.clock.advance(3600)
    expectInvalidToken(await reset({ email: person.email, resetCode: person.resetCode, newPassword }, app))
    const another = await app.mailOf(() =>
      app.call('POST', '/account/forgotPassword', { json: { email: person.email } }),
    )
    app.clock.advance(3599)
    expectEmpty(await reset({ email: person.email, resetCode: another.content, newPassword }, app), 200)
  }))

test('option codes.resetPasswordSeconds says how long', () =>
  withMailApp({ identity: { codes: { resetPasswordSeconds: 30 } } }, async (app) => {
    const [ann, bob] = [await forgetful(app), await forgetful(app)]
    app.clock.advance(29)
    expectEmpty(await reset({ email: ann.email, resetCode: ann.resetCode, newPassword }, app), 200)
    app.clock.advance(1)
    expectInvalidToken(await reset({ email: bob.email, resetCode: bob.resetCode, newPassword }, app))
  }))

test('an unknown user, an unconfirmed one and every fault of a code are the same InvalidToken', async () => {
  const { email, resetCode, userId } = await forgetful()
  const other = await forgetful()
  const unconfirmed = await server.register()
  const { users } = server.app.identity
  const unconfirmedUser = (await users.findByEmail(unconfirmed.email))!
  const user = (await users.findById(userId))!
  const { accessToken, refreshToken } = await server.signIn({ email, password: goodPassword })
  // The password is weak everywhere: its faults are not reported before the code was right.
  const answers = [
    await reset({ email: 'nobody@example.com', resetCode, newPassword: 'x' }),
    await reset({ email: '', resetCode, newPassword: '' }),
    await reset({ email: 'nul\0', resetCode, newPassword: '' }),
    await reset({
      email: unconfirmed.email,
      resetCode: users.generatePasswordResetToken(unconfirmedUser),
      newPassword: 'x',
    }),
    await reset({ email: other.email, resetCode, newPassword: 'x' }),
    await reset({ email, resetCode: other.resetCode, newPassword: 'x' }),
    await reset({ email, resetCode: users.generateEmailConfirmationToken(user), newPassword: 'x' }),
    await reset({ email, resetCode: users.generateChangeEmailToken(user, email), newPassword: 'x' }),
    await reset({ email, resetCode: accessToken, newPassword: 'x' }),
    await reset({ email, resetCode: refreshToken, newPassword: 'x' }),
    ...(await Promise.all(
      ['', ' ', '!', 'x', 'null', '\0', 'é', 'A'.repeat(100), 'A'.repeat(5000)].map((code) =>
        reset({ email, resetCode: code, newPassword: 'x' }),
      ),
    )),
  ]
  for (const answer of answers) expectInvalidToken(answer)
  assert.equal(new Set(answers.map(({ headers }) => JSON.stringify(Object.entries({ ...headers, date: '' })))).size, 1)
  expectEmpty(await reset({ email, resetCode, newPassword }), 200)
})

test('a code that is mangled, shortened or spelled otherwise is invalid', async () => {
  const { email, resetCode } = await forgetful()
  for (const wrong of respellings(resetCode)) expectInvalidToken(await reset({ email, resetCode: wrong, newPassword }))
  let place = 0
  for (const wrong of bitFlips(resetCode))
    if (place++ % 7 === 0) expectInvalidToken(await reset({ email, resetCode: wrong, newPassword }))
  for (let length = 0; length < resetCode.length; length += 5)
    expectInvalidToken(await reset({ email, resetCode: resetCode.slice(0, length), newPassword }))
  assert.equal(await statusOfLogin({ email, password: goodPassword }), 200)
})

test('blanks and line breaks around and in a code do not matter', async () => {
  const { email, resetCode } = await forgetful()
  for (const code of blankings(resetCode))
    assert.match((await reset({ email, resetCode: code, newPassword: '' })).body, /PasswordTooShort/)
})

test('with a good code the password is judged as at a registration, and the code stays good', async () => {
  const { email, resetCode } = await forgetful()
  expectProblem(
    await reset({ email, resetCode, newPassword: '' }),
    400,
    validation(
      [
        '"PasswordTooShort":["Passwords must be at least 6 characters."]',
        '"PasswordRequiresNonAlphanumeric":["Passwords must have at least one non alphanumeric character."]',
        '"PasswordRequiresDigit":["Passwords must have at least one digit (\'0\'-\'9\')."]',
        '"PasswordRequiresLower":["Passwords must have at least one lowercase (\'a\'-\'z\')."]',
        '"PasswordRequiresUpper":["Passwords must have at least one uppercase (\'A\'-\'Z\')."]',
        '"PasswordRequiresUniqueChars":["Passwords must use at least 1 different characters."]',
      ].join(','),
    ),
  )
  expectProblem(
    await reset({ email, resetCode, newPassword: `Aa1!${'x'.repeat(509)}` }),
    400,
    validation('"PasswordTooLong":["Passwords must be at most 512 characters."]'),
  )
  assert.equal(await statusOfLogin({ email, password: goodPassword }), 200)
  expectEmpty(await reset({ email, resetCode, newPassword }), 200)
})

test('the old password may be the new one', async () => {
  const { email, resetCode, password } = await forgetful()
  expectEmpty(await reset({ email, resetCode, newPassword: password }), 200)
  assert.equal(await statusOfLogin({ email, password }), 200)
})

test('a code outlives a confirmation and a login, but no change of the second factor', async () => {
  const { email, password, resetCode, userId } = await forgetful()
  await server.signIn({ email, password })
  const again = await server.mailOf(() => server.call('POST', '/account/resendConfirmationEmail', { json: { email } }))
  await server.call('GET', again.path)
  const { users } = server.app.identity
  const user = (await users.findById(userId))!
  // Judged by its password: the code is good.
  expectProblem(
    await reset({ email, resetCode, newPassword: 'ort7-' }),
    400,
    validation(
      '"PasswordTooShort":["Passwords must be at least 6 characters."],"PasswordRequiresUpper":["Passwords must have at least one uppercase (\'A\'-\'Z\')."]',
    ),
  )
  assert.ok((await users.setTwoFactorEnabled(user, false)).succeeded)
  expectInvalidToken(await reset({ email, resetCode, newPassword }))
})

test('a reset never passes the second factor by', async () => {
  const { email, resetCode, userId } = await forgetful()
  await server.sql('update users set two_factor_enabled = true where id = $1', [userId])
  expectEmpty(await reset({ email, resetCode, newPassword }), 200)
  const answer = await server.call('POST', '/account/login', { json: { email, password: newPassword } })
  assert.deepEqual([answer.status, (answer.json() as { detail: string }).detail], [401, 'RequiresTwoFactor'])
})

test('null, a missing member and a wrong type are 400 without a body', async () => {
  const { email, resetCode } = await forgetful()
  const whole = { email, resetCode, newPassword }
  for (const name of ['email', 'resetCode', 'newPassword']) {
    for (const value of [null, undefined, 5, true, [], {}]) expectEmpty(await reset({ ...whole, [name]: value }), 400)
  }
  for (const body of [null, [], 'text', 1, {}]) expectEmpty(await reset(body), 400)
  expectEmpty(await server.call('POST', '/account/resetPassword'), 400)
  expectEmpty(
    await server.call('POST', '/account/resetPassword', {
      payload: JSON.stringify(whole),
      headers: { 'content-type': 'text/plain' },
    }),
    415,
  )
  assert.equal(await statusOfLogin({ email, password: goodPassword }), 200)
})

test('other verbs are 405', async () => {
  for (const verb of ['GET', 'PUT', 'PATCH', 'DELETE'])
    expectEmpty(await server.call(verb, '/account/resetPassword'), 405, { allow: 'POST' })
})

test('a validator of the host has a say in a reset', () =>
  withMailApp(
    {
      identity: {
        password: {
          validators: [
            (password, user) =>
              password.includes(user.userName) ? [{ code: 'TooNear', description: 'Too near' }] : [],
          ],
        },
      },
    },
    async (app) => {
      const { email, resetCode } = await forgetful(app)
      expectProblem(
        await reset({ email, resetCode, newPassword: `${email}-Aa1` }, app),
        400,
        validation('"TooNear":["Too near"]'),
      )
    },
  ))
