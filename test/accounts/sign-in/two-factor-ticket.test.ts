// The half-way ticket of a sign-in in two steps, with what an attacker would do with one: use it twice, at once, late, elsewhere, after a change.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SignInResult, User } from '../../../src/index.js'
import { decodeBase32 } from '../../../src/two-factor/base32.js'
import { totpCode, totpStep } from '../../../src/two-factor/totp.js'
import { uniqueSchema } from '../../support/postgres.js'
import { goodPassword, type Host, startHost, uniqueName } from '../../support/managers.js'

const schema = uniqueSchema()
const host = await startHost({ schema, lockout: { maxWaitSeconds: 120 } })
const { users, signIn, clock } = host
const other = await startHost({ schema, clock, lockout: { maxWaitSeconds: 120 } })
const failed = { succeeded: false, reason: 'Failed' }

async function newTwoFactorUser(at: Host = host): Promise<User> {
  const user = await at.newUser({}, goodPassword)
  await at.users.resetAuthenticatorKey(user)
  await at.users.setTwoFactorEnabled(user, true)
  return user
}

async function appCode(user: User, at: Host = host): Promise<string> {
  return totpCode(decodeBase32((await at.users.getAuthenticatorKey(user)) ?? '')!, totpStep(at.clock()))
}

function ticketIn(result: SignInResult): string {
  assert.ok(!result.succeeded && result.reason === 'RequiresTwoFactor', JSON.stringify(result))
  return result.twoFactorTicket
}

const firstStep = async (user: User, at: Host = host) =>
  ticketIn(await at.signIn.passwordSignIn(user.userName, goodPassword))

function signedIn(result: SignInResult) {
  if (!result.succeeded) throw new Error(result.reason)
  return result.signedIn
}

test('a ticket and a code of the app open a session, on another instance too', async () => {
  const user = await newTwoFactorUser()
  const ticket = await firstStep(user)
  assert.equal(await host.sessionCount(user), 0)
  const { amr, user: found } = signedIn(await other.signIn.twoFactorAuthenticatorSignIn(ticket, await appCode(user)))
  assert.deepEqual([amr, found.id], [['mfa'], user.id])
  assert.equal(await host.sessionCount(user), 1)
})

test('a ticket takes a recovery code, and the code of a provider by its name', async () => {
  const user = await newTwoFactorUser()
  const [code = ''] = await users.generateNewTwoFactorRecoveryCodes(user, 2)
  assert.equal((await signIn.twoFactorRecoveryCodeSignIn(await firstStep(user), code)).succeeded, true)
  const ticket = await firstStep(user)
  assert.equal((await signIn.twoFactorSignIn(ticket, 'Authenticator', await appCode(user))).succeeded, true)
  await assert.rejects(signIn.twoFactorSignIn(ticket, 'Pigeon', '1'), /Pigeon/)
})

test('a used ticket is refused with a new code, uses up no code and counts nothing, while its session lives and after it has ended', async () => {
  const user = await newTwoFactorUser()
  const [code = ''] = await users.generateNewTwoFactorRecoveryCodes(user, 1)
  const ticket = await firstStep(user)
  const { sessionId } = signedIn(await signIn.twoFactorAuthenticatorSignIn(ticket, await appCode(user)))
  clock.advance(30)
  for (const at of [host, other]) {
    assert.deepEqual(await at.signIn.twoFactorAuthenticatorSignIn(ticket, await appCode(user)), failed)
    assert.deepEqual(await at.signIn.twoFactorRecoveryCodeSignIn(ticket, code), failed)
  }
  assert.equal(await host.sessionCount(user), 1)
  assert.equal(await signIn.signOut(sessionId), true)
  for (const at of [host, other]) {
    assert.deepEqual(await at.signIn.twoFactorAuthenticatorSignIn(ticket, await appCode(user)), failed)
    assert.deepEqual(await at.signIn.twoFactorRecoveryCodeSignIn(ticket, code), failed)
  }
  assert.equal(await host.sessionCount(user), 0)
  assert.deepEqual([await users.countRecoveryCodes(user), await users.getAccessFailedCount(user)], [1, 0])
})

test('of fifty uses of a ticket at once, over two instances and with right codes, one opens a session', async () => {
  const lax = { schema: uniqueSchema(), twoFactor: { allowCodeReuse: true }, lockout: { maxWaitSeconds: 120 } }
  const first = await startHost(lax)
  const second = await startHost({ ...lax, clock: first.clock })
  const user = await newTwoFactorUser(first)
  const [ticket, code] = [await firstStep(user, first), await appCode(user, first)]
  const results = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      (index % 2 === 0 ? first : second).signIn.twoFactorAuthenticatorSignIn(ticket, code),
    ),
  )
  assert.equal(results.filter(({ succeeded }) => succeeded).length, 1)
  assert.equal(await first.sessionCount(user), 1)
})

test('a wrong code leaves the ticket as it is and counts as a failed attempt, and the fifth locks', async () => {
  const user = await newTwoFactorUser()
  const ticket = await firstStep(user)
  for (let i = 0; i < 4; i++) assert.deepEqual(await signIn.twoFactorAuthenticatorSignIn(ticket, '000000'), failed)
  assert.equal((await signIn.twoFactorAuthenticatorSignIn(ticket, await appCode(user))).succeeded, true)
  const next = await firstStep(user)
  for (let i = 0; i < 4; i++) assert.deepEqual(await signIn.twoFactorRecoveryCodeSignIn(next, '00000-00000'), failed)
  const locked = { succeeded: false, reason: 'LockedOut' }
  assert.deepEqual(await signIn.twoFactorAuthenticatorSignIn(next, '000000'), locked)
  clock.advance(30)
  assert.deepEqual(await signIn.twoFactorAuthenticatorSignIn(next, await appCode(user)), locked)
})

test('a right password does not forget wrong codes: the second step is no way round the lock', async () => {
  const user = await newTwoFactorUser()
  for (let i = 0; i < 4; i++)
    assert.deepEqual(await signIn.twoFactorAuthenticatorSignIn(await firstStep(user), '000000'), failed)
  assert.deepEqual(await signIn.twoFactorAuthenticatorSignIn(await firstStep(user), '000000'), {
    succeeded: false,
    reason: 'LockedOut',
  })
})

test('a ticket lasts 299 seconds and not 300', async () => {
  const user = await newTwoFactorUser()
  const [early, late] = [await firstStep(user), await firstStep(user)]
  clock.advance(299)
  assert.equal((await signIn.twoFactorAuthenticatorSignIn(early, await appCode(user))).succeeded, true)
  clock.advance(1)
  assert.deepEqual(await signIn.twoFactorAuthenticatorSignIn(late, await appCode(user)), failed)
})

for (const [change, make] of [
  ['password', (user: User) => users.changePassword(user, goodPassword, 'Another-Horse-8')],
  ['reset key', (user: User) => users.resetAuthenticatorKey(user)],
  ['user name', (user: User) => users.setUserName(user, uniqueName())],
  ['security stamp', (user: User) => users.updateSecurityStamp(user)],
] as const) {
  test(`a ticket of before a change opens nothing: ${change}`, async () => {
    const user = await newTwoFactorUser()
    const ticket = await firstStep(user)
    assert.deepEqual(await make(user), { succeeded: true })
    assert.deepEqual(await signIn.twoFactorAuthenticatorSignIn(ticket, await appCode(user)), failed)
    assert.equal(await host.sessionCount(user), 0)
  })
}

test('a locked, a deleted and a renamed-and-replaced user are refused', async () => {
  const [locked, deleted, renamed] = [await newTwoFactorUser(), await newTwoFactorUser(), await newTwoFactorUser()]
  const tickets = [await firstStep(locked), await firstStep(deleted), await firstStep(renamed)] as const
  const codes = [await appCode(locked), await appCode(deleted), await appCode(renamed)] as const
  await users.lock(locked)
  await users.delete(deleted)
  const name = renamed.userName
  await users.setUserName(renamed, uniqueName())
  await host.newUser({ userName: name }, goodPassword)
  assert.deepEqual(await signIn.twoFactorAuthenticatorSignIn(tickets[0], codes[0]), failed)
  assert.deepEqual(await signIn.twoFactorAuthenticatorSignIn(tickets[1], codes[1]), failed)
  assert.deepEqual(await signIn.twoFactorAuthenticatorSignIn(tickets[2], codes[2]), failed)
})

test("the ticket says whose sign-in it is: another user's code does not fit it, and counts against its user", async () => {
  const [user, stranger] = [await newTwoFactorUser(), await newTwoFactorUser()]
  const ticket = await firstStep(user)
  assert.deepEqual(await signIn.twoFactorAuthenticatorSignIn(ticket, await appCode(stranger)), failed)
  assert.deepEqual([await users.getAccessFailedCount(user), await users.getAccessFailedCount(stranger)], [1, 0])
  assert.deepEqual([await host.sessionCount(user), await host.sessionCount(stranger)], [0, 0])
})

test('any other text is refused: changed, of another realm, a token of another purpose, empty, long', async () => {
  const user = await newTwoFactorUser()
  const ticket = await firstStep(user)
  const elsewhere = await startHost({ clock })
  const foreign = await firstStep(await newTwoFactorUser(elsewhere), elsewhere)
  const code = await appCode(user)
  const reset = users.generatePasswordResetToken(user)
  const changed = ticket.slice(0, -1) + (ticket.endsWith('A') ? 'B' : 'A')
  for (const text of [changed, foreign, reset, '', ' ', '\0', 'x'.repeat(10_000), `${ticket}.${ticket}`])
    assert.deepEqual(await signIn.twoFactorAuthenticatorSignIn(text, code), failed, text.slice(0, 20))
  assert.equal((await signIn.twoFactorAuthenticatorSignIn(` ${ticket}\n`, code)).succeeded, true)
})

test('a ticket is no token: neither a reset, nor an access token or refresh token', async () => {
  const user = await newTwoFactorUser()
  const ticket = await firstStep(user)
  assert.equal((await users.resetPassword(user, ticket, 'Another-Horse-8')).succeeded, false)
  assert.equal((await host.app.call('GET', '/account/manage/info', { token: ticket })).status, 401)
  assert.equal((await host.app.call('POST', '/account/refresh', { json: { refreshToken: ticket } })).status, 401)
  assert.equal((await host.app.call('GET', '/account/manage/info', { cookie: `identity=${ticket}` })).status, 401)
})

test('a login of another system leaves a ticket too, and the session names both; a remembered machine needs none', async () => {
  const user = await newTwoFactorUser()
  const providerKey = uniqueName()
  await users.addLogin(user, { loginProvider: 'google', providerKey })
  const ticket = ticketIn(await signIn.externalLoginSignIn('google', providerKey))
  assert.deepEqual(signedIn(await signIn.twoFactorAuthenticatorSignIn(ticket, await appCode(user))).amr, [
    'mfa',
    'google',
  ])
  const remembered = await signIn.externalLoginSignIn('google', providerKey, {
    isRemembered: ({ id }) => id === user.id,
  })
  assert.deepEqual(signedIn(remembered).amr, ['google'])
})

test('the session of a ticket ends with the longest life of a session, counted from the first step', async () => {
  const user = await newTwoFactorUser()
  const ticket = await firstStep(user)
  const firstAt = clock()
  clock.advance(120)
  const { sessionId, sessionExpiresAt, authenticatedAt } = signedIn(
    await signIn.twoFactorAuthenticatorSignIn(ticket, await appCode(user)),
  )
  assert.equal(authenticatedAt, clock())
  assert.equal(sessionExpiresAt, Math.floor(firstAt / 1000) * 1000 + 2_592_000_000)
  assert.equal(host.sessions.isLive(sessionId), true)
})

test('lockoutOnFailure: false counts no wrong password, and a name that is locked stays locked', async () => {
  const user = await host.newUser({}, goodPassword)
  for (let i = 0; i < 20; i++) {
    assert.deepEqual(await signIn.passwordSignIn(user.userName, 'wrong', { lockoutOnFailure: false }), failed)
    assert.deepEqual(await signIn.checkPasswordSignIn(user, 'wrong', { lockoutOnFailure: false }), failed)
  }
  assert.equal(await users.getAccessFailedCount(user), 0)
  for (let i = 0; i < 5; i++) await signIn.passwordSignIn(user.userName, 'wrong', { lockoutOnFailure: true })
  const locked = { succeeded: false, reason: 'LockedOut' }
  assert.deepEqual(await signIn.passwordSignIn(user.userName, goodPassword, { lockoutOnFailure: false }), locked)
  assert.deepEqual(await signIn.checkPasswordSignIn(user, goodPassword, { lockoutOnFailure: false }), locked)
})

test('lockoutOnFailure: false counts wrong codes of the second factor', async () => {
  const user = await newTwoFactorUser()
  const attempt = () =>
    signIn.passwordSignIn(user.userName, goodPassword, { lockoutOnFailure: false, twoFactorCode: '000000' })
  for (let i = 0; i < 4; i++) assert.deepEqual(await attempt(), failed)
  assert.deepEqual(await attempt(), { succeeded: false, reason: 'LockedOut' })
})
