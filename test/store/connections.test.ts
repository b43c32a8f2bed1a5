// How the pool is opened: by every form of option `database`, and behind a pooler that refuses or forgets what a
// session sets.
import assert from 'node:assert/strict'
import { sql } from 'kysely'
import { test, type TestContext } from 'node:test'
import pg from 'pg'
import { DatabaseUnavailable } from '../../src/errors.js'
import type { IdentityOptions } from '../../src/index.js'
import { resolveOptions } from '../../src/options.js'
import { connect, type Connection } from '../../src/store/connect.js'
import type { DatabaseOption } from '../../src/store/database-option.js'
import { inTransaction } from '../../src/store/transaction.js'
import { migrate } from '../../src/store/migrate.js'
import { login, logout, newcomer, refresh, startApp, tokensOf } from '../support/instances.js'
import { startTcpProxy } from '../support/tcp-proxy.js'
import { startPgbouncer, withoutPgbouncer } from '../support/pgbouncer.js'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'

function open(t: TestContext, option: DatabaseOption, timeouts: IdentityOptions['databaseTimeouts'] = {}): Connection {
  const complete = resolveOptions({ databaseTimeouts: timeouts }, {}).databaseTimeouts
  const connection = connect(option, uniqueSchema(), undefined, {}, () => undefined, complete)
  t.after(() => connection.close())
  return connection
}

async function setting(db: { kysely: Connection['kysely'] }, name: string): Promise<string> {
  const {
    rows: [row],
  } = await sql<{ value: string }>`select current_setting(${name}) as value`.execute(db.kysely)
  return row!.value
}

async function parts(): Promise<pg.PoolConfig> {
  const { hostname, port, username, password, pathname } = new URL(await databaseUrl())
  return {
    host: hostname,
    port: Number(port),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: pathname.slice(1),
  }
}

test('settings with a password of their own open the first migrations too', async (t) => {
  const connection = open(t, await parts())
  await migrate(connection)
  assert.deepEqual(await connection.kysely.selectFrom('users').select('id').execute(), [])
})

test('a connection may be closed again, as when a registration fails and its host closes after it', async () => {
  const connection = connect(await databaseUrl(), uniqueSchema(), undefined, {}, () => undefined)
  await sql`select 1`.execute(connection.kysely)
  await Promise.all([connection.close(), connection.close()])
  await connection.close()
})

test('a statement is bounded by the server, in a transaction and without, unless a host says otherwise', async (t) => {
  const bounded = open(t, await databaseUrl())
  const own = open(t, { ...(await parts()), statement_timeout: 1_234, idle_in_transaction_session_timeout: 0 })
  assert.equal(await setting(bounded, 'statement_timeout'), '3s')
  assert.equal(await setting(own, 'statement_timeout'), '1234ms')
  await inTransaction(bounded, async (trx) => {
    assert.equal(await setting(trx, 'statement_timeout'), '3s')
    assert.equal(await setting(trx, 'idle_in_transaction_session_timeout'), '10s')
  })
  await inTransaction(own, async (trx) => {
    assert.equal(await setting(trx, 'statement_timeout'), '1234ms')
    assert.equal(await setting(trx, 'idle_in_transaction_session_timeout'), '0')
  })
  await bounded.withoutTimeLimits((db) =>
    inTransaction(db, async (trx) => assert.equal(await setting(trx, 'statement_timeout'), '0')),
  )
})

test("a host's own pool is used with the limits that it has", async (t) => {
  const pool = new pg.Pool({ ...(await parts()), statement_timeout: 20_000 })
  t.after(() => pool.end())
  await inTransaction(open(t, pool), async (trx) => {
    assert.equal(await setting(trx, 'statement_timeout'), '20s')
    assert.equal(await setting(trx, 'idle_in_transaction_session_timeout'), '0')
  })
})

test('option databaseTimeouts bounds statements and idle transactions, and a setting of the pool takes precedence', async (t) => {
  const timeouts = { statementSeconds: 7.5, idleTransactionSeconds: 20 }
  const short = open(t, await databaseUrl(), timeouts)
  const own = open(t, { ...(await parts()), statement_timeout: 1_234 }, timeouts)
  assert.equal(await setting(short, 'statement_timeout'), '7500ms')
  assert.equal(await setting(own, 'statement_timeout'), '1234ms')
  for (const connection of [short, own]) {
    await inTransaction(connection, async (trx) => {
      assert.equal(await setting(trx, 'idle_in_transaction_session_timeout'), '20s')
    })
  }
})

for (const [kind, optionOf] of Object.entries({
  'a pool of ours': (connectionString: string) => connectionString,
  "a host's pool": (connectionString: string) => new pg.Pool({ connectionString }),
})) {
  test(`${kind} waits as long as databaseTimeouts.connectSeconds says for a connection, and not longer`, async (t) => {
    const proxy = await startTcpProxy(await databaseUrl())
    t.after(() => proxy.close())
    const option = optionOf(proxy.url)
    if (typeof option === 'object') t.after(() => option.end())
    const impatient = open(t, option, { connectSeconds: 0.2 })
    const patient = open(t, optionOf(proxy.url), { connectSeconds: 120 })
    proxy.blackhole()
    const awaited = sql`select 1`.execute(patient.kysely)
    await assert.rejects(sql`select 1`.execute(impatient.kysely), DatabaseUnavailable)
    await proxy.accept()
    await awaited
  })
}

test(
  'an account works from registration to deletion behind a PgBouncer in transaction mode',
  { skip: withoutPgbouncer },
  async (t) => {
    const database = await startPgbouncer(t, await databaseUrl(), 3)
    const app = await startApp(t, { database })
    // More at once than the pooler has connections.
    const people = await Promise.all(
      Array.from({ length: 20 }, (_, index) => newcomer(app, `person${index}@example.com`)),
    )
    for (const { refreshToken } of people) {
      const { accessToken } = tokensOf(await refresh(app, refreshToken))
      assert.equal((await logout(app, accessToken)).status, 200)
    }
    assert.equal((await login(app, 'person7@example.com', 'Wrong-horse-1')).status, 401)
    const user = await app.identity.users.findByName('person7@example.com')
    assert.deepEqual(await app.identity.users.delete(user!), { succeeded: true })
  },
)

test(
  'behind a pooler a transaction brings its limits along and leaves none behind',
  { skip: withoutPgbouncer },
  async (t) => {
    const url = await startPgbouncer(t, await databaseUrl(), 1)
    const connection = open(t, { connectionString: url, statement_timeout: 250 })
    const before = await setting(connection, 'statement_timeout')
    await assert.rejects(
      inTransaction(connection, async (trx) => {
        assert.equal(await setting(trx, 'statement_timeout'), '250ms')
        assert.equal(await setting(trx, 'idle_in_transaction_session_timeout'), '10s')
        await sql`select pg_sleep(60)`.execute(trx.kysely)
      }),
      DatabaseUnavailable,
    )
    assert.equal(await setting(connection, 'statement_timeout'), before)
    assert.equal(before, '0')
  },
)
