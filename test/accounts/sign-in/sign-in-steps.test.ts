import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SignInResult, User } from '../../../src/index.js'
import { decodeBase32 } from '../../../src/two-factor/base32.js'
import { totpCode, totpStep } from '../../../src/two-factor/totp.js'
import { goodPassword, type Host, startHost, uniqueName } from '../../support/managers.js'

const host = await startHost()
const { users, signIn, clock } = host
const refused = (reason: string) => ({ succeeded: false, reason })
const wrong = '000000'

/** A user with a password, an authenticator key and the second factor switched on. */
async function newTwoFactorUser(members: Partial<User> = {}, at: Host = host): Promise<User> {
  const user = await at.newUser(members, goodPassword)
  await at.users.resetAuthenticatorKey(user)
  await at.users.setTwoFactorEnabled(user, true)
  return user
}

async function appCode(user: User, at: Host = host): Promise<string> {
  return totpCode(decodeBase32((await at.users.getAuthenticatorKey(user)) ?? '')!, totpStep(at.clock()))
}

function signedIn(result: SignInResult) {
  if (!result.succeeded) throw new Error(result.reason)
  return { ...result.signedIn, method: result.method }
}

function reasonOf(result: SignInResult): string | null {
  return result.succeeded ? null : result.reason
}

test('checkPasswordSignIn says that a password is right, and opens no session', async () => {
  const user = await host.newUser({}, goodPassword)
  assert.deepEqual(await signIn.checkPasswordSignIn(user, goodPassword), { succeeded: true, requiresTwoFactor: false })
  assert.equal(await host.sessionCount(user), 0)
})

test('checkPasswordSignIn counts wrong passwords, and locks with the fifth', async () => {
  const user = await host.newUser({}, goodPassword)
  for (let i = 0; i < 4; i++) assert.deepEqual(await signIn.checkPasswordSignIn(user, 'wrong'), refused('Failed'))
  assert.deepEqual(await signIn.checkPasswordSignIn(user, 'wrong'), refused('LockedOut'))
  assert.deepEqual(await signIn.checkPasswordSignIn(user, goodPassword), refused('LockedOut'))
})

test('a right password forgets what failed before', async () => {
  const user = await host.newUser({}, goodPassword)
  for (let i = 0; i < 4; i++) await signIn.checkPasswordSignIn(user, 'wrong')
  await signIn.checkPasswordSignIn(user, goodPassword)
  assert.equal(await users.getAccessFailedCount(user), 0)
})

test('a right password before a second factor forgets nothing', async () => {
  const user = await newTwoFactorUser()
  for (let i = 0; i < 4; i++) await signIn.checkPasswordSignIn(user, 'wrong')
  assert.deepEqual(await signIn.checkPasswordSignIn(user, goodPassword), { succeeded: true, requiresTwoFactor: true })
  assert.equal(await users.getAccessFailedCount(user), 4)
  assert.deepEqual(await signIn.twoFactorAuthenticatorSignIn(user, wrong), refused('LockedOut'))
})

test('of a hundred wrong passwords at once four are Failed and the others LockedOut, and right ones at once all pass', async () => {
  const user = await host.newUser({}, goodPassword)
  const right = await Promise.all(
    Array.from({ length: 50 }, () => signIn.checkPasswordSignIn({ ...user }, goodPassword)),
  )
  assert.ok(right.every(({ succeeded }) => succeeded))
  const results = await Promise.all(Array.from({ length: 100 }, () => signIn.checkPasswordSignIn({ ...user }, 'wrong')))
  assert.equal(results.filter((result) => !result.succeeded && result.reason === 'Failed').length, 4)
})

test('checkPasswordSignIn does not take a user for another one who has their name now', async () => {
  const [user, other] = [await host.newUser({}, 'Another-Horse-8'), await host.newUser({}, goodPassword)]
  const stale = { ...user }
  const name = user.userName
  await users.setUserName(user, uniqueName())
  await users.setUserName(other, name)
  assert.deepEqual(await signIn.checkPasswordSignIn(stale, goodPassword), refused('Failed'))
})

test('an unconfirmed user is NotAllowed for the right password only', async () => {
  const own = await startHost({ signIn: { requireConfirmedEmail: true } })
  const user = await own.newUser({ emailConfirmed: false }, goodPassword)
  assert.deepEqual(await own.signIn.checkPasswordSignIn(user, 'wrong'), refused('Failed'))
  assert.deepEqual(await own.signIn.checkPasswordSignIn(user, goodPassword), refused('NotAllowed'))
  assert.deepEqual(await own.signIn.signIn(user), refused('NotAllowed'))
  await own.users.addLogin(user, { loginProvider: 'google', providerKey: '1' })
  assert.deepEqual(await own.signIn.externalLoginSignIn('google', '1'), refused('NotAllowed'))
  assert.deepEqual(await own.signIn.twoFactorAuthenticatorSignIn(user, wrong), refused('NotAllowed'))
})

test('a password of an older hash is hashed anew, and the object is brought up to date', async () => {
  const user = await host.newUser({}, goodPassword)
  const hasher = await startHost({ schema: host.app.schema, password: { hasher: { memoryKiB: 64, iterations: 2 } } })
  const { passwordHash, securityStamp } = user
  assert.deepEqual(await hasher.signIn.checkPasswordSignIn(user, goodPassword), {
    succeeded: true,
    requiresTwoFactor: false,
  })
  assert.notEqual(user.passwordHash, passwordHash)
  assert.notEqual(user.securityStamp, securityStamp)
  assert.deepEqual(await host.reread(user), user)
  assert.equal((await hasher.signIn.signIn(user)).succeeded, true)
})

test('twoFactorAuthenticatorSignIn opens a session of two factors, once for each code', async () => {
  const user = await newTwoFactorUser()
  assert.deepEqual(await signIn.checkPasswordSignIn(user, goodPassword), { succeeded: true, requiresTwoFactor: true })
  const code = await appCode(user)
  const { amr, method, sessionId } = signedIn(
    await signIn.twoFactorAuthenticatorSignIn(user, code, { client: 'Firefox' }),
  )
  assert.deepEqual([amr, method], [['mfa'], 'authenticator'])
  assert.deepEqual(
    (await host.sessions.list(user.id)).map(({ id, client }) => [id, client]),
    [[sessionId, 'Firefox']],
  )
  assert.deepEqual(await signIn.twoFactorAuthenticatorSignIn(user, code), refused('Failed'))
})

test('of many sign-ins by one code at once one succeeds', async () => {
  const user = await newTwoFactorUser()
  const code = await appCode(user)
  const results = await Promise.all(Array.from({ length: 20 }, () => signIn.twoFactorAuthenticatorSignIn(user, code)))
  assert.equal(results.filter(({ succeeded }) => succeeded).length, 1)
})

test('twoFactorRecoveryCodeSignIn uses a recovery code up, and counts wrong ones', async () => {
  const user = await newTwoFactorUser()
  const [code = ''] = await users.generateNewTwoFactorRecoveryCodes(user, 1)
  for (let i = 0; i < 4; i++)
    assert.deepEqual(await signIn.twoFactorRecoveryCodeSignIn(user, 'AAAAA-AAAAA'), refused('Failed'))
  const { amr, method } = signedIn(await signIn.twoFactorRecoveryCodeSignIn(user, code))
  assert.deepEqual([amr, method], [['mfa'], 'recoveryCode'])
  assert.equal(await users.getAccessFailedCount(user), 0)
  for (let i = 0; i < 4; i++) assert.deepEqual(await signIn.twoFactorRecoveryCodeSignIn(user, code), refused('Failed'))
  assert.deepEqual(await signIn.twoFactorRecoveryCodeSignIn(user, code), refused('LockedOut'))
})

test('while the user is locked out no second factor is verified, and none is used up', async () => {
  const user = await newTwoFactorUser()
  const [recoveryCode = ''] = await users.generateNewTwoFactorRecoveryCodes(user, 1)
  const all = async () => [
    await signIn.twoFactorAuthenticatorSignIn(user, await appCode(user)),
    await signIn.twoFactorRecoveryCodeSignIn(user, recoveryCode),
    await signIn.twoFactorSignIn(user, 'Email', await users.generateTwoFactorToken(user, 'Email')),
  ]
  for (let i = 0; i < 5; i++) await users.accessFailed(user)
  assert.deepEqual(await all(), [refused('LockedOut'), refused('LockedOut'), refused('LockedOut')])
  await users.unlock(user)
  await users.lock(user)
  assert.deepEqual(await all(), [refused('LockedOut'), refused('LockedOut'), refused('LockedOut')])
  await users.unlock(user)
  assert.deepEqual(
    (await all()).map(({ succeeded }) => succeeded),
    [true, true, true],
  )
})

test('a second factor behind a password that was changed meanwhile is Failed, and nothing is used up', async () => {
  const user = await newTwoFactorUser()
  const stale = { ...user }
  await users.updateSecurityStamp(user)
  const code = await appCode(user)
  assert.deepEqual(await signIn.twoFactorAuthenticatorSignIn(stale, code), refused('Failed'))
  assert.equal(await users.getAccessFailedCount(user), 0)
  assert.equal((await signIn.twoFactorAuthenticatorSignIn(user, code)).succeeded, true)
})

for (const provider of ['Email', 'Phone']) {
  test(`twoFactorSignIn by ${provider} opens a session of two factors, once for each step of three minutes`, async () => {
    const user = await newTwoFactorUser({ phoneNumber: '+43 1', phoneNumberConfirmed: true })
    const code = await users.generateTwoFactorToken(user, provider)
    const { amr, method } = signedIn(await signIn.twoFactorSignIn(user, provider, code))
    assert.deepEqual([amr, method], [['mfa'], 'provider'])
    assert.deepEqual(await signIn.twoFactorSignIn(user, provider, code), refused('Failed'))
    clock.advance(180)
    assert.equal(
      (await signIn.twoFactorSignIn(user, provider, await users.generateTwoFactorToken(user, provider))).succeeded,
      true,
    )
    // Another stamp has other codes, in the same three minutes too.
    await users.updateSecurityStamp(user)
    assert.equal(
      (await signIn.twoFactorSignIn(user, provider, await users.generateTwoFactorToken(user, provider))).succeeded,
      true,
    )
  })

  test(`of many sign-ins by one code of ${provider} at once one succeeds`, async () => {
    const user = await newTwoFactorUser({ phoneNumber: '+43 1', phoneNumberConfirmed: true, lockoutEnabled: false })
    const code = await users.generateTwoFactorToken(user, provider)
    const results = await Promise.all(Array.from({ length: 20 }, () => signIn.twoFactorSignIn(user, provider, code)))
    assert.equal(results.filter(({ succeeded }) => succeeded).length, 1)
  })
}

test('with twoFactor.allowCodeReuse a code of Email opens again', async () => {
  const own = await startHost({ twoFactor: { allowCodeReuse: true } })
  const user = await newTwoFactorUser({}, own)
  const code = await own.users.generateTwoFactorToken(user, 'Email')
  for (let i = 0; i < 2; i++) assert.equal((await own.signIn.twoFactorSignIn(user, 'Email', code)).succeeded, true)
})

test('twoFactorSignIn by Authenticator and twoFactorAuthenticatorSignIn share the codes that were used', async () => {
  const user = await newTwoFactorUser()
  const code = await appCode(user)
  assert.equal((await signIn.twoFactorSignIn(user, 'Authenticator', code)).succeeded, true)
  assert.deepEqual(await signIn.twoFactorAuthenticatorSignIn(user, code), refused('Failed'))
})

test('wrong codes of every kind and wrong passwords are counted together', async () => {
  const user = await newTwoFactorUser()
  assert.deepEqual(await signIn.passwordSignIn(user.userName, 'wrong'), refused('Failed'))
  assert.deepEqual(await signIn.twoFactorAuthenticatorSignIn(user, wrong), refused('Failed'))
  assert.deepEqual(await signIn.twoFactorRecoveryCodeSignIn(user, wrong), refused('Failed'))
  assert.deepEqual(await signIn.twoFactorSignIn(user, 'Email', ''), refused('Failed'))
  assert.deepEqual(await signIn.checkPasswordSignIn(user, 'wrong'), refused('LockedOut'))
})

test('a provider that cannot serve the user is no second factor, even with its code', async () => {
  const user = await newTwoFactorUser({ emailConfirmed: false })
  assert.deepEqual(
    await signIn.twoFactorSignIn(user, 'Email', await users.generateTwoFactorToken(user, 'Email')),
    refused('Failed'),
  )
  assert.deepEqual(
    await signIn.twoFactorSignIn(user, 'Default', await users.generateTwoFactorToken(user, 'Default')),
    refused('Failed'),
  )
})

test('an unknown provider is an error of the program, and counts nothing', async () => {
  const user = await newTwoFactorUser()
  await assert.rejects(signIn.twoFactorSignIn(user, 'Pigeon', '1'), {
    message: "No token provider named 'Pigeon' is registered.",
  })
  assert.equal(await users.getAccessFailedCount(user), 0)
})

test('a registered provider is a second factor: it is asked for, and its code opens a session', async () => {
  const own = await startHost()
  own.users.registerTokenProvider('Letter', {
    canGenerate: () => true,
    generate: () => 'sesame',
    validate: (_user, purpose, token) => purpose === 'TwoFactor' && token === 'sesame',
  })
  const user = await own.newUser({ email: null, twoFactorEnabled: true }, goodPassword)
  assert.equal(reasonOf(await own.signIn.passwordSignIn(user.userName, goodPassword)), 'RequiresTwoFactor')
  assert.deepEqual(await own.signIn.checkPasswordSignIn(user, goodPassword), {
    succeeded: true,
    requiresTwoFactor: true,
  })
  assert.deepEqual(await own.signIn.twoFactorSignIn(user, 'Letter', 'wrong'), refused('Failed'))
  assert.equal((await own.signIn.twoFactorSignIn(user, 'Letter', 'sesame')).succeeded, true)
})

test('externalLoginSignIn opens a session for the user with the login, and for no other', async () => {
  const user = await host.newUser()
  const providerKey = uniqueName()
  await users.addLogin(user, { loginProvider: 'google', providerKey })
  const {
    amr,
    method,
    user: { id },
  } = signedIn(await signIn.externalLoginSignIn('google', providerKey, { client: 'Firefox' }))
  assert.deepEqual([amr, method, id], [['google'], 'external', user.id])
  assert.equal((await host.sessions.list(user.id))[0]?.client, 'Firefox')
  for (const key of ['', '\0', `${providerKey}x`, 'x'.repeat(129)])
    assert.deepEqual(await signIn.externalLoginSignIn('google', key), refused('Failed'))
})

test('externalLoginSignIn asks for the second factor unless the host bypasses it', async () => {
  const user = await newTwoFactorUser()
  const providerKey = uniqueName()
  await users.addLogin(user, { loginProvider: 'google', providerKey })
  assert.equal(reasonOf(await signIn.externalLoginSignIn('google', providerKey)), 'RequiresTwoFactor')
  assert.equal(await host.sessionCount(user), 0)
  assert.equal((await signIn.externalLoginSignIn('google', providerKey, { bypassTwoFactor: true })).succeeded, true)
})

test('externalLoginSignIn refuses who is locked out, by failed attempts or by an administrator', async () => {
  const user = await host.newUser()
  const providerKey = uniqueName()
  await users.addLogin(user, { loginProvider: 'google', providerKey })
  for (let i = 0; i < 5; i++) await users.accessFailed(user)
  assert.deepEqual(await signIn.externalLoginSignIn('google', providerKey), refused('LockedOut'))
  await users.unlock(user)
  await users.lock(user)
  assert.deepEqual(await signIn.externalLoginSignIn('google', providerKey), refused('LockedOut'))
  await users.unlock(user)
  assert.equal((await signIn.externalLoginSignIn('google', providerKey)).succeeded, true)
})

test("signIn opens a session on the host's word", async () => {
  const user = await host.newUser()
  await users.addClaim(user, { type: 'a', value: 'b' })
  const result = signedIn(await signIn.signIn(user, { client: 'Kiosk', amr: ['hwk', 'user'] }))
  assert.deepEqual([result.amr, result.method, result.claims], [['hwk', 'user'], 'host', [{ type: 'a', value: 'b' }]])
  assert.deepEqual(signedIn(await signIn.signIn(user)).amr, [])
  assert.equal(await host.sessionCount(user), 2)
})

test("signIn is refused by an administrator's lock, and not by failed attempts", async () => {
  const user = await host.newUser()
  for (let i = 0; i < 5; i++) await users.accessFailed(user)
  assert.equal((await signIn.signIn(user)).succeeded, true)
  assert.equal(await users.isLockedOut(user), true)
  await users.lock(user)
  assert.deepEqual(await signIn.signIn(user), refused('LockedOut'))
})

test('signIn of a user whose stamp has changed, or who is gone, is Failed', async () => {
  const user = await host.newUser()
  const stale = { ...user }
  await users.updateSecurityStamp(user)
  assert.deepEqual(await signIn.signIn(stale), refused('Failed'))
  await users.delete(user)
  assert.deepEqual(await signIn.signIn(user), refused('Failed'))
})

test('signOut ends a session at once, and once', async () => {
  const user = await host.newUser({}, goodPassword)
  const { accessToken } = await host.app.signIn({ email: user.userName, password: goodPassword })
  const [session] = await host.sessions.list(user.id)
  assert.equal(await signIn.signOut(session!.id.toUpperCase()), true)
  assert.equal(await signIn.signOut(session!.id), false)
  assert.equal((await host.app.call('GET', '/account/manage/info', { token: accessToken })).status, 401)
  for (const id of ['', 'x', '\0']) assert.equal(await signIn.signOut(id), false)
})
