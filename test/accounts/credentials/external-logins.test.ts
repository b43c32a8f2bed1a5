import assert from 'node:assert/strict'
import { test } from 'node:test'
import { codesOf, startHost, uniqueName } from '../../support/managers.js'

const host = await startHost()
const { users } = host
const google = (providerKey = uniqueName()) => ({ loginProvider: 'google', providerKey, providerDisplayName: 'Google' })

test('addLogin gives a user a login, by which they are found', async () => {
  const user = await host.newUser()
  const login = google()
  assert.deepEqual(await users.addLogin(user, login), { succeeded: true })
  assert.deepEqual(await users.getLogins(user), [login])
  assert.deepEqual(await users.findByLogin('google', login.providerKey), user)
})

test('a login without a display name has none', async () => {
  const user = await host.newUser()
  const providerKey = uniqueName()
  await users.addLogin(user, { loginProvider: 'github', providerKey })
  assert.deepEqual(await users.getLogins(user), [{ loginProvider: 'github', providerKey, providerDisplayName: null }])
})

test('a login belongs to one user, and is not given twice to the same one either', async () => {
  const [user, other] = [await host.newUser(), await host.newUser()]
  const login = google()
  await users.addLogin(user, login)
  for (const taker of [user, other]) {
    const before = { ...taker }
    assert.deepEqual(codesOf(await users.addLogin(taker, login)), ['LoginAlreadyAssociated'])
    assert.deepEqual(await host.reread(taker), before)
  }
})

test('of twenty users who take one login at once one gets it', async () => {
  const login = google()
  const all = await Promise.all(Array.from({ length: 20 }, () => host.newUser()))
  const results = await Promise.all(all.map((user) => users.addLogin(user, login)))
  assert.deepEqual(
    results.flatMap(codesOf),
    Array.from({ length: 19 }, () => 'LoginAlreadyAssociated'),
  )
  const winner = all[results.findIndex(({ succeeded }) => succeeded)]
  assert.deepEqual(await users.findByLogin('google', login.providerKey), winner)
})

test('provider and key are compared exactly', async () => {
  const user = await host.newUser()
  const login = google()
  await users.addLogin(user, login)
  assert.equal(await users.findByLogin('Google', login.providerKey), null)
  assert.equal(await users.findByLogin('google', login.providerKey.toUpperCase()), null)
})

test('a login that no row can hold is refused, and found by nobody', async () => {
  const user = await host.newUser()
  for (const bad of ['', 'x'.repeat(129), 'a\0', '\ud800']) {
    assert.deepEqual(codesOf(await users.addLogin(user, { loginProvider: bad, providerKey: 'k' })), ['DefaultError'])
    assert.deepEqual(codesOf(await users.addLogin(user, { loginProvider: 'p', providerKey: bad })), ['DefaultError'])
    assert.equal(await users.findByLogin(bad, 'k'), null)
    assert.equal(await users.findByLogin('p', bad), null)
    assert.deepEqual(await users.removeLogin(user, 'p', bad), { succeeded: true })
  }
  assert.deepEqual(
    codesOf(await users.addLogin(user, { loginProvider: 'p', providerKey: 'k', providerDisplayName: '\0' })),
    ['DefaultError'],
  )
  assert.deepEqual(await users.addLogin(user, google('x'.repeat(128))), { succeeded: true })
})

test("removeLogin takes one away and leaves the others, and other users'", async () => {
  const [user, other] = [await host.newUser(), await host.newUser()]
  const [first, second, foreign] = [
    google('a'.repeat(20) + uniqueName()),
    google('b'.repeat(20) + uniqueName()),
    google(),
  ]
  await users.addLogin(user, first)
  await users.addLogin(user, second)
  await users.addLogin(other, foreign)
  assert.deepEqual(await users.removeLogin(user, 'google', first.providerKey), { succeeded: true })
  assert.deepEqual(await users.removeLogin(user, 'google', foreign.providerKey), { succeeded: true })
  assert.deepEqual(await users.getLogins(user), [second])
  assert.deepEqual(await users.getLogins(other), [foreign])
})

test('logins go with their user', async () => {
  const user = await host.newUser()
  const login = google()
  await users.addLogin(user, login)
  await users.delete(user)
  assert.equal(await users.findByLogin('google', login.providerKey), null)
})
