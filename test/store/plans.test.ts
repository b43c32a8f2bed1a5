// The plans of the queries of an application with many users: an index each time, and the same rows with ten thousand
// users as with a hundred thousand. Plans are those of the statements as they are sent, with their values.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import pg from 'pg'
import type { User } from '../../src/index.js'
import { connect } from '../../src/store/connect.js'
import { findOwners } from '../../src/store/users.js'
import { startHost } from '../support/managers.js'
import { databaseUrl } from '../support/postgres.js'

interface Statement {
  readonly text: string
  readonly values: readonly unknown[]
}

interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Rows Removed by Filter'?: number
  readonly 'Rows Removed by Index Recheck'?: number
  readonly Plans?: readonly PlanNode[]
}

let sent: Statement[] = []
const pool = new pg.Pool({ connectionString: await databaseUrl() })
after(() => pool.end())
pool.on('connect', (client) => {
  const query = client.query.bind(client) as (...given: unknown[]) => unknown
  client.query = ((...given: unknown[]) => {
    const [first, values] = given as [string | pg.QueryConfig, unknown[] | undefined]
    const text = typeof first === 'string' ? first : first.text
    // The plugin's own periodic statements.
    if (!/"(revocations|keys|outbox|attempts)"|pg_stat_activity/.test(text))
      sent.push({ text, values: values ?? (typeof first === 'string' ? [] : (first.values ?? [])) })
    return query(...given)
  }) as typeof client.query // one of its many forms, the one that a promise is asked of
})

const host = await startHost({ database: pool })
const { users, roles, app } = host
for (const name of ['everybody', 'few']) await roles.create(name)

async function insertUsers(from: number, to: number): Promise<void> {
  await app.sql(`
    insert into users (id, user_name, normalized_user_name, email, normalized_email, security_stamp, concurrency_stamp, lockout_enabled)
    select gen_random_uuid(), name, upper(name), email, upper(email), 'stamp', gen_random_uuid(), true
    from (select 'user' || lpad(n::text, 6, '0') as name,
      case when n % 2 = 0 then 'user' || lpad(n::text, 6, '0') else 'mail' || lpad(n::text, 6, '0') || '@example.com' end as email
      from generate_series(${from}::int, ${to}::int) n) as given`)
  await app.sql(`insert into user_roles (user_id, role_id) select u.id, r.id from users u, roles r
    where (r.name = 'everybody' or u.normalized_user_name like '%77') on conflict do nothing`)
  await app.sql(`insert into user_claims (id, user_id, type, value) select gen_random_uuid(), id, 'department', 'all' from users
    where not exists (select 1 from user_claims c where c.user_id = users.id)`)
  await app.sql(
    `insert into user_logins (login_provider, provider_key, user_id) select 'google', user_name, id from users on conflict do nothing`,
  )
  for (const table of ['users', 'user_roles', 'user_claims', 'user_logins', 'roles']) await app.sql(`analyze ${table}`)
}

async function someone(): Promise<User> {
  const user = await users.findByName('user004711')
  assert.ok(user)
  return user
}

const department = { type: 'department', value: 'all' }
const middle = '80000000-0000-0000-0000-000000000000'

const store = connect(pool, app.schema, undefined, {}, () => undefined)

const named = (userName: string, email: string | null) => ({
  id: middle,
  userName,
  normalizedUserName: userName.toUpperCase(),
  email,
})

const questions: Readonly<Record<string, (user: User) => Promise<unknown>>> = {
  findById: (user) => users.findById(user.id),
  findByName: () => users.findByName('USER004711'),
  findByEmail: () => users.findByEmail('mail004711@example.com'),
  findOwners: () => findOwners(store, named('user004711', null), null),
  'findOwners, of an address': () =>
    findOwners(store, named('nobody', 'mail004711@example.com'), 'MAIL004711@EXAMPLE.COM'),
  findByLogin: () => users.findByLogin('google', 'user004711'),
  'list, first page': () => users.list(),
  'list, page in the middle': () => users.list({ after: middle }),
  'list, by a whole name': () => users.list({ search: 'user004711' }),
  'list, by an address': () => users.list({ search: 'mail004711@' }),
  'list, by a prefix of all names': () => users.list({ search: 'user' }),
  'list, by a prefix of half the addresses': () => users.list({ search: 'MAIL' }),
  'list, by a prefix of nothing': () => users.list({ search: 'zzz' }),
  'list, second page of a search': async () => {
    const { next } = await users.list({ search: 'user' })
    sent = []
    return users.list({ search: 'user', after: next })
  },
  'getUsersInRole, everybody': () => users.getUsersInRole('everybody'),
  'getUsersInRole, everybody, page in the middle': () => users.getUsersInRole('everybody', { after: middle }),
  'getUsersInRole, few': () => users.getUsersInRole('few'),
  'getUsersInRole, no such role': () => users.getUsersInRole('none'),
  'getUsersForClaim, everybody': () => users.getUsersForClaim(department),
  'getUsersForClaim, page in the middle': () => users.getUsersForClaim(department, { after: middle }),
  'getUsersForClaim, nobody': () => users.getUsersForClaim({ ...department, value: 'none' }),
  getRoles: (user) => users.getRoles(user),
  isInRole: (user) => users.isInRole(user, 'few'),
  getClaims: (user) => users.getClaims(user),
  getLogins: (user) => users.getLogins(user),
  'signIn, which reads roles and claims': (user) => host.signIn.signIn(user),
}

async function planOf({ text, values }: Statement): Promise<PlanNode> {
  const client = new pg.Client(await databaseUrl())
  await client.connect()
  try {
    await client.query('begin')
    const {
      rows: [row],
    } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(`explain (analyze, format json) ${text}`, [
      ...values,
    ])
    await client.query('rollback')
    return row!['QUERY PLAN'][0].Plan
  } finally {
    await client.end()
  }
}

const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)]

/** How many rows a plan's scans read, including those that a filter drops; each node reports the mean of its loops. */
function rowsRead(plan: PlanNode): number {
  return nodesOf(plan)
    .filter((node) => node['Node Type'].endsWith('Scan') && node['Relation Name'] !== undefined)
    .reduce(
      (sum, node) =>
        sum +
        node['Actual Loops'] *
          (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0)),
      0,
    )
}

async function ask(question: (user: User) => Promise<unknown>): Promise<{ plans: PlanNode[]; rows: number }> {
  const user = await someone()
  sent = []
  await question(user)
  const asked = sent
  assert.ok(asked.length > 0)
  const plans = []
  for (const statement of asked) plans.push(await planOf(statement))
  return { plans, rows: plans.reduce((sum, plan) => sum + rowsRead(plan), 0) }
}

await insertUsers(1, 10_000)
const before = new Map<string, number>()
for (const [name, question] of Object.entries(questions)) before.set(name, (await ask(question)).rows)
await insertUsers(10_001, 100_000)

for (const [name, question] of Object.entries(questions)) {
  test(`${name}: no table is read as a whole, and a hundred thousand users cost as much as ten thousand`, async () => {
    const { plans, rows } = await ask(question)
    const scanned = plans
      .flatMap(nodesOf)
      .filter((node) => node['Node Type'] === 'Seq Scan')
      .map((node) => node['Relation Name'] ?? '')
    assert.deepEqual(
      scanned.filter((table) => table !== 'roles'),
      [],
    )
    assert.ok(rows <= before.get(name)! + 1, `${rows} rows are read, ${before.get(name)} with ten thousand users`)
    assert.ok(rows <= 51 * 4 + 10, `${rows} rows are read`)
  })
}

test('a page in the middle is a full one', async () => {
  const { users: page, next } = await users.getUsersInRole('everybody', { after: middle })
  assert.equal(page.length, 50)
  assert.ok(next !== null)
})
