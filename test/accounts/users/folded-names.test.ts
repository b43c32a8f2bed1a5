// Letters beyond ASCII are one in either case: for names, addresses and roles, and beside instances of the version
// before, which fold ASCII alone.
import assert from 'node:assert/strict'
import { type Kysely, sql } from 'kysely'
import { test, type TestContext } from 'node:test'
import { migrations } from '../../../migrations/index.js'
import { connect } from '../../../src/store/connect.js'
import { startApp as startInstance } from '../../support/instances.js'
import { codesOf, goodPassword, startHost } from '../../support/managers.js'
import { databaseUrl, uniqueSchema } from '../../support/postgres.js'

const anyName = { user: { allowedUserNameCharacters: null, userNameIsEmail: false } } as const
const host = await startHost(anyName)
const { users, roles } = host

/** Writes a user as an instance of the version before does. */
const asBefore = `insert into users (id, user_name, normalized_user_name, email, normalized_email, unique_email, security_stamp,
  concurrency_stamp, lockout_enabled) values ($1, $2, $3, $4, $5, $6, 'stamp', gen_random_uuid(), true) on conflict do nothing returning id`

const idOf = (number: number) => `00000000-0000-7000-8000-${String(number).padStart(12, '0')}`

test('Müller and MÜLLER are one user, who is found in any letter case', async () => {
  const user = await host.newUser({ userName: 'Müller', email: 'jürgen@example.com' }, goodPassword)
  assert.equal(user.normalizedUserName, 'MÜLLER')
  assert.equal((await host.reread(user)).normalizedUserName, 'MÜLLER')
  for (const userName of ['MÜLLER', 'müller', 'mu\u0308ller'])
    assert.deepEqual(codesOf(await users.create({ userName, email: 'other@example.com' }, goodPassword)), [
      'DuplicateUserName',
    ])
  for (const name of ['MÜLLER', 'Müller', 'müLLER', 'MU\u0308LLER']) {
    assert.equal((await users.findByName(name))?.id, user.id, name)
    assert.equal((await host.signIn.passwordSignIn(name, goodPassword)).succeeded, true, name)
  }
  assert.equal((await users.findByEmail('JÜRGEN@example.com'))?.id, user.id)
  assert.equal(await users.findByName('Muller'), null)
})

test('of many who take one name at once in different spellings one succeeds', async () => {
  const spellings = ['Öztürk', 'ÖZTÜRK', 'öztürk', 'öZTÜRK', 'ÖZTüRK', 'O\u0308ZTU\u0308RK']
  const created = await Promise.all(
    spellings.map((userName) =>
      users.create({ userName, email: `${Buffer.from(userName).toString('hex')}@example.com` }),
    ),
  )
  assert.equal(created.filter(({ succeeded }) => succeeded).length, 1)
  for (const one of created.filter(({ succeeded }) => !succeeded)) assert.deepEqual(codesOf(one), ['DuplicateUserName'])
})

test('of many who change to one name at once in different spellings one succeeds', async () => {
  const people = await Promise.all(Array.from({ length: 4 }, () => host.newUser()))
  const renamed = await Promise.all(
    ['Çelik', 'ÇELIK', 'çelik', 'çELIK'].map((name, index) => users.setUserName(people[index]!, name)),
  )
  assert.equal(renamed.filter(({ succeeded }) => succeeded).length, 1)
  for (const one of renamed.filter(({ succeeded }) => !succeeded)) assert.deepEqual(codesOf(one), ['DuplicateUserName'])
})

test('a change of case of the own name is no duplicate', async () => {
  const user = await host.newUser({ userName: 'Ängström' })
  assert.equal((await users.setUserName(user, 'ÄNGSTRÖM')).succeeded, true)
  assert.equal((await users.findByName('ängström'))?.userName, 'ÄNGSTRÖM')
})

test('wrong passwords in different spellings count together', async () => {
  await host.newUser({ userName: 'Zoë', email: 'zoe@example.com' }, goodPassword)
  for (const name of ['zoë', 'ZOË', 'Zoë', 'zoË', 'ZOë']) await host.signIn.passwordSignIn(name, 'Wrong-password-1')
  const result = await host.signIn.passwordSignIn('zoë', goodPassword)
  assert.deepEqual([result.succeeded, !result.succeeded && result.reason], [false, 'LockedOut'])
})

test('a search finds every spelling', async () => {
  await host.newUser({ userName: 'Éloïse', email: 'eloise@example.com' })
  for (const search of ['éLO', 'Éloïse', 'é']) {
    const page = await users.list({ search })
    assert.deepEqual(
      page.users.map(({ userName }) => userName),
      ['Éloïse'],
      search,
    )
  }
  const names = []
  for (const name of ['Xäa', 'xÄb', 'XÄC'])
    await host.newUser({ userName: name, email: `${String(names.push(name))}@x.example` })
  for (const search of ['x', 'Xä']) {
    const found = []
    let after: string | null = null
    do {
      const page = await users.list({ search, limit: 1, after })
      found.push(...page.users.map(({ userName }) => userName))
      after = page.next
    } while (after !== null)
    assert.deepEqual(found.toSorted(), names.toSorted(), search)
  }
})

test('roles fold as names do', async () => {
  assert.equal((await roles.create('Prüfer')).succeeded, true)
  assert.deepEqual(codesOf(await roles.create('PRÜFER')), ['DuplicateRoleName'])
  const user = await host.newUser()
  await users.addToRole(user, 'PRÜFER')
  assert.deepEqual(codesOf(await users.addToRole(user, 'prüfer')), ['UserAlreadyInRole'])
  assert.equal(await users.isInRole(user, 'prüfer'), true)
  assert.deepEqual(
    (await users.getUsersInRole('PRÜFER')).users.map(({ id }) => id),
    [user.id],
  )
  const other = await roles.create('Leser')
  assert.ok(other.succeeded)
  assert.deepEqual(codesOf(await roles.setRoleName(other.role, 'pRÜFER')), ['DuplicateRoleName'])
  const raced = await Promise.all(['Ärzte', 'ÄRZTE', 'ärzte'].map((name) => roles.create(name)))
  assert.equal(raced.filter(({ succeeded }) => succeeded).length, 1)
  assert.equal((await users.removeFromRole(user, 'prüFER')).succeeded, true)
  assert.equal(await users.isInRole(user, 'Prüfer'), false)
})

test('an instance of the version before finds its own users and writes no second one', async () => {
  const user = await host.newUser({ userName: 'Jörg', email: 'jörg@example.com' })
  assert.deepEqual(await host.app.sql("select id from users where normalized_user_name = 'JöRG'"), [{ id: user.id }])
  assert.deepEqual(await host.app.sql(asBefore, [idOf(1), 'JÖRG', 'JÖRG', null, null, null]), [])
  await host.app.sql(asBefore, [idOf(2), 'Käthe', 'KäTHE', 'käthe@example.com', 'KäTHE@EXAMPLE.COM', null])
  assert.equal((await users.findByName('KÄTHE'))?.id, idOf(2))
  assert.equal((await users.findByEmail('KÄTHE@example.com'))?.id, idOf(2))
  assert.deepEqual(codesOf(await users.create({ userName: 'KÄTHE' })), ['DuplicateUserName'])
})

/** A schema of the version before with two who differ in case only, migrated while it has them. */
async function startWithPairs(t: TestContext) {
  const schema = uniqueSchema()
  const db = connect(await databaseUrl(), schema, undefined, {}, () => undefined)
  const kysely = db.kysely as unknown as Kysely<unknown>
  const known = Object.entries(migrations(schema)).filter(([name]) => name < '0005')
  await sql`create schema ${sql.id(schema)}`.execute(kysely)
  await sql`create table ${sql.id(schema, 'migrations')} (name varchar(255) primary key, timestamp varchar(255) not null)`.execute(
    kysely,
  )
  for (const [name, migration] of known) {
    await migration.up(kysely)
    await sql`insert into ${sql.id(schema, 'migrations')} values (${name}, '')`.execute(kysely)
  }
  for (const [number, name, key] of [
    [1, 'Müller', 'MüLLER'],
    [2, 'MÜLLER', 'MÜLLER'],
    [3, 'alone-ä', 'ALONE-ä'],
    [4, 'plain', 'PLAIN'],
  ] as const) {
    const email = `${name}@example.com`
    const emailKey = `${key}@EXAMPLE.COM`
    await sql`insert into ${sql.id(schema, 'users')} (id, user_name, normalized_user_name, email, normalized_email, unique_email, email_confirmed,
      security_stamp, concurrency_stamp, lockout_enabled)
      values (${idOf(number)}, ${name}, ${key}, ${email}, ${emailKey}, ${emailKey}, true, 'stamp', gen_random_uuid(), true)`.execute(
      kysely,
    )
  }
  for (const [number, name, key] of [
    [1, 'Ärzte', 'ÄRZTE'],
    [2, 'ärzte', 'äRZTE'],
  ] as const)
    await sql`insert into ${sql.id(schema, 'roles')} values (${idOf(number)}, ${name}, ${key}, gen_random_uuid())`.execute(
      kysely,
    )
  await db.close()
  const app = await startInstance(t, { ...anyName, schema, user: { ...anyName.user, requireUniqueEmail: true } })
  return app.identity
}

test('two users of before who differ in case stay apart, each under the own spelling', async (t) => {
  const { users, signIn } = await startWithPairs(t)
  const [first, second] = [await users.findByName('Müller'), await users.findByName('MÜLLER')]
  assert.deepEqual([first?.id, second?.id], [idOf(1), idOf(2)])
  assert.ok(first !== null && second !== null)
  assert.equal((await users.findByName('müller'))?.id, idOf(1))
  // Neither is the spelling of a row: the older one.
  assert.equal((await users.findByName('MÜLLer'))?.id, idOf(2))
  assert.deepEqual(
    [(await users.findByEmail('müller@example.com'))?.id, (await users.findByEmail('MÜLLER@example.com'))?.id],
    [idOf(1), idOf(2)],
  )
  assert.equal((await users.findByName('ALONE-Ä'))?.id, idOf(3))
  assert.equal((await users.findByName('Plain'))?.id, idOf(4))

  // Each can still be changed, and signs in with a password of its own.
  assert.equal((await users.addPassword(first, goodPassword)).succeeded, true)
  assert.equal((await users.addPassword(second, `${goodPassword}2`)).succeeded, true)
  assert.equal((await users.setPhoneNumber(second, '1')).succeeded, true)
  assert.equal((await signIn.passwordSignIn('müller', goodPassword)).succeeded, true)
  assert.equal((await signIn.passwordSignIn('MÜLLER', `${goodPassword}2`)).succeeded, true)
  assert.equal((await signIn.passwordSignIn('MÜLLER', goodPassword)).succeeded, false)

  // Neither takes the spelling of the other, and no third one comes, even when the first has gone.
  assert.deepEqual(codesOf(await users.setUserName(second, 'Müller')), ['DuplicateUserName'])
  assert.deepEqual(codesOf(await users.create({ userName: 'müLLer', email: 'x@example.com' })), ['DuplicateUserName'])
  assert.deepEqual(codesOf(await users.create({ userName: 'x', email: 'mÜller@example.com' })), ['DuplicateEmail'])
  assert.equal((await users.delete(first)).succeeded, true)
  assert.deepEqual(codesOf(await users.create({ userName: 'müLLer', email: 'x@example.com' })), ['DuplicateUserName'])
  assert.equal((await users.findByName('Müller'))?.id, idOf(2))

  // A new name is one among all others.
  assert.equal((await users.setUserName(second, 'Möller')).succeeded, true)
  assert.deepEqual(codesOf(await users.create({ userName: 'MÖLLER', email: 'x@example.com' })), ['DuplicateUserName'])
})

test('two roles of before who differ in case stay apart', async (t) => {
  const { users, roles } = await startWithPairs(t)
  const user = await users.findByName('plain')
  const lower = await roles.findByName('ärzte')
  assert.ok(user !== null && lower !== null)
  assert.deepEqual([lower.id, (await roles.findByName('Ärzte'))?.id], [idOf(2), idOf(1)])
  assert.equal((await users.addToRole(user, 'ärzte')).succeeded, true)
  assert.deepEqual([await users.isInRole(user, 'ärzte'), await users.isInRole(user, 'Ärzte')], [true, false])
  assert.deepEqual(codesOf(await users.removeFromRole(user, 'Ärzte')), ['UserNotInRole'])
  assert.equal((await roles.addClaim(lower, { type: 'a', value: 'b' })).succeeded, true)
  assert.deepEqual(codesOf(await roles.setRoleName(lower, 'Ärzte')), ['DuplicateRoleName'])
  assert.deepEqual(codesOf(await roles.create('äRZTe')), ['DuplicateRoleName'])
})
