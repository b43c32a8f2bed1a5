import assert from 'node:assert/strict'
import Fastify from 'fastify'
import { type Kysely, sql } from 'kysely'
import { test } from 'node:test'
import pg from 'pg'
import { migrations } from '../../migrations/index.js'
import identity from '../../src/index.js'
import { connect, type Connection } from '../../src/store/connect.js'
import { migrate, requireMigrated } from '../../src/store/migrate.js'
import { newcomer, startApp, until } from '../support/instances.js'
import { startChild } from '../support/child.js'
import { startPgbouncer, withoutPgbouncer } from '../support/pgbouncer.js'
import { databaseUrl, freshDatabase, uniqueSchema } from '../support/postgres.js'
import { startTcpProxy } from '../support/tcp-proxy.js'

function open(url: string, schema = 'identity'): Connection {
  return connect(url, schema, undefined, {}, () => undefined)
}

async function names(db: Connection): Promise<string[]> {
  const { rows } = await sql<{
    name: string
  }>`select name from ${sql.id(db.schema, 'migrations')} order by name`.execute(db.kysely)
  return rows.map(({ name }) => name)
}

// The output of pg_dump --schema-only, from the catalogue: npm ships no pg_dump.
async function structure(db: Connection): Promise<unknown[]> {
  const { rows } = await sql`
    select c.relname || '.' || a.attname as name,
      concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attnum) as definition
    from pg_attribute a join pg_class c on c.oid = a.attrelid left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where c.relnamespace = ${db.schema}::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
    union all select conname, pg_get_constraintdef(oid) from pg_constraint where connamespace = ${db.schema}::regnamespace
    union all select indexname, indexdef from pg_indexes where schemaname = ${db.schema}
    order by 1, 2`.execute(db.kysely)
  return rows
}

test('eight processes that start at once on an empty database all start, and each migration runs once', async (t) => {
  const children = Array.from({ length: 8 }, () =>
    startChild(
      t,
      `
    import Fastify from 'fastify'
    import { createInterface } from 'node:readline'
    import identity from '~/src/index.js'
    console.log('ready')
    for await (const database of createInterface(process.stdin)) {
      const app = Fastify({ pluginTimeout: 0 })
      console.log(await app.register(identity, { database }).then(() => 'started', String))
      await app.close()
    }`,
    ),
  )
  await Promise.all(children.map((child) => child.line()))
  for (let round = 0; round < 5; round++) {
    const url = await freshDatabase()
    for (const child of children) child.say(url)
    assert.deepEqual(
      await Promise.all(children.map((child) => child.line())),
      Array.from({ length: 8 }, () => 'started'),
    )
    const db = open(url)
    assert.deepEqual(await names(db), Object.keys(migrations()))
    await db.close()
  }
})

test('a check refuses an empty schema, names what is missing, and creates nothing', async (t) => {
  const url = await freshDatabase()
  const db = open(url)
  t.after(() => db.close())
  const app = Fastify()
  t.after(() => app.close())
  await assert.rejects(
    async () => {
      await app.register(identity, { database: url, migrate: 'check' })
    },
    (error: Error & { code?: string }) => {
      assert.equal(error.code, 'FST_IDENTITY_MIGRATIONS_PENDING')
      for (const name of Object.keys(migrations())) assert.ok(error.message.includes(name))
      return true
    },
  )
  await assert.rejects(names(db), (error: Error) => /does not exist/.test(String(error.cause)))
  await migrate(db)
  await requireMigrated(db)
  await newcomer(await startApp(t, { database: url, schema: 'identity', migrate: 'check' }), 'alice@example.com')
})

test("with migrate 'off' nothing is checked, and a migrated schema works", async (t) => {
  const proxy = await startTcpProxy(await databaseUrl())
  t.after(() => proxy.close())
  const schema = uniqueSchema()
  await assert.rejects(async () => {
    await Fastify().register(identity, { database: proxy.url, schema, migrate: 'off' })
  }, /does not exist/)
  assert.deepEqual(
    proxy.statements.filter((text) => /create|migrations/.test(text)),
    [],
  )
  const db = open(proxy.url, schema)
  await migrate(db)
  await db.close()
  await newcomer(await startApp(t, { database: proxy.url, schema, migrate: 'off' }), 'alice@example.com')
})

test('finished migrations are not run again, and no foreign table is read', async (t) => {
  const proxy = await startTcpProxy(await databaseUrl())
  t.after(() => proxy.close())
  const db = open(proxy.url, uniqueSchema())
  t.after(() => db.close())
  await migrate(db)
  proxy.forget()
  await migrate(db)
  assert.deepEqual(proxy.statements, [`select name from "${db.schema}"."migrations"`])
})

test('an older version starts on a schema that a newer one has migrated further', async (t) => {
  const schema = uniqueSchema()
  const db = open(await databaseUrl(), schema)
  t.after(() => db.close())
  await migrate(db)
  await sql`insert into ${sql.id(schema, 'migrations')} (name, timestamp) values ('9999-of-a-newer-version', '')`.execute(
    db.kysely,
  )
  for (const mode of ['auto', 'check'] as const) {
    await newcomer(await startApp(t, { schema, migrate: mode }), `${mode}@example.com`)
  }
})

test('a start waits for the migrations of another longer than a statement may take', async (t) => {
  const database = { connectionString: await freshDatabase(), statement_timeout: 3_000, query_timeout: 3_000 }
  const other = new pg.Client(database.connectionString)
  await other.connect()
  t.after(() => other.end())
  // The number of Kysely's migration lock, and of ours.
  await other.query('select pg_advisory_lock(3853314791062309107)')
  const started = startApp(t, { database, schema: 'identity' })
  const waiting = `select 1 from pg_locks where locktype = 'advisory' and not granted
    and database = (select oid from pg_database where datname = current_database())
    and clock_timestamp() - waitstart > interval '4 seconds'`
  await until(async () => (await other.query(waiting)).rowCount === 1)
  await other.query('select pg_advisory_unlock(3853314791062309107)')
  await newcomer(await started, 'alice@example.com')
})

test(
  'six instances start at once behind a pooler in transaction mode, and no lock stays behind',
  { skip: withoutPgbouncer },
  async (t) => {
    const direct = await freshDatabase()
    const database = await startPgbouncer(t, direct)
    const other = new pg.Client(direct)
    await other.connect()
    t.after(() => other.end())
    for (const schema of ['one', 'two', 'three']) {
      await Promise.all(Array.from({ length: 6 }, () => startApp(t, { database, schema })))
      const { rowCount } = await other.query(
        "select 1 from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())",
      )
      assert.equal(rowCount, 0)
    }
  },
)

test('migrating down and up again gives the same tables', async (t) => {
  const db = open(await freshDatabase(), 'identity')
  t.after(() => db.close())
  await migrate(db)
  const before = await structure(db)
  assert.ok(before.length > 100)
  const steps = Object.values(migrations())
  const kysely = db.kysely as Kysely<unknown> // a migration knows no tables
  for (const step of steps.toReversed()) await step.down(kysely)
  const left = await structure(db)
  assert.deepEqual(
    left.filter((row) => !(row as { name: string }).name.startsWith('migrations')),
    [],
  )
  for (const step of steps) await step.up(kysely)
  assert.deepEqual(await structure(db), before)
})

test('a schema name may have the 63 characters that Postgres allows', async (t) => {
  const schema = `${uniqueSchema()}_`.padEnd(63, 'x')
  const app = await startApp(t, { database: await freshDatabase(), schema })
  await newcomer(app, 'alice@example.com')
})

test('two schemas in one database are two realms', async (t) => {
  const [first, second] = [await startApp(t), await startApp(t)]
  const { accessToken } = await newcomer(first, 'alice@example.com')
  const headers = { authorization: `Bearer ${accessToken}` }
  assert.equal((await first.inject({ url: '/guarded', headers })).statusCode, 200)
  assert.equal((await second.inject({ url: '/guarded', headers })).statusCode, 401)
  await newcomer(second, 'alice@example.com')
})
