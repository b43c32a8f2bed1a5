// Changes of roles that meet another transaction at the worst moment: it is held there, until Postgres says that
// somebody waits for it.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import pg from 'pg'
import { until } from '../../support/instances.js'
import { codesOf, startHost, uniqueName } from '../../support/managers.js'
import { databaseUrl } from '../../support/postgres.js'

const host = await startHost()
const { users, roles } = host
const { schema } = host.app

/** Another transaction, open until it commits. */
async function openTransaction(
  t: TestContext,
  statement: string,
  values: readonly unknown[] = [],
): Promise<{ commit(): Promise<unknown> }> {
  const client = new pg.Client(await databaseUrl())
  await client.connect()
  t.after(() => client.end())
  await client.query('begin')
  await client.query(statement, [...values])
  return { commit: () => client.query('commit') }
}

/** Whether a statement of this kind waits for a lock. */
async function isWaiting(kind: string): Promise<boolean> {
  const rows = await host.app.sql(
    "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query ~ ('^\\s*' || $1) and query like $2",
    [kind, `%"${schema}".%`],
  )
  return rows.length > 0
}

async function newRole() {
  const created = await roles.create(uniqueName('Role'))
  assert.ok(created.succeeded)
  return created.role
}

test('a role that is deleted while it is given to a user is deleted afterwards, with the membership', async (t) => {
  const user = await host.newUser()
  const role = await newRole()
  // Between finding the role and writing the membership.
  const other = await openTransaction(t, `lock table ${schema}.user_roles in access exclusive mode`)
  const given = users.addToRole(user, role.name)
  await until(() => isWaiting('select'))
  const deleted = roles.delete(role)
  await until(() => isWaiting('with'))
  await other.commit()
  assert.deepEqual([await given, await deleted], [{ succeeded: true }, { succeeded: true }])
  assert.deepEqual(await users.getRoles(user), [])
  assert.equal(await roles.findById(role.id), null)
})

test('a name that another transaction takes at the same moment is refused as taken', async (t) => {
  const role = await newRole()
  const before = { ...role }
  const name = uniqueName('Wanted')
  const other = await openTransaction(
    t,
    `insert into ${schema}.roles (id, name, normalized_name, concurrency_stamp)
    values (gen_random_uuid(), $1, $2, gen_random_uuid())`,
    [name, name.toUpperCase()],
  )
  const renamed = roles.setRoleName(role, name)
  await until(() => isWaiting('with'))
  await other.commit()
  assert.deepEqual(codesOf(await renamed), ['DuplicateRoleName'])
  assert.deepEqual(role, before)
})
