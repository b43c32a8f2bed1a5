// Preset 'hardened' within a session: a stolen one cannot change the credentials without a further proof.
import swagger from '@fastify/swagger'
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Answer, expectProblem, goodPassword, type Person, type Tokens, withApp } from '../support/app.js'
import { type Authenticator, authenticatorOf, wrongCode } from '../support/authenticator.js'
import { type MailApp, startMailApp, withMailApp } from '../support/mailbox.js'

let server: MailApp

before(async () => {
  server = await startMailApp({ identity: { preset: 'hardened' } })
})
after(() => server.close())

const stale =
  '{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.2","title":"Unauthorized","status":401,"detail":"ReauthenticationRequired"}'
const challenge = {
  'www-authenticate':
    'Bearer error="insufficient_user_authentication", error_description="A more recent sign-in is required", max_age="300"',
}
const expectStale = (answer: Answer) => expectProblem(answer, 401, stale, challenge)

function validation(errors: string): string {
  return `{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.1","title":"One or more validation errors occurred.","status":400,"errors":{${errors}}}`
}

const mismatch = validation('"PasswordMismatch":["Incorrect password."]')
const invalidCode = validation(
  '"InvalidTwoFactorCode":["The 2fa token provided by the request was invalid. A valid 2fa token is required to enable 2fa."]',
)

const twoFactor = (token: string, json: unknown) => server.call('POST', '/account/manage/2fa', { token, json })
const info = (token: string, json: unknown) => server.call('POST', '/account/manage/info', { token, json })
const login = (person: Person, more: object = {}) =>
  server.call('POST', '/account/login', { json: { email: person.email, password: person.password, ...more } })

/** Registered and confirmed. */
async function someone(): Promise<Person> {
  let person: Person | undefined
  const letter = await server.mailOf(async () => {
    person = await server.register()
  })
  assert.equal((await server.call('GET', letter.path)).status, 200)
  return person!
}

async function signedIn(): Promise<Person & Tokens> {
  return server.signIn(await someone())
}

/** With a second factor that is on, in a session that was fresh then. */
async function withPhone(): Promise<Person & { token: string; phone: Authenticator }> {
  const { accessToken: token, ...person } = await signedIn()
  const { sharedKey } = (await twoFactor(token, {})).json() as { sharedKey: string }
  const phone = authenticatorOf(sharedKey, server.clock)
  assert.equal((await twoFactor(token, { enable: true, twoFactorCode: phone.code() })).status, 200)
  return { ...person, token, phone }
}

/** What a thief would change: the row, the second factor's key, its codes. */
const stateOf = (email: string) =>
  server.sql(
    `
  select u.email, u.two_factor_enabled, u.security_stamp, (select string_agg(t.name || t.value, ' ' order by t.name) from user_tokens t where t.user_id = u.id) as tokens,
    (select string_agg(c::text, ' ' order by c::text) from recovery_codes c where c.user_id = u.id) as codes
  from users u where u.email = $1`,
    [email],
  )

test('a sign-in of five minutes ago is fresh, one second older is not, and a refresh does not change that', async () => {
  const { accessToken, refreshToken } = await signedIn()
  server.clock.advance(300)
  assert.equal((await info(accessToken, { newEmail: 'in-time@example.com' })).status, 200)
  server.clock.advance(1)
  expectStale(await info(accessToken, { newEmail: 'late@example.com' }))
  const renewed = (await server.call('POST', '/account/refresh', { json: { refreshToken } })).json() as Tokens
  expectStale(await info(renewed.accessToken, { newEmail: 'late@example.com' }))
})

test('signing in again makes the next five minutes', async () => {
  const { accessToken, ...person } = await signedIn()
  server.clock.advance(301)
  expectStale(await twoFactor(accessToken, { resetSharedKey: true }))
  const { accessToken: token } = (await login(person)).json() as Tokens
  assert.equal((await twoFactor(token, { resetSharedKey: true })).status, 200)
})

test('a stolen session that is older moves no address, and changes nothing of a second factor, on or off', async () => {
  const phone = await withPhone()
  const plain = await signedIn()
  await twoFactor(plain.accessToken, {})
  server.clock.advance(301)
  for (const [token, { email }] of [
    [phone.token, phone],
    [plain.accessToken, plain],
  ] as const) {
    const before = await stateOf(email)
    const mails = await server.mailsOf(async () => {
      for (const json of [{ newEmail: 'thief@example.com' }, { newEmail: 'thief@example.com', oldPassword: '' }])
        expectStale(await info(token, json))
      for (const json of [
        { enable: false },
        { resetSharedKey: true },
        { resetRecoveryCodes: true },
        { enable: true },
        { enable: false, twoFactorCode: '' },
        { enable: true, resetSharedKey: true },
        { resetSharedKey: true, forgetMachine: true },
      ])
        expectStale(await twoFactor(token, json))
    })
    assert.deepEqual(mails, [])
    assert.deepEqual(await stateOf(email), before)
  }
})

test('a thief cannot switch a second factor on with the key that the answer shows', async () => {
  const { accessToken } = await signedIn()
  server.clock.advance(301)
  const { sharedKey } = (await twoFactor(accessToken, {})).json() as { sharedKey: string }
  expectStale(
    await twoFactor(accessToken, { enable: true, twoFactorCode: authenticatorOf(sharedKey, server.clock).code() }),
  )
})

test('a cookie is asked as well', async () => {
  const { cookie } = await server.signInWithCookie(await someone())
  const headers = { 'sec-fetch-site': 'same-origin' }
  server.clock.advance(301)
  expectStale(await server.call('POST', '/account/manage/2fa', { cookie, headers, json: { resetRecoveryCodes: true } }))
  expectStale(
    await server.call('POST', '/account/manage/info', { cookie, headers, json: { newEmail: 'thief@example.com' } }),
  )
})

test('what is not sensitive needs nothing fresh, and a new password needs the old one as ever', async () => {
  const { accessToken: token, email } = await signedIn()
  server.clock.advance(301)
  assert.equal((await twoFactor(token, {})).status, 200)
  assert.equal((await twoFactor(token, { enable: null, resetSharedKey: false, forgetMachine: true })).status, 200)
  assert.equal((await info(token, {})).status, 200)
  assert.equal((await info(token, { newEmail: email })).status, 200)
  assert.equal((await info(token, { newPassword: 'another long password' })).status, 400)
  assert.equal((await info(token, { newPassword: 'another long password', oldPassword: goodPassword })).status, 200)
})

test('the old password moves an address from an older session, and a wrong one does not', async () => {
  const { accessToken: token } = await signedIn()
  server.clock.advance(301)
  assert.deepEqual(
    await server.mailsOf(async () =>
      expectProblem(
        await info(token, { newEmail: 'moved@example.com', oldPassword: 'a wrong long password' }),
        400,
        mismatch,
      ),
    ),
    [],
  )
  const letter = await server.mailOf(() => info(token, { newEmail: 'moved@example.com', oldPassword: goodPassword }))
  assert.equal(letter.to, 'moved@example.com')
})

test('with a new password the old one is proved once for both, and a wrong one changes neither', async () => {
  const { accessToken: token, email } = await signedIn()
  server.clock.advance(301)
  const both = { newEmail: 'both@example.com', newPassword: 'another long password' }
  const before = await stateOf(email)
  assert.deepEqual(
    await server.mailsOf(async () =>
      expectProblem(await info(token, { ...both, oldPassword: 'a wrong long password' }), 400, mismatch),
    ),
    [],
  )
  assert.deepEqual(await stateOf(email), before)
  const letters = await server.mailsOf(() => info(token, { ...both, oldPassword: goodPassword }))
  assert.deepEqual(
    letters.map(({ to, kind }) => [to, kind]),
    [
      [email, 'securityNotice'],
      ['both@example.com', 'confirmationLink'],
    ],
  )
  assert.equal((await login({ email, password: 'another long password' })).status, 200)
})

test('guesses of the password from a stolen session lock the name, and then not even the right one counts', async () => {
  const { accessToken: token, ...person } = await signedIn()
  server.clock.advance(301)
  for (let guess = 0; guess < 5; guess++) {
    expectProblem(
      await info(token, { newEmail: 'thief@example.com', oldPassword: `a wrong password ${guess}` }),
      400,
      mismatch,
    )
  }
  assert.equal(((await login(person)).json() as { detail: string }).detail, 'LockedOut')
  expectProblem(await info(token, { newEmail: 'thief@example.com', oldPassword: person.password }), 400, mismatch)
})

test('a code of the app changes the second factor from an older session, and once', async () => {
  const { token, phone, ...person } = await withPhone()
  server.clock.advance(301)
  const twoFactorCode = phone.code()
  const codes = (await twoFactor(token, { resetRecoveryCodes: true, twoFactorCode })).json() as {
    recoveryCodes: string[]
  }
  assert.equal(codes.recoveryCodes.length, 10)
  expectProblem(await twoFactor(token, { enable: false, twoFactorCode }), 400, invalidCode)
  expectProblem(await login(person, { twoFactorCode }), 401, stale.replace('ReauthenticationRequired', 'Failed'))
  server.clock.advance(30)
  assert.equal((await twoFactor(token, { enable: false, twoFactorCode: phone.code() })).status, 200)
  assert.equal((await login(person)).status, 200)
})

test('of any number of changes with one code at once one happens', async () => {
  const { token, phone } = await withPhone()
  server.clock.advance(301)
  const twoFactorCode = phone.code()
  // As many as may fail: more would wait for each other.
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => twoFactor(token, { resetRecoveryCodes: true, twoFactorCode })),
  )
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 400, 400, 400, 400])
})

test('guesses of the code from a stolen session lock the name, and then not even the right one counts', async () => {
  const { token, phone, ...person } = await withPhone()
  server.clock.advance(301)
  const twoFactorCode = wrongCode(phone)
  for (let guess = 0; guess < 5; guess++)
    expectProblem(await twoFactor(token, { enable: false, twoFactorCode }), 400, invalidCode)
  assert.equal(
    ((await login(person, { twoFactorCode: phone.code() })).json() as { detail: string }).detail,
    'LockedOut',
  )
  expectProblem(await twoFactor(token, { enable: false, twoFactorCode: phone.code() }), 400, invalidCode)
})

test('the shared key is shown until the second factor is on, and never again', async () => {
  const { accessToken: token, ...person } = await signedIn()
  const keyOf = (answer: Answer) => (answer.json() as { sharedKey: string }).sharedKey
  const sharedKey = keyOf(await twoFactor(token, {}))
  assert.match(sharedKey, /^[A-Z2-7]{32}$/)
  assert.equal(keyOf(await twoFactor(token, {})), sharedKey)
  const phone = authenticatorOf(sharedKey, server.clock)
  const answers = [
    await twoFactor(token, { enable: true, twoFactorCode: phone.code() }),
    await twoFactor(token, {}),
    await twoFactor(token, { forgetMachine: true }),
    await twoFactor(token, { resetRecoveryCodes: true }),
  ]
  const { accessToken: another } = (await login(person, { twoFactorCode: phone.code(1) })).json() as Tokens
  answers.push(await twoFactor(another, {}))
  for (const answer of answers) {
    assert.equal(answer.status, 200)
    assert.equal(keyOf(answer), '')
    assert.ok(!answer.body.includes(sharedKey))
  }
  const next = keyOf(await twoFactor(another, { resetSharedKey: true }))
  assert.match(next, /^[A-Z2-7]{32}$/)
  assert.notEqual(next, sharedKey)
})

interface Paths {
  readonly [path: string]: Readonly<
    Record<
      string,
      { readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: object }>> }
    >
  >
}

test('the document says which routes answer with the challenge', () =>
  withMailApp(
    {
      identity: { preset: 'hardened' },
      before: (app) => app.register(swagger, { openapi: { info: { title: 'Host', version: '1' } } }),
    },
    (app) => {
      const { paths } = app.app.swagger() as unknown as { paths: Paths } // as @fastify/swagger writes it
      const stale = Object.entries(paths)
        .flatMap(([path, verbs]) =>
          Object.entries(verbs).map(([verb, { responses }]) => ({ route: `${verb} ${path}`, answer: responses[401] })),
        )
        .filter(
          ({ answer }) =>
            answer?.description.includes('ReauthenticationRequired') === true &&
            'application/problem+json' in (answer.content ?? {}),
        )
      assert.deepEqual(stale.map(({ route }) => route).sort(), [
        'post /account/manage/2fa',
        'post /account/manage/info',
      ])
      return Promise.resolve()
    },
  ))

test('by default none of this is asked: an old session does what it does in the reference', () =>
  withApp({}, async (app) => {
    const { accessToken: token } = await app.signIn()
    const ask = (json: unknown) => app.call('POST', '/account/manage/2fa', { token, json })
    const { sharedKey } = (await ask({})).json() as { sharedKey: string }
    app.clock.advance(3000)
    const phone = authenticatorOf(sharedKey, app.clock)
    assert.equal((await ask({ enable: true, twoFactorCode: phone.code() })).status, 200)
    assert.equal(((await ask({})).json() as { sharedKey: string }).sharedKey, sharedKey)
    assert.equal((await ask({ enable: false })).status, 200)
    assert.equal(
      (await app.call('POST', '/account/manage/info', { token, json: { newEmail: 'new@example.com' } })).status,
      200,
    )
  }))
