// Second factors: which codes open a login, how often, and what lies in the database.
import type { FastifyInstance } from 'fastify'
import assert from 'node:assert/strict'
import { after, before, test, type TestContext } from 'node:test'
import { type IdentityOptions, requireAuthorization } from '../../../src/index.js'
import { type Answer, type Person, startApp, type TestApp, type Tokens } from '../../support/app.js'
import { type Authenticator, authenticatorOf, wrongCode } from '../../support/authenticator.js'

const withAmr = (app: FastifyInstance) =>
  app.get('/who', { onRequest: requireAuthorization() }, ({ identity }) => ({
    amr: identity?.amr,
    claims: identity?.findAll('amr'),
  }))

let server: TestApp

before(async () => {
  server = await startApp({ after: withAmr })
})
after(() => server.close())

async function startWith(t: TestContext, identity: IdentityOptions): Promise<TestApp> {
  const app = await startApp({ identity, after: withAmr })
  t.after(() => app.close())
  return app
}

interface Secured extends Person, Tokens {
  readonly userId: string
  readonly phone: Authenticator
  readonly recoveryCodes: readonly string[]
}

/** A user with a second factor, at the beginning of a step of 30 s; the code that switched it on is two steps old. */
async function secured(app: TestApp = server): Promise<Secured> {
  app.clock.advance(30 - ((app.clock() / 1000) % 30))
  const person = await app.signIn()
  const ask = async (json: unknown) =>
    (await app.call('POST', '/account/manage/2fa', { token: person.accessToken, json })).json()
  const { sharedKey } = (await ask({})) as { sharedKey: string }
  const phone = authenticatorOf(sharedKey, app.clock)
  const { recoveryCodes } = (await ask({ enable: true, twoFactorCode: phone.code() })) as { recoveryCodes: string[] }
  app.clock.advance(60)
  const [user] = await app.sql('select id from users where email = $1', [person.email])
  return { ...person, userId: user!.id as string, phone, recoveryCodes }
}

const login = ({ email, password }: Person, more: Record<string, unknown> = {}, app: TestApp = server, query = '') =>
  app.call('POST', `/account/login${query}`, { json: { email, password, ...more } })

/** `200`, or why not. */
const outcomeOf = (answer: Answer) => (answer.status === 200 ? 200 : (answer.json() as { detail: string }).detail)

async function outcome(
  person: Person,
  more: Record<string, unknown> = {},
  app: TestApp = server,
): Promise<number | string> {
  return outcomeOf(await login(person, more, app))
}

for (const windowSteps of [0, 1, 2]) {
  test(`with windowSteps ${windowSteps} a code is good from ${windowSteps} steps before its own to ${windowSteps} after it, to the second`, async (t) => {
    const app = await startWith(t, {
      twoFactor: { windowSteps, allowCodeReuse: true },
      lockout: { maxFailedAccessAttempts: 100 },
    })
    const person = await secured(app)
    // The code of the step that begins `windowSteps` steps from now: good from this very second.
    app.clock.advance(30 * 10)
    const code = person.phone.code(windowSteps + 1)
    const tries: (number | string)[] = []
    // One second before its window, its first second, its last second, one second after.
    for (const second of [29, 30, 30 * (2 * windowSteps + 2) - 1, 30 * (2 * windowSteps + 2)]) {
      const start = app.clock()
      app.clock.advance(second)
      tries.push(await outcome(person, { twoFactorCode: code }, app))
      app.clock.advance((start - app.clock()) / 1000)
    }
    assert.deepEqual(tries, ['Failed', 200, 200, 'Failed'])
  })
}

test('the default accepts the code of the step before and after, and no further', async () => {
  const person = await secured()
  const outcomes: (number | string)[] = []
  for (const step of [-2, -1, 0, 1, 2]) {
    outcomes.push(await outcome(person, { twoFactorCode: person.phone.code(step) }))
  }
  assert.deepEqual(outcomes, ['Failed', 200, 200, 200, 'Failed'])
})

test('a code opens one login, and no code of an earlier step opens one after it', async () => {
  const person = await secured()
  assert.equal(await outcome(person, { twoFactorCode: person.phone.code() }), 200)
  assert.equal(await outcome(person, { twoFactorCode: person.phone.code() }), 'Failed')
  assert.equal(await outcome(person, { twoFactorCode: person.phone.code(-1) }), 'Failed')
  assert.equal(await outcome(person, { twoFactorCode: person.phone.code(1) }), 200)
  server.clock.advance(30)
  assert.equal(await outcome(person, { twoFactorCode: person.phone.code() }), 'Failed')
  server.clock.advance(30)
  assert.equal(await outcome(person, { twoFactorCode: person.phone.code() }), 200)
})

test('a used code is answered byte for byte like a wrong one, and counted like one', async () => {
  const person = await secured()
  await login(person, { twoFactorCode: person.phone.code() })
  const [used, wrong] = [
    await login(person, { twoFactorCode: person.phone.code() }),
    await login(person, { twoFactorCode: wrongCode(person.phone) }),
  ]
  assert.equal(used.body, wrong.body)
  assert.deepEqual(Object.keys(used.headers), Object.keys(wrong.headers))
  for (let time = 0; time < 2; time++)
    assert.equal(await outcome(person, { twoFactorCode: person.phone.code() }), 'Failed')
  assert.equal(await outcome(person, { twoFactorCode: person.phone.code() }), 'LockedOut')
})

test('with allowCodeReuse a code opens as many logins as its window lasts, as in the reference', async (t) => {
  const app = await startWith(t, { twoFactor: { allowCodeReuse: true } })
  const person = await secured(app)
  const code = person.phone.code()
  for (let time = 0; time < 3; time++) assert.equal(await outcome(person, { twoFactorCode: code }, app), 200)
  app.clock.advance(30)
  assert.equal(await outcome(person, { twoFactorCode: code }, app), 200)
  app.clock.advance(30)
  assert.equal(await outcome(person, { twoFactorCode: code }, app), 'Failed')
})

test('the code that switched the second factor on is used up, and so is every earlier one', async (t) => {
  const app = await startWith(t, { twoFactor: { windowSteps: 3 } })
  const person = await secured(app)
  for (const step of [-3, -2])
    assert.equal(await outcome(person, { twoFactorCode: person.phone.code(step) }, app), 'Failed')
  assert.equal(await outcome(person, { twoFactorCode: person.phone.code(-1) }, app), 200)
})

test('leading zeros may be missing or plenty, blanks and hyphens do not count', async (t) => {
  const app = await startWith(t, { twoFactor: { allowCodeReuse: true } })
  const person = await secured(app)
  for (let steps = 0; !person.phone.code().startsWith('00'); steps++) {
    if (steps > 20_000) throw new Error('One code in a hundred begins with two zeros')
    app.clock.advance(30)
  }
  const code = person.phone.code()
  const asShown = [`${code.slice(0, 3)} ${code.slice(3)}`, `${code.slice(0, 3)}-${code.slice(3)}`]
  const typed = [code, code.slice(1), String(Number(code)), `0000${code}`, ` ${code} `, `\t${code}\n`, ...asShown]
  for (const twoFactorCode of typed) assert.equal(await outcome(person, { twoFactorCode }, app), 200, twoFactorCode)
  assert.equal(await outcome(person, { twoFactorCode: `+${code}` }, app), 'Failed')
})

test('signs, other digits and other spellings of a number are no codes', async (t) => {
  const app = await startWith(t, { lockout: { allowedForNewUsers: false } })
  const person = await secured(app)
  const code = person.phone.code()
  const arabic = Array.from(code, (digit) => String.fromCharCode(0x660 + Number(digit))).join('')
  for (const typed of [
    `-${code}`,
    `+${code}`,
    arabic,
    `${code}.0`,
    `${code}e0`,
    `0x${Number(code).toString(16)}`,
    `${code}\0`,
    `${code}1`,
    '',
    '1'.repeat(10_000),
  ]) {
    assert.notEqual(await outcome(person, { twoFactorCode: typed }, app), 200, typed)
  }
  assert.equal(await outcome(person, { twoFactorCode: code }, app), 200)
})

test('a recovery code opens one login, as it is typed from paper', async () => {
  const person = await secured()
  const spellings: ((code: string) => string)[] = [
    (code) => code,
    (code) => code.toLowerCase(),
    (code) => code.replace('-', ''),
    (code) => ` ${code} `,
    (code) => code.replace('-', ' '),
  ]
  for (const [index, spell] of spellings.entries()) {
    const code = person.recoveryCodes[index]!
    assert.equal(await outcome(person, { twoFactorRecoveryCode: spell(code) }), 200, spell(code))
    assert.equal(await outcome(person, { twoFactorRecoveryCode: code }), 'Failed')
  }
  const users = server.app.identity.users
  assert.equal(await users.countRecoveryCodes((await users.findById(person.userId))!), 10 - spellings.length)
})

test('wrong recovery codes are counted and lock', async () => {
  const person = await secured()
  for (let guess = 1; guess < 5; guess++)
    assert.equal(await outcome(person, { twoFactorRecoveryCode: 'BBBBB-BBBBB' }), 'Failed')
  assert.equal(await outcome(person, { twoFactorRecoveryCode: 'BBBBB-BBBBB' }), 'LockedOut')
  assert.equal(await outcome(person, { twoFactorRecoveryCode: person.recoveryCodes[0]! }), 'LockedOut')
  server.clock.advance(300)
  assert.equal(await outcome(person, { twoFactorRecoveryCode: person.recoveryCodes[0]! }), 200)
})

test('a right password alone does not forget what failed, a complete login does', async () => {
  const person = await secured()
  for (let guess = 1; guess < 5; guess++) {
    assert.equal(await outcome(person, { twoFactorCode: wrongCode(person.phone) }), 'Failed')
    assert.equal(await outcome(person), 'RequiresTwoFactor')
  }
  assert.equal(await outcome(person, { twoFactorCode: person.phone.code() }), 200)
  for (let guess = 1; guess < 5; guess++)
    assert.equal(await outcome(person, { twoFactorCode: wrongCode(person.phone) }), 'Failed')
  assert.equal(await outcome(person, { twoFactorCode: wrongCode(person.phone) }), 'LockedOut')
})

test('of both codes only twoFactorCode is used', async () => {
  const person = await secured()
  const [recovery] = person.recoveryCodes
  assert.equal(
    await outcome(person, { twoFactorCode: wrongCode(person.phone), twoFactorRecoveryCode: recovery }),
    'Failed',
  )
  assert.equal(await outcome(person, { twoFactorCode: person.phone.code(), twoFactorRecoveryCode: recovery }), 200)
  // It is still there, and an empty twoFactorCode is none.
  assert.equal(await outcome(person, { twoFactorCode: '', twoFactorRecoveryCode: recovery }), 200)
})

test('without a second factor both codes are ignored', async () => {
  const person = await server.register()
  for (const more of [
    { twoFactorCode: 'nonsense' },
    { twoFactorRecoveryCode: 'nonsense' },
    { twoFactorCode: '1', twoFactorRecoveryCode: '2' },
  ]) {
    assert.equal(await outcome(person, more), 200)
  }
})

test('empty and null codes are none', async () => {
  const person = await secured()
  for (const more of [
    { twoFactorCode: '' },
    { twoFactorCode: null },
    { twoFactorRecoveryCode: '' },
    { twoFactorCode: null, twoFactorRecoveryCode: null },
  ]) {
    assert.equal(await outcome(person, more), 'RequiresTwoFactor')
  }
})

test('a wrong password says nothing about the second factor, whatever code comes with it', async () => {
  const person = { ...(await secured()), password: 'Wrong-Horse-7' }
  for (const more of [{}, { twoFactorCode: person.phone.code() }, { twoFactorRecoveryCode: person.recoveryCodes[0] }])
    assert.equal(await outcome(person, more), 'Failed')
  // Nothing was used up by it.
  assert.equal(await outcome({ ...person, password: 'Correct-Horse-7' }, { twoFactorCode: person.phone.code() }), 200)
})

test('between the factors nothing is handed out', async () => {
  const person = await secured()
  for (const query of ['', '?useCookies=true', '?useSessionCookies=true']) {
    const answer = await login(person, {}, server, query)
    assert.deepEqual([answer.status, answer.setCookies], [401, []])
    assert.equal(
      answer.body,
      '{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.2","title":"Unauthorized","status":401,"detail":"RequiresTwoFactor"}',
    )
  }
})

test('amr is mfa after a second factor, and stays so in refreshed tokens', async () => {
  const person = await secured()
  const who = async (token: string) => (await server.call('GET', '/who', { token })).json()
  const expected = { amr: ['mfa'], claims: [{ type: 'amr', value: 'mfa' }] }
  const byApp = (await login(person, { twoFactorCode: person.phone.code() })).json() as Tokens
  assert.deepEqual(await who(byApp.accessToken), expected)
  const refreshed = (
    await server.call('POST', '/account/refresh', { json: { refreshToken: byApp.refreshToken } })
  ).json() as Tokens
  assert.deepEqual(await who(refreshed.accessToken), expected)
  const byPaper = (await login(person, { twoFactorRecoveryCode: person.recoveryCodes[0] })).json() as Tokens
  assert.deepEqual(await who(byPaper.accessToken), expected)
  // A session that began before the second factor was switched on keeps saying so.
  assert.deepEqual(await who(person.accessToken), { amr: ['pwd'], claims: [{ type: 'amr', value: 'pwd' }] })
})

test('a dump of the database reveals neither keys nor recovery codes', async () => {
  const person = await secured()
  const tables = await server.sql(
    "select table_name as name from information_schema.tables where table_schema = $1 and table_name <> 'keys'",
    [server.schema],
  )
  let dump = ''
  for (const { name } of tables) dump += JSON.stringify(await server.sql(`select t::text from "${String(name)}" t`))
  assert.ok(dump.includes(person.userId))
  const { sharedKey } = person.phone
  for (const secret of [sharedKey, ...person.recoveryCodes]) {
    for (const form of [
      secret,
      Buffer.from(secret).toString('hex'),
      Buffer.from(secret).toString('base64').replace(/=+$/, ''),
      secret.replace('-', ''),
    ]) {
      assert.ok(!dump.toLowerCase().includes(form.toLowerCase()))
    }
  }
  const [row] = await server.sql('select login_provider, name, value from user_tokens where user_id = $1', [
    person.userId,
  ])
  assert.deepEqual([row!.login_provider, row!.name], ['[AspNetUserStore]', 'AuthenticatorKey'])
})

test('a key that is copied to another row opens nothing, in either place', async () => {
  const [ann, bob] = [await secured(), await secured()]
  await server.sql(
    `update user_tokens a set value = b.value from user_tokens b
    where (a.user_id, b.user_id) in (($1::uuid, $2::uuid), ($2::uuid, $1::uuid)) and a.name = b.name`,
    [ann.userId, bob.userId],
  )
  for (const person of [ann, bob]) {
    assert.equal(await outcome(person, { twoFactorCode: person.phone.code() }), 'Failed')
    assert.equal(await outcome(person), 'RequiresTwoFactor')
  }
  assert.equal(await outcome(ann, { twoFactorCode: bob.phone.code() }), 'Failed')
  assert.equal(await outcome(bob, { twoFactorCode: ann.phone.code() }), 'Failed')
  // Their paper still opens: a broken key shuts nobody out.
  assert.equal(await outcome(ann, { twoFactorRecoveryCode: ann.recoveryCodes[0] }), 200)
})

test('recovery codes that are copied to another user open nothing', async () => {
  const [ann, bob] = [await secured(), await secured()]
  await server.sql('delete from recovery_codes where user_id = $1', [bob.userId])
  await server.sql('update recovery_codes set user_id = $1 where user_id = $2', [bob.userId, ann.userId])
  for (const person of [ann, bob])
    assert.equal(await outcome(person, { twoFactorRecoveryCode: ann.recoveryCodes[0] }), 'Failed')
})

test('no log line contains a code, a key or a recovery code', async () => {
  const person = await secured()
  const wrong = wrongCode(person.phone)
  await login(person, { twoFactorCode: wrong })
  await login(person, { twoFactorCode: person.phone.code() })
  await login(person, { twoFactorRecoveryCode: person.recoveryCodes[0] })
  const log = server.logLines.join('\n')
  for (const secret of [person.phone.sharedKey, ...person.recoveryCodes]) assert.ok(!log.includes(secret))
  assert.ok(!log.includes(`"${wrong}"`) && !log.includes(`"${person.phone.code()}"`))
})

test('an authenticator app gets its URI, with issuer and account', async (t) => {
  const app = await startWith(t, { twoFactor: { issuer: 'Weather: Ltd' } })
  const { users } = app.app.identity
  const { email, accessToken } = await app.signIn(await app.register({ email: 'ann+1@example.com' }))
  const user = (await users.findByEmail(email))!
  assert.equal(await users.getAuthenticatorKey(user), null)
  assert.equal(await users.getAuthenticatorUri(user), null)
  assert.equal(await users.getAuthenticatorQrCode(user), null)
  const { sharedKey } = (await app.call('POST', '/account/manage/2fa', { token: accessToken, json: {} })).json() as {
    sharedKey: string
  }
  assert.equal(await users.getAuthenticatorKey(user), sharedKey)
  assert.equal(
    await users.getAuthenticatorUri(user),
    `otpauth://totp/Weather%20Ltd:ann%2B1%40example.com?secret=${sharedKey}&issuer=Weather%20Ltd&digits=6`,
  )
  const svg = await users.getAuthenticatorQrCode(user)
  assert.match(svg ?? '', /^<svg [^>]*viewBox="0 0 (\d+) \1"[^>]*>[^]*<\/svg>$/)
  assert.ok(!svg!.includes(sharedKey))
})

test('the issuer is the host of publicUrl unless it is named', async (t) => {
  const app = await startWith(t, { publicUrl: 'https://id.example.com:8443' })
  const { users } = app.app.identity
  const { email, accessToken } = await app.signIn()
  await app.call('POST', '/account/manage/2fa', { token: accessToken, json: {} })
  assert.match(
    (await users.getAuthenticatorUri((await users.findByEmail(email))!)) ?? '',
    /^otpauth:\/\/totp\/id\.example\.com:.*&issuer=id\.example\.com&/,
  )
})

test('a second factor that is switched on without a key is no second factor, unless another provider could give a code', async () => {
  const person = await server.register()
  await server.sql('update users set two_factor_enabled = true where email = $1', [person.email])
  assert.equal(await outcome(person), 200)
  await server.sql('update users set email_confirmed = true where email = $1', [person.email])
  assert.equal(await outcome(person), 'RequiresTwoFactor')
})

test('a new key begins with no step used', async () => {
  const person = await secured()
  await login(person, { twoFactorCode: person.phone.code(1) })
  const { accessToken } = (await login(person, { twoFactorRecoveryCode: person.recoveryCodes[0] })).json() as Tokens
  const ask = async (json: unknown) =>
    (await server.call('POST', '/account/manage/2fa', { token: accessToken, json })).json() as { sharedKey: string }
  const phone = authenticatorOf((await ask({ resetSharedKey: true })).sharedKey, server.clock)
  await ask({ enable: true, twoFactorCode: phone.code() })
  assert.equal(await outcome(person, { twoFactorCode: phone.code(1) }), 200)
})

test('redeeming through the manager uses the same codes up, and says so in a code of the reference', async () => {
  const person = await secured()
  const { users } = server.app.identity
  const user = (await users.findById(person.userId))!
  assert.deepEqual(await users.redeemTwoFactorRecoveryCode(user, person.recoveryCodes[0]!), { succeeded: true })
  const again = await users.redeemTwoFactorRecoveryCode(user, person.recoveryCodes[0]!)
  assert.deepEqual(again, {
    succeeded: false,
    errors: [{ code: 'RecoveryCodeRedemptionFailed', description: 'Recovery code redemption failed.' }],
  })
  assert.equal(await outcome(person, { twoFactorRecoveryCode: person.recoveryCodes[0] }), 'Failed')
})

test('resetSecondFactor takes key and recovery codes away, and the password alone is enough again', async () => {
  const { email, password, userId } = await secured()
  const { users, signIn } = server.app.identity
  const user = await users.findById(userId)
  assert.ok(user)
  const refused = await signIn.passwordSignIn(email, password)
  assert.ok(!refused.succeeded && refused.reason === 'RequiresTwoFactor')
  assert.deepEqual(await users.resetSecondFactor(user), { succeeded: true })
  assert.equal(users.getTwoFactorEnabled(user), false)
  assert.deepEqual([await users.getAuthenticatorKey(user), await users.countRecoveryCodes(user)], [null, 0])
  assert.equal((await signIn.passwordSignIn(email, password)).succeeded, true)
})

test('generateNewAuthenticatorKey gives a key and stores none', async () => {
  const { users } = server.app.identity
  const user = await users.findByName((await server.register()).email)
  assert.ok(user)
  assert.match(users.generateNewAuthenticatorKey(), /^[A-Z2-7]{32}$/)
  assert.notEqual(users.generateNewAuthenticatorKey(), users.generateNewAuthenticatorKey())
  assert.equal(await users.getAuthenticatorKey(user), null)
})
