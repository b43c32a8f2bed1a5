// users.withTransaction(trx): the rows of a host and those of its users commit or roll back together.
import { CamelCasePlugin, Kysely, PostgresDialect, sql, type Transaction } from 'kysely'
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import pg from 'pg'
import type { HookEvent, User, UserManager } from '../../../src/index.js'
import { expectTokenRefused, goodPassword, startApp, type TestApp } from '../../support/app.js'
import { heard, until } from '../../support/instances.js'
import { databaseUrl, uniqueSchema } from '../../support/postgres.js'

interface HostTables {
  companies: { name: string; owner: string }
}

const schema = uniqueSchema()
let server: TestApp
let users: UserManager
let host: Kysely<HostTables>
let hook: ((event: HookEvent) => Promise<void>) | null = null

before(async () => {
  server = await startApp({
    identity: { schema, hooks: { userCreated: (event) => hook?.(event), emailChanged: (event) => hook?.(event) } },
  })
  users = server.app.identity.users
  host = new Kysely<HostTables>({
    dialect: new PostgresDialect({
      pool: new pg.Pool({ connectionString: await databaseUrl(), options: `-c search_path=${schema}` }),
    }),
  })
  await server.sql('create table companies (name text primary key, owner uuid not null)')
})
after(async () => {
  await host.destroy()
  await server.close()
})
beforeEach(() => {
  hook = null
})

const companies = async () => (await server.sql('select name from companies order by name')).map(({ name }) => name)
const exists = async (name: string) => (await users.findByName(name)) !== null

async function found(trx: Transaction<HostTables>, name: string, inside = users.withTransaction(trx)): Promise<User> {
  const result = await inside.create({ userName: name, email: name }, goodPassword)
  assert.ok(result.succeeded)
  await trx.insertInto('companies').values({ name, owner: result.user.id }).execute()
  return result.user
}

class Changed extends Error {}

const rolledBack = (work: (trx: Transaction<HostTables>) => Promise<unknown>) =>
  assert.rejects(
    host.transaction().execute(async (trx) => {
      await work(trx)
      throw new Changed()
    }),
    Changed,
  )

test('a user and a row of the host commit together', async () => {
  await host.transaction().execute((trx) => found(trx, 'both@example.com'))
  assert.ok(await exists('both@example.com'))
  assert.ok((await companies()).includes('both@example.com'))
  await server.signIn({ email: 'both@example.com', password: goodPassword })
})

test('they roll back together', async () => {
  await rolledBack((trx) => found(trx, 'neither@example.com'))
  assert.equal(await exists('neither@example.com'), false)
  assert.ok(!(await companies()).includes('neither@example.com'))
})

test('inside the transaction the manager sees what is not committed, outside it does not', () =>
  rolledBack(async (trx) => {
    const { id } = await found(trx, 'inside@example.com')
    assert.equal((await users.withTransaction(trx).findById(id))?.userName, 'inside@example.com')
    assert.equal(await users.findById(id), null)
  }))

test('a change of an existing user is undone with the transaction', async () => {
  const { email } = await server.register()
  const user = (await users.findByName(email))!
  await rolledBack(async (trx) => {
    assert.deepEqual(await users.withTransaction(trx).setEmail(user, 'other@example.com'), { succeeded: true })
  })
  assert.equal((await users.findByName(email))!.email, email)
})

test('a taken name is an expected failure, and the transaction goes on', async () => {
  const { email } = await server.register()
  const other = (await users.findByName((await server.register()).email))!
  await host.transaction().execute(async (trx) => {
    const inside = users.withTransaction(trx)
    assert.deepEqual(await inside.create({ userName: email }), {
      succeeded: false,
      errors: [{ code: 'DuplicateUserName', description: `Username '${email}' is already taken.` }],
    })
    assert.deepEqual(
      await inside.changeEmail(other, email, users.generateChangeEmailToken(other, email), { setUserName: true }),
      {
        succeeded: false,
        errors: [{ code: 'DuplicateUserName', description: `Username '${email}' is already taken.` }],
      },
    )
    await found(trx, 'went-on@example.com', inside)
  })
  assert.ok(await exists('went-on@example.com'))
})

test('an object that is out of date is a ConcurrencyFailure, and the transaction goes on', async () => {
  const { email } = await server.register()
  const [user, stale] = [(await users.findByName(email))!, (await users.findByName(email))!]
  await users.update(user)
  await host.transaction().execute(async (trx) => {
    const inside = users.withTransaction(trx)
    for (const result of [await inside.update(stale), await inside.delete(stale)]) {
      assert.deepEqual(result.succeeded ? [] : result.errors.map(({ code }) => code), ['ConcurrencyFailure'])
    }
    await found(trx, 'after-stale@example.com', inside)
  })
  assert.ok(await exists('after-stale@example.com'))
})

test("a hook writes in the host's transaction", async () => {
  hook = async ({ user, trx }) => {
    await sql`insert into companies values ('by the hook', ${user.id})`.execute(trx)
  }
  await rolledBack((trx) => found(trx, 'hooked@example.com'))
  assert.ok(!(await companies()).includes('by the hook'))
  await host.transaction().execute((trx) => found(trx, 'hooked@example.com'))
  assert.ok((await companies()).includes('by the hook'))
})

test('a hook that throws undoes the change of its own, and the host decides about the rest', async () => {
  hook = async ({ user, trx }) => {
    await sql`insert into companies values ('half', ${user.id})`.execute(trx)
    throw new Error('no')
  }
  await host.transaction().execute(async (trx) => {
    await assert.rejects(users.withTransaction(trx).create({ userName: 'refused@example.com' }), /^Error: no$/)
    await trx
      .insertInto('companies')
      .values({ name: 'the rest', owner: '00000000-0000-0000-0000-000000000000' })
      .execute()
  })
  assert.equal(await exists('refused@example.com'), false)
  assert.ok((await companies()).includes('the rest'))
  assert.ok(!(await companies()).includes('half'))
})

test('no event is emitted from inside, committed or not', async () => {
  const { events } = server.app.identity
  const seen = heard(events, 'userCreated')
  await rolledBack((trx) => found(trx, 'quiet-1@example.com'))
  await host.transaction().execute((trx) => found(trx, 'quiet-2@example.com'))
  assert.deepEqual(seen, [])
})

test('sessions that a change ends are refused once the host has committed, and stay when it has not', async () => {
  const { email, accessToken } = await server.signIn()
  const user = (await users.findByName(email))!
  const ask = () => server.call('GET', '/account/manage/info', { token: accessToken })
  await rolledBack((trx) => users.withTransaction(trx).removePassword(user))
  assert.equal((await ask()).status, 200)
  const again = (await users.findByName(email))!
  await host.transaction().execute((trx) => users.withTransaction(trx).removePassword(again))
  await until(async () => (await ask()).status === 401)
  expectTokenRefused(await ask())
})

test("a transaction of a Kysely with plugins of the host's own works as well", async () => {
  await host
    .withPlugin(new CamelCasePlugin())
    .transaction()
    .execute((trx) => found(trx, 'camel@example.com'))
  assert.equal((await users.findByName('camel@example.com'))?.emailConfirmed, false)
})
