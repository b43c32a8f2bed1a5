import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Role } from '../../../src/index.js'
import { codesOf, startHost, uniqueName } from '../../support/managers.js'

const host = await startHost()
const { roles, users } = host

async function newRole(name = uniqueName('Role')): Promise<Role> {
  const created = await roles.create(name)
  assert.ok(created.succeeded)
  return created.role
}

test('create writes a role, which is found by id and by name in any letter case', async () => {
  const name = uniqueName('Editors')
  const created = await roles.create({ name })
  assert.ok(created.succeeded)
  const { role } = created
  assert.equal(roles.getRoleName(role), name)
  assert.deepEqual(await roles.findById(role.id.toUpperCase()), role)
  assert.deepEqual(await roles.findByName(name.toLowerCase()), role)
  assert.equal(await roles.roleExists(name.toUpperCase()), true)
})

test("a blank name, and one that no row can hold, is no role's", async () => {
  const role = await newRole()
  for (const name of ['', ' \t', '\0', 'x'.repeat(257), '\ud800']) {
    assert.deepEqual(await roles.create(name), {
      succeeded: false,
      errors: [{ code: 'InvalidRoleName', description: `Role name '${name}' is invalid.` }],
    })
    assert.deepEqual(codesOf(await roles.setRoleName(role, name)), ['InvalidRoleName'])
    assert.equal(await roles.findByName(name), null)
    assert.equal(await roles.roleExists(name), false)
  }
})

test('a taken name is refused, as it was typed', async () => {
  const { name } = await newRole()
  assert.deepEqual(await roles.create(name.toLowerCase()), {
    succeeded: false,
    errors: [{ code: 'DuplicateRoleName', description: `Role name '${name.toLowerCase()}' is already taken.` }],
  })
})

test('of twenty creations of one name at once one succeeds', async () => {
  const name = uniqueName()
  const results = await Promise.all(Array.from({ length: 20 }, () => roles.create(name)))
  assert.deepEqual(
    results.flatMap(codesOf),
    Array.from({ length: 19 }, () => 'DuplicateRoleName'),
  )
})

test('setRoleName writes another name, and its spelling alone too', async () => {
  const role = await newRole()
  const name = uniqueName('Other')
  assert.deepEqual(await roles.setRoleName(role, name), { succeeded: true })
  assert.deepEqual(await roles.setRoleName(role, name.toUpperCase()), { succeeded: true })
  assert.deepEqual(await roles.findById(role.id), role)
  assert.equal(role.name, name.toUpperCase())
})

test('a name that another role has is not given, and the object stays as it was', async () => {
  const [role, other] = [await newRole(), await newRole()]
  const before = { ...role }
  assert.deepEqual(codesOf(await roles.setRoleName(role, other.name)), ['DuplicateRoleName'])
  assert.deepEqual(role, before)
})

test('of ten roles that take one name at once one succeeds', async () => {
  const name = uniqueName()
  const all = await Promise.all(Array.from({ length: 10 }, () => newRole()))
  const results = await Promise.all(all.map((role) => roles.setRoleName(role, name)))
  assert.deepEqual(
    results.flatMap(codesOf),
    Array.from({ length: 9 }, () => 'DuplicateRoleName'),
  )
})

test('update writes what the object says', async () => {
  const role = await newRole()
  role.name = uniqueName()
  assert.deepEqual(await roles.update(role), { succeeded: true })
  assert.equal((await roles.findById(role.id))?.name, role.name)
  assert.equal(role.normalizedName, role.name.toUpperCase())
})

const changes: Readonly<Record<string, (role: Role) => Promise<Parameters<typeof codesOf>[0]>>> = {
  update: (role) => roles.update(role),
  setRoleName: (role) => roles.setRoleName(role, uniqueName()),
  delete: (role) => roles.delete(role),
  addClaim: (role) => roles.addClaim(role, { type: 'a', value: 'b' }),
  removeClaim: (role) => roles.removeClaim(role, { type: 'a', value: 'b' }),
}
for (const [name, change] of Object.entries(changes)) {
  test(`${name} on a role that somebody else has changed, or deleted, is a ConcurrencyFailure`, async () => {
    const role = await newRole()
    const stale = { ...role }
    await roles.update(role)
    assert.deepEqual(codesOf(await change(stale)), ['ConcurrencyFailure'])
    assert.deepEqual(await roles.findById(role.id), role)
    assert.deepEqual(await roles.getClaims(role), [])
    await roles.delete(role)
    for (const gone of [role, { ...role, id: 'x' }, { ...role, concurrencyStamp: '\0' }])
      assert.deepEqual(codesOf(await change(gone)), ['ConcurrencyFailure'])
  })
}

test('delete takes the role from everybody, with its claims', async () => {
  const role = await newRole()
  const user = await host.newUser()
  await roles.addClaim(role, { type: 'a', value: 'b' })
  await users.addToRole(user, role.name)
  assert.deepEqual(await roles.delete(role), { succeeded: true })
  assert.equal(await roles.findById(role.id), null)
  assert.deepEqual(await users.getRoles(user), [])
  assert.deepEqual(await roles.getClaims(role), [])
})

test('claims of a role are added, listed in order and removed', async () => {
  const role = await newRole()
  for (const value of ['a', 'b', 'a']) {
    assert.deepEqual(await roles.addClaim(role, { type: 't', value }), { succeeded: true })
    host.clock.advance(1)
  }
  assert.deepEqual(
    (await roles.getClaims(role)).map(({ value }) => value),
    ['a', 'b', 'a'],
  )
  assert.deepEqual(await roles.removeClaim(role, { type: 't', value: 'a' }), { succeeded: true })
  assert.deepEqual(await roles.removeClaim(role, { type: 't', value: '\0' }), { succeeded: true })
  assert.deepEqual(await roles.getClaims(role), [{ type: 't', value: 'b' }])
  assert.deepEqual(codesOf(await roles.addClaim(role, { type: '', value: 'a' })), ['DefaultError'])
})

test('an id that is none finds nothing', async () => {
  for (const id of ['', 'x', '\0', 'x'.repeat(1000)]) assert.equal(await roles.findById(id), null)
})

test('normalizeKey is the form of names', () => {
  assert.deepEqual([roles.normalizeKey('Éditors'), roles.normalizeKey('\0')], ['ÉDITORS', null])
})

test('list returns all roles page by page', async () => {
  const created: string[] = []
  for (let i = 0; i < 5; i++) created.push((await newRole()).id)
  const found = []
  let next: string | null = null
  do {
    const page = await roles.list({ after: next, limit: 4 })
    assert.ok(page.roles.length <= 4)
    found.push(...page.roles.map(({ id }) => id))
    next = page.next
  } while (next !== null)
  assert.deepEqual(
    found.filter((id) => created.includes(id)),
    created.sort(),
  )
  assert.equal(new Set(found).size, found.length)
  assert.equal((await roles.list()).roles.length, found.length)
  assert.deepEqual(await roles.list({ after: 'x' }), { roles: [], next: null })
})
