import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { User } from '../../../src/index.js'
import { decodeBase32 } from '../../../src/two-factor/base32.js'
import { emailModifier, phoneModifier, stampKey } from '../../../src/two-factor/stamp-totp.js'
import { totpCode, totpStep } from '../../../src/two-factor/totp.js'
import { goodPassword, startHost } from '../../support/managers.js'

const host = await startHost()
const { users, clock } = host
const purpose = 'unsubscribe'

async function appCode(user: User): Promise<string> {
  return totpCode(decodeBase32((await users.getAuthenticatorKey(user)) ?? '')!, totpStep(clock()))
}

test('the providers that can serve are offered in the order Authenticator, Email, Phone', async () => {
  const user = await host.newUser({ phoneNumber: '+43 1', phoneNumberConfirmed: true })
  assert.deepEqual(await users.getValidTwoFactorProviders(user), ['Email', 'Phone'])
  await users.resetAuthenticatorKey(user)
  assert.deepEqual(await users.getValidTwoFactorProviders(user), ['Authenticator', 'Email', 'Phone'])
})

test('an address or a number that is missing, blank or not confirmed serves nobody', async () => {
  assert.deepEqual(
    await users.getValidTwoFactorProviders(
      await host.newUser({ email: null, phoneNumber: null, phoneNumberConfirmed: true }),
    ),
    [],
  )
  const user = await host.newUser({ emailConfirmed: false, phoneNumber: '+43 1' })
  assert.deepEqual(await users.getValidTwoFactorProviders(user), [])
  assert.deepEqual(
    await users.getValidTwoFactorProviders(
      await host.newUser({ phoneNumber: ' ', phoneNumberConfirmed: true, email: null }),
    ),
    [],
  )
})

test("codes of Email and Phone are the reference's, for the purpose TwoFactor", async () => {
  const user = await host.newUser({ phoneNumber: '+43 1', phoneNumberConfirmed: true })
  const codeOf = (modifier: string) => totpCode(stampKey(user.securityStamp), totpStep(clock(), 180), modifier)
  assert.equal(await users.generateTwoFactorToken(user, 'Email'), codeOf(emailModifier('TwoFactor', user.email ?? '')))
  assert.equal(await users.generateTwoFactorToken(user, 'Phone'), codeOf(phoneModifier('TwoFactor', '+43 1')))
})

test('a two-factor code is verified by its provider alone, and using nothing up', async () => {
  const user = await host.newUser({ phoneNumber: '+43 1', phoneNumberConfirmed: true })
  await users.resetAuthenticatorKey(user)
  const codes = {
    Authenticator: await appCode(user),
    Email: await users.generateTwoFactorToken(user, 'Email'),
    Phone: await users.generateTwoFactorToken(user, 'Phone'),
  }
  assert.equal(await users.generateTwoFactorToken(user, 'Authenticator'), '')
  for (const [provider, code] of Object.entries(codes)) {
    assert.equal(await users.verifyTwoFactorToken(user, provider, code), true)
    assert.equal(await users.verifyTwoFactorToken(user, provider, code), true)
    for (const [other, foreign] of Object.entries(codes)) {
      if (foreign !== code)
        assert.equal(await users.verifyTwoFactorToken(user, provider, foreign), false, `${provider} takes ${other}`)
    }
  }
})

test('a user without a key has no authenticator code', async () => {
  const user = await host.newUser()
  for (const code of ['', '000000', '123456'])
    assert.equal(await users.verifyTwoFactorToken(user, 'Authenticator', code), false)
})

test('a token of Default is opaque, and good for its user and purpose', async () => {
  const [user, other] = [await host.newUser(), await host.newUser()]
  const token = await users.generateUserToken(user, 'Default', purpose)
  assert.match(token, /^[A-Za-z0-9_-]{100,}$/)
  assert.equal(await users.verifyUserToken(user, 'Default', purpose, token), true)
  assert.equal(await users.verifyUserToken(user, 'Default', purpose, token), true)
  assert.equal(await users.verifyUserToken(other, 'Default', purpose, token), false)
  assert.equal(await users.verifyUserToken(user, 'Default', 'Unsubscribe', token), false)
  for (const bad of ['', 'x', `${token}x`, token.slice(1), '\0'])
    assert.equal(await users.verifyUserToken(user, 'Default', purpose, bad), false)
})

test('a token of Default dies with the stamp, and when codes.confirmEmailSeconds are over', async () => {
  const user = await host.newUser()
  const token = await users.generateUserToken(user, 'Default', purpose)
  clock.advance(86_399)
  assert.equal(await users.verifyUserToken(user, 'Default', purpose, token), true)
  clock.advance(1)
  assert.equal(await users.verifyUserToken(user, 'Default', purpose, token), false)
  const another = await users.generateUserToken(user, 'Default', purpose)
  await users.updateSecurityStamp(user)
  assert.equal(await users.verifyUserToken(user, 'Default', purpose, another), false)
})

test('a token of Default is no code of another kind, and none of those is one', async () => {
  const user = await host.newUser({}, goodPassword)
  const token = await users.generateUserToken(user, 'Default', '')
  assert.equal((await users.confirmEmail(user, token)).succeeded, false)
  assert.equal((await users.resetPassword(user, token, goodPassword)).succeeded, false)
  assert.equal(await users.verifyUserToken(user, 'Default', '', users.generatePasswordResetToken(user)), false)
})

test('a token of Email or Phone has six digits, for its purpose only', async () => {
  const user = await host.newUser({ phoneNumber: '+43 1' })
  for (const provider of ['Email', 'Phone']) {
    const code = await users.generateUserToken(user, provider, purpose)
    assert.match(code, /^[0-9]{6}$/)
    assert.equal(await users.verifyUserToken(user, provider, purpose, code), true)
    assert.equal(await users.verifyUserToken(user, provider, 'TwoFactor', code), false)
    await users.updateSecurityStamp(user)
    assert.equal(await users.verifyUserToken(user, provider, purpose, code), false)
  }
})

test('an unknown provider is an error of the program', async () => {
  const user = await host.newUser()
  const message = "No token provider named 'Pigeon' is registered."
  for (const call of [
    () => users.generateTwoFactorToken(user, 'Pigeon'),
    () => users.verifyTwoFactorToken(user, 'Pigeon', '1'),
    () => users.generateUserToken(user, 'Pigeon', purpose),
    () => users.verifyUserToken(user, 'Pigeon', purpose, '1'),
  ])
    await assert.rejects(call(), { message })
})

test('a registered provider makes and checks tokens, and is offered last where it can serve', async () => {
  const own = await startHost()
  const user = await own.newUser()
  own.users.registerTokenProvider('Letter', {
    canGenerate: ({ id }) => id === user.id,
    generate: ({ id }, why) => `${id}/${why}`,
    validate: ({ id }, why, token) => token === `${id}/${why}`,
  })
  assert.deepEqual(await own.users.getValidTwoFactorProviders(user), ['Email', 'Letter'])
  assert.deepEqual(await own.users.getValidTwoFactorProviders(await own.newUser()), ['Email'])
  const token = await own.users.generateUserToken(user, 'Letter', purpose)
  assert.equal(token, `${user.id}/${purpose}`)
  assert.equal(await own.users.verifyUserToken(user, 'Letter', purpose, token), true)
  assert.equal(await own.users.verifyTwoFactorToken(user, 'Letter', token), false)
  assert.equal(await own.users.generateTwoFactorToken(user, 'Letter'), `${user.id}/TwoFactor`)
})

test('a provider may take the place of one of ours', async () => {
  const own = await startHost()
  const user = await own.newUser()
  own.users.registerTokenProvider('Email', { canGenerate: () => false, generate: () => 'mine', validate: () => false })
  assert.equal(await own.users.generateUserToken(user, 'Email', purpose), 'mine')
  assert.deepEqual(await own.users.getValidTwoFactorProviders(user), [])
})
