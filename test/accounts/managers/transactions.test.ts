// The managers inside a host's own transaction: its rows and ours commit or roll back together, and a refusal leaves
// the transaction usable.
import assert from 'node:assert/strict'
import { Kysely, PostgresDialect } from 'kysely'
import { after, test } from 'node:test'
import pg from 'pg'
import type { IdentityResult, RoleManager, User, UserManager } from '../../../src/index.js'
import { codesOf, goodPassword, startHost, uniqueName } from '../../support/managers.js'
import { databaseUrl } from '../../support/postgres.js'

const host = await startHost()
const own = new Kysely<unknown>({
  dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: await databaseUrl() }) }),
})
after(() => own.destroy())
await host.roles.create('staff')

class Undone extends Error {}

/** Runs `work` in a transaction that is rolled back. */
async function undone(work: (users: UserManager, roles: RoleManager) => Promise<unknown>): Promise<void> {
  await assert.rejects(
    own.transaction().execute(async (trx) => {
      await work(host.users.withTransaction(trx), host.roles.withTransaction(trx))
      throw new Undone()
    }),
    Undone,
  )
}

const claim = { type: 'a', value: 'b' }
const passkey = {
  credentialId: Buffer.from(uniqueName()),
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
}

const changes: Readonly<Record<string, (users: UserManager, user: User) => Promise<IdentityResult>>> = {
  setUserName: (users, user) => users.setUserName(user, uniqueName()),
  updateSecurityStamp: (users, user) => users.updateSecurityStamp(user),
  setPhoneNumber: (users, user) => users.setPhoneNumber(user, '1'),
  changePhoneNumber: (users, user) =>
    users.changePhoneNumber(user, '1', users.generateChangePhoneNumberToken(user, '1')),
  setTwoFactorEnabled: (users, user) => users.setTwoFactorEnabled(user, true),
  resetSecondFactor: (users, user) => users.resetSecondFactor(user),
  lock: (users, user) => users.lock(user),
  unlock: (users, user) => users.unlock(user),
  accessFailed: (users, user) => users.accessFailed(user),
  resetAccessFailedCount: (users, user) => users.resetAccessFailedCount(user),
  setLockoutEnabled: (users, user) => users.setLockoutEnabled(user, false),
  addLogin: (users, user) => users.addLogin(user, { loginProvider: 'p', providerKey: uniqueName() }),
  removeLogin: (users, user) => users.removeLogin(user, 'p', user.id),
  addClaims: (users, user) => users.addClaims(user, [claim, claim]),
  replaceClaim: (users, user) => users.replaceClaim(user, { type: 'kept', value: '1' }, claim),
  removeClaim: (users, user) => users.removeClaim(user, { type: 'kept', value: '1' }),
  addToRole: (users, user) => users.addToRole(user, 'staff'),
  setAuthenticationToken: (users, user) => users.setAuthenticationToken(user, 'p', 'n', 'v'),
  removeAuthenticationToken: (users, user) => users.removeAuthenticationToken(user, 'p', 'kept'),
  addOrUpdatePasskey: (users, user) => users.addOrUpdatePasskey(user, passkey),
}

async function everythingOf(user: User): Promise<unknown> {
  const { users, sessions } = host
  return [
    await users.findById(user.id),
    await users.getLogins(user),
    await users.getClaims(user),
    await users.getRoles(user),
    await users.getPasskeys(user),
    await users.getAuthenticationToken(user, 'p', 'n'),
    await users.getAuthenticationToken(user, 'p', 'kept'),
    await users.getAccessFailedCount(user),
    await users.isLockedOut(user),
    (await sessions.list(user.id)).length,
    await users.countRecoveryCodes(user),
  ]
}

async function settledUser(): Promise<User> {
  const { users } = host
  const user = await host.newUser({}, goodPassword)
  await users.addLogin(user, { loginProvider: 'p', providerKey: user.id })
  await users.addClaim(user, { type: 'kept', value: '1' })
  await users.setAuthenticationToken(user, 'p', 'kept', '1')
  await users.generateNewTwoFactorRecoveryCodes(user, 2)
  await users.accessFailed(user)
  await host.session(user)
  return user
}

for (const [name, change] of Object.entries(changes)) {
  test(`${name} commits and rolls back with the host's transaction`, async () => {
    const user = await settledUser()
    const before = await everythingOf(user)
    await undone(async (users) => assert.deepEqual(await change(users, { ...user }), { succeeded: true }))
    assert.deepEqual(await everythingOf(user), before)
    await own.transaction().execute((trx) => change(host.users.withTransaction(trx), user))
    assert.notDeepEqual(await everythingOf(user), before)
    assert.deepEqual(await host.reread(user), user)
  })
}

test("roles commit and roll back with the host's transaction", async () => {
  const name = uniqueName()
  await undone(async (users, roles) => {
    const created = await roles.create(name)
    assert.ok(created.succeeded)
    await roles.addClaim(created.role, claim)
    const user = await users.create({ userName: uniqueName() })
    assert.ok(user.succeeded)
    await users.addToRole(user.user, name)
    assert.deepEqual(await users.getRoles(user.user), [name])
    assert.equal((await users.getUsersInRole(name)).users.length, 1)
  })
  assert.equal(await host.roles.roleExists(name), false)
  const created = await own.transaction().execute((trx) => host.roles.withTransaction(trx).create(name))
  assert.ok(created.succeeded)
  await own.transaction().execute((trx) => host.roles.withTransaction(trx).setRoleName(created.role, `${name}x`))
  assert.equal(await host.roles.roleExists(`${name}x`), true)
  await own.transaction().execute((trx) => host.roles.withTransaction(trx).delete(created.role))
  assert.equal(await host.roles.roleExists(`${name}x`), false)
})

test('a refusal inside a transaction leaves nothing behind, and the transaction goes on', async () => {
  const [user, other] = [await settledUser(), await host.newUser()]
  await host.users.addOrUpdatePasskey(user, { ...passkey, credentialId: Buffer.from(user.id) })
  await own.transaction().execute(async (trx) => {
    const users = host.users.withTransaction(trx)
    assert.deepEqual(codesOf(await users.addLogin(other, { loginProvider: 'p', providerKey: user.id })), [
      'LoginAlreadyAssociated',
    ])
    assert.deepEqual(
      codesOf(await users.addOrUpdatePasskey(other, { ...passkey, credentialId: Buffer.from(user.id) })),
      ['LoginAlreadyAssociated'],
    )
    assert.deepEqual(codesOf(await users.removeFromRole(other, 'staff')), ['UserNotInRole'])
    assert.deepEqual(codesOf(await users.setUserName(other, user.userName)), ['DuplicateUserName'])
    await assert.rejects(users.addToRole(other, 'nothing'), /does not exist/)
    assert.deepEqual(codesOf(await users.addToRole({ ...other, concurrencyStamp: user.concurrencyStamp }, 'staff')), [
      'ConcurrencyFailure',
    ])
    assert.deepEqual(await users.addToRole(other, 'staff'), { succeeded: true })
    assert.deepEqual(codesOf(await users.addToRole(other, 'staff')), ['UserAlreadyInRole'])
    assert.deepEqual(await users.addClaim(other, claim), { succeeded: true })
  })
  assert.deepEqual(await host.reread(other), other)
  assert.deepEqual(await host.users.getRoles(other), ['staff'])
})

test('a taken role name inside a transaction is refused, and the transaction goes on', async () => {
  const name = uniqueName()
  await own.transaction().execute(async (trx) => {
    const roles = host.roles.withTransaction(trx)
    const created = await roles.create(name)
    assert.ok(created.succeeded)
    assert.deepEqual(codesOf(await roles.create(name)), ['DuplicateRoleName'])
    assert.deepEqual(codesOf(await roles.setRoleName(created.role, 'Staff')), ['DuplicateRoleName'])
    assert.deepEqual(await roles.update(created.role), { succeeded: true })
  })
  assert.equal(await host.roles.roleExists(name), true)
})

test('a provider that was registered is known inside a transaction', async () => {
  const user = await host.newUser()
  host.users.registerTokenProvider('Letter', {
    canGenerate: () => false,
    generate: () => 'sesame',
    validate: () => true,
  })
  await undone(async (users) => assert.equal(await users.generateUserToken(user, 'Letter', 'x'), 'sesame'))
})
