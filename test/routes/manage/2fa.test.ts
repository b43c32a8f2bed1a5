// POST /manage/2fa: what it answers, step by step in the reference's order.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type Answer,
  emptyHeaders,
  expectChallenge,
  expectEmpty,
  expectProblem,
  headersOf,
  type Person,
  startApp,
  type TestApp,
  type Tokens,
  withApp,
} from '../../support/app.js'
import { type Authenticator, authenticatorOf, wrongCode } from '../../support/authenticator.js'

let server: TestApp

before(async () => {
  server = await startApp()
})
after(() => server.close())

interface TwoFactor {
  readonly sharedKey: string
  readonly recoveryCodesLeft: number
  readonly recoveryCodes: readonly string[] | null
  readonly isTwoFactorEnabled: boolean
  readonly isMachineRemembered: boolean
}

function validation(errors: string): string {
  return `{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.1","title":"One or more validation errors occurred.","status":400,"errors":{${errors}}}`
}

const send = (token: string, json: unknown, app: TestApp = server) =>
  app.call('POST', '/account/manage/2fa', { token, json })

async function ask(token: string, json: unknown, app: TestApp = server): Promise<TwoFactor> {
  const answer = await send(token, json, app)
  assert.equal(answer.status, 200, answer.body)
  return answer.json() as TwoFactor
}

/** Somebody signed in who has a key and an app that shows its codes, but has not switched the second factor on. */
async function prepared(app: TestApp = server): Promise<Person & Tokens & { readonly phone: Authenticator }> {
  const signedIn = await app.signIn()
  const { sharedKey } = await ask(signedIn.accessToken, {}, app)
  return { ...signedIn, phone: authenticatorOf(sharedKey, app.clock) }
}

async function stampOf({ email }: Person): Promise<unknown> {
  const [user] = await server.sql('select security_stamp from users where email = $1', [email])
  return user!.security_stamp
}

const expectRefused = (answer: Answer, code: string, message: string) =>
  expectProblem(answer, 400, validation(`"${code}":["${message}"]`))
const invalidCode = 'The 2fa token provided by the request was invalid. A valid 2fa token is required to enable 2fa.'

test('the first {} makes a key, says so in the order of the reference, and rotates the stamp', async () => {
  const signedIn = await server.signIn()
  const before = await stampOf(signedIn)
  const answer = await send(signedIn.accessToken, {})
  const { sharedKey } = answer.json() as TwoFactor
  assert.match(sharedKey, /^[A-Z2-7]{32}$/)
  const body = `{"sharedKey":"${sharedKey}","recoveryCodesLeft":0,"recoveryCodes":null,"isTwoFactorEnabled":false,"isMachineRemembered":false}`
  assert.equal(answer.body, body)
  assert.equal(answer.status, 200)
  assert.deepEqual(headersOf(answer), {
    ...emptyHeaders,
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(body.length),
  })
  assert.notEqual(await stampOf(signedIn), before)
  assert.equal(
    (await server.call('POST', '/account/refresh', { json: { refreshToken: signedIn.refreshToken } })).status,
    200,
  )
  assert.equal((await server.call('GET', '/account/manage/info', { token: signedIn.accessToken })).status, 200)
})

test('a second {} answers the same key and changes nothing', async () => {
  const person = await prepared()
  const before = await stampOf(person)
  assert.deepEqual(await ask(person.accessToken, {}), {
    sharedKey: person.phone.sharedKey,
    recoveryCodesLeft: 0,
    recoveryCodes: null,
    isTwoFactorEnabled: false,
    isMachineRemembered: false,
  })
  assert.equal(await stampOf(person), before)
})

test('null counts as not said where the reference allows it, and is 400 elsewhere', async () => {
  const person = await prepared()
  const before = await stampOf(person)
  assert.equal((await ask(person.accessToken, { enable: null, twoFactorCode: null })).isTwoFactorEnabled, false)
  assert.equal(await stampOf(person), before)
  for (const name of ['resetSharedKey', 'resetRecoveryCodes', 'forgetMachine'])
    expectEmpty(await send(person.accessToken, { [name]: null }), 400)
})

test('a body that cannot be read is 400, one that is not JSON is 415, nobody is challenged', async () => {
  const { accessToken: token } = await server.signIn()
  expectEmpty(await server.call('POST', '/account/manage/2fa', { token }), 400)
  const wrong = [
    null,
    [],
    'text',
    1,
    { enable: 'true' },
    { enable: 1 },
    { twoFactorCode: 123456 },
    { resetSharedKey: 'true' },
    { forgetMachine: 0 },
    { resetRecoveryCodes: [] },
  ]
  for (const body of wrong) expectEmpty(await send(token, body), 400)
  expectEmpty(
    await server.call('POST', '/account/manage/2fa', {
      token,
      payload: '{}',
      headers: { 'content-type': 'text/plain' },
    }),
    415,
  )
  expectChallenge(await server.call('POST', '/account/manage/2fa'))
  expectChallenge(await server.call('POST', '/account/manage/2fa', { json: {} }))
  for (const verb of ['GET', 'PUT', 'PATCH', 'DELETE'])
    expectEmpty(await server.call(verb, '/account/manage/2fa', { token }), 405, { allow: 'POST' })
})

test('a user who is gone is 404', async () => {
  const { email, accessToken } = await server.signIn()
  await server.sql('delete from users where email = $1', [email])
  expectEmpty(await send(accessToken, {}), 404)
})

test('switching on with a code of the app gives ten recovery codes once, and rotates the stamp', async () => {
  const person = await prepared()
  const before = await stampOf(person)
  const { recoveryCodes, ...said } = await ask(person.accessToken, { enable: true, twoFactorCode: person.phone.code() })
  assert.deepEqual(said, {
    sharedKey: person.phone.sharedKey,
    recoveryCodesLeft: 10,
    isTwoFactorEnabled: true,
    isMachineRemembered: false,
  })
  assert.equal(recoveryCodes?.length, 10)
  assert.equal(new Set(recoveryCodes).size, 10)
  for (const code of recoveryCodes)
    assert.match(code, /^[23456789BCDFGHJKMNPQRTVWXY]{5}-[23456789BCDFGHJKMNPQRTVWXY]{5}$/)
  assert.notEqual(await stampOf(person), before)
  assert.deepEqual(await ask(person.accessToken, {}), {
    sharedKey: person.phone.sharedKey,
    recoveryCodesLeft: 10,
    recoveryCodes: null,
    isTwoFactorEnabled: true,
    isMachineRemembered: false,
  })
})

test('switching on ends the other sessions of the user at once', async () => {
  const person = await prepared()
  const elsewhere = await server.signIn(person)
  await ask(person.accessToken, { enable: true, twoFactorCode: person.phone.code() })
  assert.equal((await server.call('GET', '/account/manage/info', { token: elsewhere.accessToken })).status, 401)
  assert.equal(
    (await server.call('POST', '/account/refresh', { json: { refreshToken: elsewhere.refreshToken } })).status,
    401,
  )
  assert.equal((await server.call('GET', '/account/manage/info', { token: person.accessToken })).status, 200)
})

test('switching on together with resetSharedKey is refused before anything else', async () => {
  const person = await prepared()
  const before = await stampOf(person)
  const message =
    'Resetting the 2fa shared key must disable 2fa until a 2fa token based on the new shared key is validated.'
  for (const twoFactorCode of [person.phone.code(), undefined, '']) {
    expectRefused(
      await send(person.accessToken, { enable: true, resetSharedKey: true, twoFactorCode, resetRecoveryCodes: true }),
      'CannotResetSharedKeyAndEnable',
      message,
    )
  }
  assert.equal(await stampOf(person), before)
  assert.equal((await ask(person.accessToken, {})).recoveryCodesLeft, 0)
})

test('switching on needs a code', async () => {
  const person = await prepared()
  const message = 'No 2fa token was provided by the request. A valid 2fa token is required to enable 2fa.'
  for (const twoFactorCode of [undefined, null, ''])
    expectRefused(await send(person.accessToken, { enable: true, twoFactorCode }), 'RequiresTwoFactor', message)
})

test('switching on needs a code that the app shows right now', async () => {
  const person = await prepared()
  const right = person.phone.code()
  const wrong = [
    wrongCode(person.phone),
    'abcdef',
    ' ',
    '1',
    `+${right}`,
    `-${right}`,
    `${right}0`,
    '1e5',
    `${right.slice(0, 3)} ${right.slice(3)}`,
    '\0',
    'AAAAA-AAAAA',
  ]
  for (const twoFactorCode of wrong)
    expectRefused(await send(person.accessToken, { enable: true, twoFactorCode }), 'InvalidTwoFactorCode', invalidCode)
  assert.equal((await ask(person.accessToken, {})).isTwoFactorEnabled, false)
})

test('without a key no code switches on', async () => {
  const { accessToken } = await server.signIn()
  expectRefused(await send(accessToken, { enable: true, twoFactorCode: '000000' }), 'InvalidTwoFactorCode', invalidCode)
})

test('a recovery code switches nothing on', async () => {
  const person = await prepared()
  const { recoveryCodes } = await ask(person.accessToken, { resetRecoveryCodes: true })
  expectRefused(
    await send(person.accessToken, { enable: true, twoFactorCode: recoveryCodes![0] }),
    'InvalidTwoFactorCode',
    invalidCode,
  )
})

test('switching on again keeps the recovery codes, as long as one is left', async () => {
  const person = await prepared()
  await ask(person.accessToken, { enable: true, twoFactorCode: person.phone.code() })
  server.clock.advance(30)
  const again = await ask(person.accessToken, { enable: true, twoFactorCode: person.phone.code() })
  assert.deepEqual([again.recoveryCodes, again.recoveryCodesLeft], [null, 10])
  await server.sql('delete from recovery_codes where user_id = (select id from users where email = $1)', [person.email])
  server.clock.advance(30)
  const fresh = await ask(person.accessToken, { enable: true, twoFactorCode: person.phone.code() })
  assert.deepEqual([fresh.recoveryCodes?.length, fresh.recoveryCodesLeft], [10, 10])
})

test('switching off keeps key and recovery codes, rotates the stamp and ends the other sessions', async () => {
  const person = await prepared()
  await ask(person.accessToken, { enable: true, twoFactorCode: person.phone.code() })
  const before = await stampOf(person)
  assert.deepEqual(await ask(person.accessToken, { enable: false }), {
    sharedKey: person.phone.sharedKey,
    recoveryCodesLeft: 10,
    recoveryCodes: null,
    isTwoFactorEnabled: false,
    isMachineRemembered: false,
  })
  assert.notEqual(await stampOf(person), before)
  assert.equal(
    (await server.call('POST', '/account/login', { json: { email: person.email, password: person.password } })).status,
    200,
  )
})

test('a code is not looked at unless something is switched on', async () => {
  const person = await prepared()
  assert.equal((await ask(person.accessToken, { twoFactorCode: 'nonsense' })).isTwoFactorEnabled, false)
  assert.equal((await ask(person.accessToken, { enable: false, twoFactorCode: 'nonsense' })).isTwoFactorEnabled, false)
})

test('resetSharedKey gives another key and switches off', async () => {
  const person = await prepared()
  await ask(person.accessToken, { enable: true, twoFactorCode: person.phone.code() })
  const { sharedKey, ...said } = await ask(person.accessToken, { resetSharedKey: true })
  assert.notEqual(sharedKey, person.phone.sharedKey)
  assert.deepEqual(said, {
    recoveryCodesLeft: 10,
    recoveryCodes: null,
    isTwoFactorEnabled: false,
    isMachineRemembered: false,
  })
  // The old app's codes are worth nothing any more, the new one's are.
  expectRefused(
    await send(person.accessToken, { enable: true, twoFactorCode: person.phone.code() }),
    'InvalidTwoFactorCode',
    invalidCode,
  )
  const phone = authenticatorOf(sharedKey, server.clock)
  assert.equal((await ask(person.accessToken, { enable: true, twoFactorCode: phone.code() })).isTwoFactorEnabled, true)
})

test('resetSharedKey with enable false is the same', async () => {
  const person = await prepared()
  const { sharedKey, isTwoFactorEnabled } = await ask(person.accessToken, { enable: false, resetSharedKey: true })
  assert.notEqual(sharedKey, person.phone.sharedKey)
  assert.equal(isTwoFactorEnabled, false)
})

test('resetRecoveryCodes replaces all codes, also while the second factor is off, and rotates no stamp', async () => {
  const person = await prepared()
  const before = await stampOf(person)
  const first = await ask(person.accessToken, { resetRecoveryCodes: true })
  const second = await ask(person.accessToken, { resetRecoveryCodes: true })
  assert.deepEqual([first.recoveryCodes?.length, second.recoveryCodes?.length, second.recoveryCodesLeft], [10, 10, 10])
  assert.equal(new Set([...first.recoveryCodes!, ...second.recoveryCodes!]).size, 20)
  assert.equal(second.isTwoFactorEnabled, false)
  assert.equal(await stampOf(person), before)
})

test('resetRecoveryCodes while switching on gives ten, not twenty', async () => {
  const person = await prepared()
  const { recoveryCodes, recoveryCodesLeft } = await ask(person.accessToken, {
    enable: true,
    twoFactorCode: person.phone.code(),
    resetRecoveryCodes: true,
  })
  assert.deepEqual([recoveryCodes?.length, recoveryCodesLeft], [10, 10])
})

test('everything of one request happens: key, recovery codes, forgotten machine', async () => {
  const person = await prepared()
  const answer = await send(person.accessToken, { resetSharedKey: true, resetRecoveryCodes: true, forgetMachine: true })
  const said = answer.json() as TwoFactor
  assert.notEqual(said.sharedKey, person.phone.sharedKey)
  assert.deepEqual([said.recoveryCodes?.length, said.isTwoFactorEnabled], [10, false])
  assert.deepEqual(answer.setCookies, [
    'identity-machine=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax',
  ])
})

test('forgetMachine without cookies forgets nothing and sets nothing', () =>
  withApp({ identity: { cookies: false } }, async (app) => {
    const { accessToken } = await app.signIn()
    const answer = await send(accessToken, { forgetMachine: true }, app)
    assert.deepEqual([answer.status, answer.setCookies], [200, []])
  }))

test('many first {} at once answer the same key', async () => {
  const { accessToken } = await server.signIn()
  const answers = await Promise.all(Array.from({ length: 10 }, () => send(accessToken, {})))
  assert.deepEqual(
    answers.map(({ status }) => status),
    answers.map(() => 200),
  )
  assert.equal(new Set(answers.map((answer) => (answer.json() as TwoFactor).sharedKey)).size, 1)
})

test('a cookie from another site switches nothing', async () => {
  const { cookie } = await server.signInWithCookie()
  const call = (headers: Record<string, string>) =>
    server.call('POST', '/account/manage/2fa', { cookie, headers, json: { resetRecoveryCodes: true } })
  assert.equal((await call({ 'sec-fetch-site': 'cross-site' })).status, 403)
  assert.equal((await call({ origin: 'https://evil.example' })).status, 403)
  assert.equal((await call({ 'sec-fetch-site': 'same-origin' })).status, 200)
})

test('members are found in any letter case and in snake_case', async () => {
  const person = await prepared()
  assert.equal(
    (await ask(person.accessToken, { ENABLE: true, twofactorcode: person.phone.code() })).isTwoFactorEnabled,
    true,
  )
  assert.equal((await ask(person.accessToken, { Enable: false })).isTwoFactorEnabled, false)
  server.clock.advance(30)
  const said = await ask(person.accessToken, {
    enable: true,
    two_factor_code: person.phone.code(),
    reset_recovery_codes: true,
  })
  assert.deepEqual([said.isTwoFactorEnabled, said.recoveryCodes?.length], [true, 10])
})

test('with jsonNaming snake_case the answer names its members so', () =>
  withApp({ identity: { jsonNaming: 'snake_case' } }, async (app) => {
    const { email, password } = await app.register()
    const login = await app.call('POST', '/account/login', { json: { email, password } })
    const answer = await send(
      (login.json() as { access_token: string }).access_token,
      { resetRecoveryCodes: true },
      app,
    )
    assert.deepEqual(Object.keys(answer.json() as object), [
      'shared_key',
      'recovery_codes_left',
      'recovery_codes',
      'is_two_factor_enabled',
      'is_machine_remembered',
    ])
    assert.equal((answer.json() as { recovery_codes: unknown[] }).recovery_codes.length, 10)
  }))
