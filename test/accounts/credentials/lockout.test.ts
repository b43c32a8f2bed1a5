import assert from 'node:assert/strict'
import { test } from 'node:test'
import { codesOf, goodPassword, startHost } from '../../support/managers.js'

const host = await startHost()
const { users, signIn, clock } = host
const forever = new Date('9999-12-31T23:59:59.999Z')
const inSeconds = (seconds: number) => new Date(clock() + seconds * 1000)

test('a new user can be locked out but is not', async () => {
  const user = await host.newUser()
  assert.equal(users.getLockoutEnabled(user), true)
  assert.equal(await users.isLockedOut(user), false)
  assert.equal(await users.getLockoutEndDate(user), null)
  assert.equal(await users.getAccessFailedCount(user), 0)
})

test('the fifth failed access locks for five minutes, and the count begins anew', async () => {
  const user = await host.newUser({}, goodPassword)
  for (const count of [1, 2, 3, 4]) {
    assert.deepEqual(await users.accessFailed(user), { succeeded: true })
    assert.equal(await users.getAccessFailedCount(user), count)
  }
  assert.equal(await users.isLockedOut(user), false)
  await users.accessFailed(user)
  assert.equal(await users.getAccessFailedCount(user), 0)
  assert.deepEqual(await users.getLockoutEndDate(user), inSeconds(300))
  clock.advance(299)
  assert.equal(await users.isLockedOut(user), true)
  assert.deepEqual(await signIn.passwordSignIn(user.userName, goodPassword), { succeeded: false, reason: 'LockedOut' })
  clock.advance(1)
  assert.equal(await users.isLockedOut(user), false)
})

test('failed accesses of the host and wrong passwords are counted together', async () => {
  const user = await host.newUser({}, goodPassword)
  for (let i = 0; i < 4; i++) await users.accessFailed(user)
  assert.deepEqual(await signIn.passwordSignIn(user.userName, 'wrong'), { succeeded: false, reason: 'LockedOut' })
})

test('while a name is locked no failed access counts or prolongs', async () => {
  const user = await host.newUser()
  for (let i = 0; i < 5; i++) await users.accessFailed(user)
  const end = await users.getLockoutEndDate(user)
  clock.advance(10)
  await users.accessFailed(user)
  assert.equal(await users.getAccessFailedCount(user), 0)
  assert.deepEqual(await users.getLockoutEndDate(user), end)
})

test('of a hundred failed accesses at once five lock, and none of them counts twice', async () => {
  const user = await host.newUser()
  await Promise.all(Array.from({ length: 100 }, () => users.accessFailed(user)))
  assert.deepEqual(await users.getLockoutEndDate(user), inSeconds(300))
  assert.equal(await users.getAccessFailedCount(user), 0)
})

test('after a hundred failures the lock has no end but the last day there is', async () => {
  const user = await host.newUser()
  for (let i = 0; i < 100; i++) {
    await users.accessFailed(user)
    clock.advance(86_400)
  }
  assert.deepEqual(await users.getLockoutEndDate(user), forever)
  assert.deepEqual(await users.unlock(user), { succeeded: true })
  assert.equal(await users.isLockedOut(user), false)
})

test('resetAccessFailedCount forgets failures and leaves a lock', async () => {
  const user = await host.newUser()
  await users.accessFailed(user)
  assert.deepEqual(await users.resetAccessFailedCount(user), { succeeded: true })
  assert.equal(await users.getAccessFailedCount(user), 0)
  for (let i = 0; i < 5; i++) await users.accessFailed(user)
  await users.resetAccessFailedCount(user)
  assert.equal(await users.isLockedOut(user), true)
})

test('a user without lockout is never locked out, whatever has failed', async () => {
  const user = await host.newUser({ lockoutEnabled: false }, goodPassword)
  for (let i = 0; i < 5; i++) await users.accessFailed(user)
  assert.equal(await users.isLockedOut(user), false)
  assert.deepEqual(codesOf(await users.setLockoutEndDate(user, forever)), ['UserLockoutNotEnabled'])
  assert.deepEqual(codesOf(await users.lock(user)), ['UserLockoutNotEnabled'])
  assert.equal((await signIn.passwordSignIn(user.userName, goodPassword)).succeeded, true)
})

test('setLockoutEndDate locks until that very moment', async () => {
  const user = await host.newUser({}, goodPassword)
  const end = inSeconds(60)
  assert.deepEqual(await users.setLockoutEndDate(user, end), { succeeded: true })
  assert.deepEqual(await users.getLockoutEndDate(await host.reread(user)), end)
  clock.advance(60)
  assert.equal(await users.isLockedOut(user), true)
  assert.deepEqual(await signIn.passwordSignIn(user.userName, goodPassword), { succeeded: false, reason: 'LockedOut' })
  clock.advance(1)
  assert.equal(await users.isLockedOut(user), false)
  assert.equal((await signIn.passwordSignIn(user.userName, goodPassword)).succeeded, true)
})

test("setLockoutEndDate(null) opens an administrator's lock", async () => {
  const user = await host.newUser()
  await users.lock(user)
  assert.deepEqual(await users.setLockoutEndDate(user, null), { succeeded: true })
  assert.equal(await users.isLockedOut(user), false)
})

test('an invalid date is an error of the program', async () => {
  const user = await host.newUser()
  await assert.rejects(users.setLockoutEndDate(user, new Date(Number.NaN)), TypeError)
})

test('a date beyond the last one is the last one', async () => {
  const user = await host.newUser()
  assert.deepEqual(await users.setLockoutEndDate(user, new Date(8.64e15)), { succeeded: true })
  assert.deepEqual((await host.reread(user)).lockoutEnd, forever)
})

test('lock holds until unlock, and ends what there is of sessions at once', async () => {
  const user = await host.newUser({}, goodPassword)
  const { accessToken, refreshToken } = await host.app.signIn({ email: user.userName, password: goodPassword })
  assert.deepEqual(await users.lock(user), { succeeded: true })
  assert.deepEqual(await users.getLockoutEndDate(user), forever)
  assert.equal((await host.app.call('GET', '/account/manage/info', { token: accessToken })).status, 401)
  assert.equal((await host.app.call('POST', '/account/refresh', { json: { refreshToken } })).status, 401)
  assert.deepEqual(await users.unlock(user), { succeeded: true })
  assert.equal((await signIn.passwordSignIn(user.userName, goodPassword)).succeeded, true)
})

test('lock takes a date', async () => {
  const user = await host.newUser()
  await users.lock(user, inSeconds(30))
  assert.deepEqual(await users.getLockoutEndDate(user), inSeconds(30))
})

test('unlock opens the lock of failed attempts too, also where lockout has been disabled', async () => {
  const user = await host.newUser({}, goodPassword)
  for (let i = 0; i < 5; i++) await users.accessFailed(user)
  await users.unlock(user)
  assert.equal(await users.isLockedOut(user), false)
  assert.equal((await signIn.passwordSignIn(user.userName, goodPassword)).succeeded, true)
  const other = await host.newUser()
  await users.lock(other)
  await users.setLockoutEnabled(other, false)
  assert.deepEqual(await users.unlock(other), { succeeded: true })
  assert.equal(other.lockoutEnd, null)
})

test('enabling lockout for a user whose lock is not over ends all sessions', async () => {
  const user = await host.newUser()
  await users.lock(user)
  await users.setLockoutEnabled(user, false)
  await host.session(user)
  assert.deepEqual(await users.setLockoutEnabled(user, true), { succeeded: true })
  assert.equal(await users.isLockedOut(user), true)
  assert.equal(await host.sessionCount(user), 0)
})
