// Rules for every method that changes a user: the stamp rotates and sessions end as in the reference's table of
// methods; the object is updated; and a user whose row was changed meanwhile stays as they are.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { IdentityResult, User } from '../../../src/index.js'
import { codesOf, goodPassword, startHost, uniqueName } from '../../support/managers.js'

const host = await startHost()
const { users, roles } = host
await roles.create('changes')

interface Change {
  readonly rotates: boolean
  readonly endsSessions?: boolean
  /** Makes a user ready for the change. */
  readonly prepare?: (user: User) => Promise<unknown>
  readonly change: (user: User) => Promise<IdentityResult>
}

const claim = { type: 'colour', value: 'green' }
const login = () => ({ loginProvider: 'google', providerKey: uniqueName() })
const passkey = (user: User) => ({
  credentialId: Buffer.from(user.id),
  publicKey: Buffer.of(1),
  name: null,
  createdAt: new Date(0),
  signCount: 0,
  transports: [],
  isUserVerified: true,
  isBackupEligible: false,
  isBackedUp: false,
  attestationObject: Buffer.of(2),
  clientDataJson: Buffer.of(3),
})
const tomorrow = () => new Date(host.clock() + 86_400_000)

const changes: Readonly<Record<string, Change>> = {
  update: { rotates: false, change: (user) => users.update(user) },
  setUserName: { rotates: true, change: (user) => users.setUserName(user, uniqueName()) },
  updateSecurityStamp: { rotates: true, endsSessions: true, change: (user) => users.updateSecurityStamp(user) },
  addPassword: {
    rotates: true,
    prepare: (user) => users.removePassword(user),
    change: (user) => users.addPassword(user, goodPassword),
  },
  changePassword: {
    rotates: true,
    endsSessions: true,
    change: (user) => users.changePassword(user, goodPassword, `${goodPassword}x`),
  },
  removePassword: { rotates: true, endsSessions: true, change: (user) => users.removePassword(user) },
  setEmail: { rotates: true, change: (user) => users.setEmail(user, `${uniqueName()}@example.com`) },
  changeEmail: {
    rotates: true,
    change: (user) =>
      users.changeEmail(user, 'new@example.com', users.generateChangeEmailToken(user, 'new@example.com')),
  },
  setPhoneNumber: { rotates: true, change: (user) => users.setPhoneNumber(user, '+43 1') },
  changePhoneNumber: {
    rotates: true,
    change: (user) => users.changePhoneNumber(user, '+43 1', users.generateChangePhoneNumberToken(user, '+43 1')),
  },
  setTwoFactorEnabled: { rotates: true, endsSessions: true, change: (user) => users.setTwoFactorEnabled(user, true) },
  'resetAuthenticatorKey for a first key': { rotates: true, change: (user) => users.resetAuthenticatorKey(user) },
  resetAuthenticatorKey: {
    rotates: true,
    endsSessions: true,
    prepare: (user) => users.resetAuthenticatorKey(user),
    change: (user) => users.resetAuthenticatorKey(user),
  },
  resetSecondFactor: { rotates: true, endsSessions: true, change: (user) => users.resetSecondFactor(user) },
  setLockoutEnabled: { rotates: false, change: (user) => users.setLockoutEnabled(user, false) },
  'setLockoutEndDate to a date in the past': {
    rotates: false,
    change: (user) => users.setLockoutEndDate(user, new Date(0)),
  },
  'setLockoutEndDate to a date in the future': {
    rotates: true,
    endsSessions: true,
    change: (user) => users.setLockoutEndDate(user, tomorrow()),
  },
  lock: { rotates: true, endsSessions: true, change: (user) => users.lock(user) },
  unlock: { rotates: false, change: (user) => users.unlock(user) },
  addLogin: { rotates: false, change: (user) => users.addLogin(user, login()) },
  'removeLogin of none': { rotates: true, change: (user) => users.removeLogin(user, 'google', 'none') },
  removeLogin: {
    rotates: true,
    endsSessions: true,
    prepare: (user) => users.addLogin(user, { loginProvider: 'google', providerKey: user.id }),
    change: (user) => users.removeLogin(user, 'google', user.id),
  },
  addClaim: { rotates: false, change: (user) => users.addClaim(user, claim) },
  addClaims: { rotates: false, change: (user) => users.addClaims(user, [claim, claim]) },
  replaceClaim: { rotates: false, change: (user) => users.replaceClaim(user, claim, { ...claim, value: 'blue' }) },
  removeClaim: { rotates: false, change: (user) => users.removeClaim(user, claim) },
  removeClaims: { rotates: false, change: (user) => users.removeClaims(user, [claim]) },
  addToRole: { rotates: false, change: (user) => users.addToRole(user, 'changes') },
  addToRoles: { rotates: false, change: (user) => users.addToRoles(user, ['changes']) },
  removeFromRole: {
    rotates: false,
    prepare: (user) => users.addToRole(user, 'changes'),
    change: (user) => users.removeFromRole(user, 'changes'),
  },
  removeFromRoles: {
    rotates: false,
    prepare: (user) => users.addToRole(user, 'changes'),
    change: (user) => users.removeFromRoles(user, ['changes']),
  },
  setAuthenticationToken: {
    rotates: false,
    change: (user) => users.setAuthenticationToken(user, 'google', 'access_token', 'abc'),
  },
  removeAuthenticationToken: {
    rotates: false,
    change: (user) => users.removeAuthenticationToken(user, 'google', 'access_token'),
  },
  addOrUpdatePasskey: { rotates: false, change: (user) => users.addOrUpdatePasskey(user, passkey(user)) },
  'removePasskey of none': { rotates: false, change: (user) => users.removePasskey(user, Buffer.of(1)) },
  removePasskey: {
    rotates: false,
    endsSessions: true,
    prepare: (user) => users.addOrUpdatePasskey(user, passkey(user)),
    change: (user) => users.removePasskey(user, Buffer.from(user.id)),
  },
}

const belongingsOf = async (user: User) => [
  await users.getLogins(user),
  await users.getClaims(user),
  await users.getPasskeys(user),
  await users.getAuthenticationToken(user, 'google', 'access_token'),
]

for (const [name, { rotates, endsSessions = false, prepare, change }] of Object.entries(changes)) {
  test(`${name} ${rotates ? 'rotates the stamp' : 'leaves the stamp'} and ${endsSessions ? 'ends all sessions' : 'leaves sessions open'}`, async () => {
    const user = await host.newUser({}, goodPassword)
    await prepare?.(user)
    await host.session(user)
    const { securityStamp, concurrencyStamp } = user
    assert.deepEqual(await change(user), { succeeded: true })
    assert.equal(user.securityStamp !== securityStamp, rotates)
    assert.notEqual(user.concurrencyStamp, concurrencyStamp)
    assert.equal(await host.sessionCount(user), endsSessions ? 0 : 1)
    assert.deepEqual(await host.reread(user), user)
  })

  test(`${name} on a user whose row was changed meanwhile is a ConcurrencyFailure and changes nothing`, async () => {
    const user = await host.newUser({}, goodPassword)
    await prepare?.(user)
    const current = await host.reread(user)
    assert.deepEqual(await users.update(current), { succeeded: true })
    const before = { ...user }
    await host.session(user)
    const belongings = await belongingsOf(user)
    assert.deepEqual(codesOf(await change(user)), ['ConcurrencyFailure'])
    assert.deepEqual(user, before)
    assert.deepEqual(await host.reread(user), current)
    assert.equal(await host.sessionCount(user), 1)
    assert.deepEqual(await belongingsOf(user), belongings)
    assert.equal(await users.isInRole(user, 'changes'), name.startsWith('removeFrom'))
  })
}
