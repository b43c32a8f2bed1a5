import assert from 'node:assert/strict'
import { test } from 'node:test'
import { codesOf, goodPassword, startHost, uniqueName } from '../../support/managers.js'

const host = await startHost()
const { users, roles } = host

async function newRoles(count: number): Promise<string[]> {
  const names = Array.from({ length: count }, () => uniqueName('Role'))
  for (const name of names) await roles.create(name)
  return names.sort()
}

test('addToRole gives a role, in any letter case of its name', async () => {
  const user = await host.newUser()
  const [role = ''] = await newRoles(1)
  assert.equal(await users.isInRole(user, role), false)
  assert.deepEqual(await users.addToRole(user, role.toUpperCase()), { succeeded: true })
  assert.equal(await users.isInRole(user, role.toLowerCase()), true)
  assert.deepEqual(await users.getRoles(user), [role])
})

test('a ticket contains roles and their claims from the next sign-in on', async () => {
  const user = await host.newUser({}, goodPassword)
  const created = await roles.create(uniqueName('Editor'))
  assert.ok(created.succeeded)
  await roles.addClaim(created.role, { type: 'may', value: 'edit' })
  await users.addToRole(user, created.role.name)
  const result = await host.signIn.passwordSignIn(user.userName, goodPassword)
  assert.ok(result.succeeded)
  assert.deepEqual(result.signedIn.roles, [created.role.name])
  assert.deepEqual(result.signedIn.claims, [{ type: 'may', value: 'edit' }])
})

test('a role that the user has is refused, as it was typed', async () => {
  const user = await host.newUser()
  const [role = ''] = await newRoles(1)
  await users.addToRole(user, role)
  assert.deepEqual(await users.addToRole(user, role.toLowerCase()), {
    succeeded: false,
    errors: [{ code: 'UserAlreadyInRole', description: `User already in role '${role.toLowerCase()}'.` }],
  })
})

test('a role that does not exist is an error of the program, and nothing is written', async () => {
  const user = await host.newUser()
  const [role = ''] = await newRoles(1)
  for (const unknown of ['nothing', '', '\0', 'x'.repeat(300)]) {
    await assert.rejects(users.addToRole(user, unknown), { message: `Role ${unknown} does not exist.` })
    await assert.rejects(users.addToRoles(user, [role, unknown]), { message: `Role ${unknown} does not exist.` })
    assert.equal(await users.isInRole(user, unknown), false)
    assert.deepEqual(await users.getUsersInRole(unknown), { users: [], next: null })
    assert.deepEqual(codesOf(await users.removeFromRole(user, unknown)), ['UserNotInRole'])
  }
  assert.deepEqual(await users.getRoles(user), [])
  assert.deepEqual(await host.reread(user), user)
})

test('addToRoles gives all or none; a role named twice counts once', async () => {
  const user = await host.newUser()
  const [first = '', second = '', third = ''] = await newRoles(3)
  assert.deepEqual(await users.addToRoles(user, [first, second, first.toUpperCase()]), { succeeded: true })
  assert.deepEqual(codesOf(await users.addToRoles(user, [third, second])), ['UserAlreadyInRole'])
  assert.deepEqual(await users.addToRoles(user, []), { succeeded: true })
  assert.deepEqual(await users.getRoles(user), [first, second])
})

test('removeFromRole takes a role away, and refuses one that the user has not', async () => {
  const user = await host.newUser()
  const [role = '', other = ''] = await newRoles(2)
  await users.addToRoles(user, [role, other])
  assert.deepEqual(await users.removeFromRole(user, role.toUpperCase()), { succeeded: true })
  assert.deepEqual(await users.removeFromRole(user, role), {
    succeeded: false,
    errors: [{ code: 'UserNotInRole', description: `User is not in role '${role}'.` }],
  })
  assert.deepEqual(await users.getRoles(user), [other])
})

test('removeFromRoles takes all away or none', async () => {
  const user = await host.newUser()
  const [first = '', second = '', third = ''] = await newRoles(3)
  await users.addToRoles(user, [first, second])
  assert.deepEqual(codesOf(await users.removeFromRoles(user, [first, third])), ['UserNotInRole'])
  assert.deepEqual(await users.getRoles(user), [first, second])
  assert.deepEqual(await users.removeFromRoles(user, [first, second]), { succeeded: true })
  assert.deepEqual(await users.getRoles(user), [])
})

test('getUsersInRole returns its users page by page', async () => {
  const [role = ''] = await newRoles(1)
  const ids = []
  for (let i = 0; i < 5; i++) {
    const user = await host.newUser()
    await users.addToRole(user, role)
    ids.push(user.id)
  }
  const first = await users.getUsersInRole(role.toLowerCase(), { limit: 3 })
  const second = await users.getUsersInRole(role, { limit: 3, after: first.next })
  assert.deepEqual(
    [...first.users, ...second.users].map(({ id }) => id),
    ids.sort(),
  )
  assert.equal(second.next, null)
  assert.deepEqual(await users.getUsersInRole(role, { after: 'nowhere' }), { users: [], next: null })
})

test('of many who give a user one role at once one succeeds', async () => {
  const user = await host.newUser()
  const [role = ''] = await newRoles(1)
  const results = await Promise.all(Array.from({ length: 20 }, () => users.addToRole({ ...user }, role)))
  assert.deepEqual(
    results.flatMap(codesOf),
    Array.from({ length: 19 }, () => 'ConcurrencyFailure'),
  )
})

test('a role that is deleted while users are added leaves nobody in it, and no error of the database', async () => {
  const created = await roles.create(uniqueName('Fleeting'))
  assert.ok(created.succeeded)
  const all = await Promise.all(Array.from({ length: 10 }, () => host.newUser()))
  const outcomes = await Promise.all([
    ...all.map((user) => users.addToRole(user, created.role.name).then(codesOf, (error: unknown) => [String(error)])),
    roles.delete(created.role).then(codesOf),
  ])
  const expected = new Set([`Error: Role ${created.role.name} does not exist.`])
  assert.deepEqual(
    outcomes.flat().filter((outcome) => !expected.has(outcome)),
    [],
  )
  for (const user of all) assert.deepEqual(await users.getRoles(user), [])
})
