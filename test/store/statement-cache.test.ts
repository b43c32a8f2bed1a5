import { test, type TestContext } from 'node:test'
import assert from 'node:assert/strict'
import { sql } from 'kysely'
import pg from 'pg'
import { type Connection, connect } from '../../src/store/connect.js'
import { table } from '../../src/store/db.js'
import { inTransaction } from '../../src/store/transaction.js'
import { migrate } from '../../src/store/migrate.js'
import { cachedStatement } from '../../src/store/statement-cache.js'
import { isSessionLive, rotateSession } from '../../src/store/sessions.js'
import { startPgbouncer, withoutPgbouncer } from '../support/pgbouncer.js'
import { patientTimeouts } from '../support/patience.js'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'

const nobody = '01900000-0000-7000-8000-000000000000'

/** A store over a pool of one connection, on which a test can look and interfere. */
async function openSingle(
  t: TestContext,
  url?: string,
  clock?: () => number,
): Promise<{ db: Connection; pool: pg.Pool }> {
  const pool = new pg.Pool({ connectionString: url ?? (await databaseUrl()), max: 1 })
  t.after(() => pool.end())
  const db = connect(pool, uniqueSchema(), clock, {}, (error) => t.diagnostic(error.message))
  await migrate(db)
  return { db, pool }
}

async function namesOn(pool: pg.Pool): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>('select name from pg_prepared_statements order by name')
  return rows.map(({ name }) => name)
}

test('a statement is prepared once on a connection, whatever its values', async (t) => {
  const { db, pool } = await openSingle(t)
  for (let n = 0; n < 3; n++) assert.equal(await isSessionLive(db, nobody.replace(/0$/, String(n))), false)
  assert.equal(await rotateSession(db, nobody, 7), null)
  const names = await namesOn(pool)
  assert.equal(names.length, 2)
  assert.match(names[0]!, /^identity isSessionLive [0-9a-f]{16}$/)
  assert.match(names[1]!, /^identity rotateSession [0-9a-f]{16}$/)
})

test('two schemas on one connection have statements of their own', async (t) => {
  const { db, pool } = await openSingle(t)
  const other = connect(pool, uniqueSchema(), undefined, {}, (error) => t.diagnostic(error.message))
  await migrate(other)
  await isSessionLive(db, nobody)
  await isSessionLive(other, nobody)
  assert.equal((await namesOn(pool)).length, 2)
})

test('a transaction prepares nothing, since a failure would end it', async (t) => {
  const { db, pool } = await openSingle(t)
  await inTransaction(db, (trx) => isSessionLive(trx, nobody))
  assert.deepEqual(await namesOn(pool), [])
})

test('a statement that a connection has lost is still answered, and from then on without a name', async (t) => {
  const { db, pool } = await openSingle(t)
  await isSessionLive(db, nobody)
  await pool.query('deallocate all')
  assert.equal(await isSessionLive(db, nobody), false)
  assert.equal(await rotateSession(db, nobody, 1), null)
  assert.deepEqual(await namesOn(pool), [])
})

test('a name that a connection has already is no obstacle', async (t) => {
  const { db, pool } = await openSingle(t)
  await isSessionLive(db, nobody)
  const [name] = await namesOn(pool)
  const another = new pg.Pool({ connectionString: await databaseUrl(), max: 1 })
  t.after(() => another.end())
  await another.query(`prepare "${name}" as select 'by another client of this connection before'`)
  const later = connect(another, db.schema, undefined, {}, (error) => t.diagnostic(error.message))
  assert.equal(await isSessionLive(later, nobody), false)
})

test('a column that changes its type under a prepared statement is read as it is now', async (t) => {
  const { db } = await openSingle(t)
  await sql`create table ${sql.table(`${db.schema}.things`)} as select 1 as size`.execute(db.kysely)
  const sizes = cachedStatement(
    'sizes',
    ['least'],
    (at, { least }) => sql<{ size: unknown }>`
    select size from ${sql.table(`${at.schema}.things`)} where ${least}::integer > 0`,
  )
  assert.deepEqual(await sizes(db, { least: 1 }), [{ size: 1 }])
  await sql`alter table ${sql.table(`${db.schema}.things`)} alter size type text`.execute(db.kysely)
  assert.deepEqual(await sizes(db, { least: 1 }), [{ size: '1' }])
})

test('two statements of one label are two', async (t) => {
  const { db } = await openSingle(t)
  const one = cachedStatement('same', [], () => sql<{ answer: number }>`select 1 as answer`)
  const two = cachedStatement('same', [], () => sql<{ answer: number }>`select 2 as answer`)
  for (let time = 0; time < 2; time++)
    assert.deepEqual([await one(db, {}), await two(db, {})], [[{ answer: 1 }], [{ answer: 2 }]])
})

test('any other error is thrown and changes nothing', async (t) => {
  const { db, pool } = await openSingle(t)
  const failing = cachedStatement(
    'failing',
    ['divisor'],
    (_db, { divisor }) => sql<{ result: number }>`select 1 / ${divisor}::integer as result`,
  )
  assert.deepEqual(await failing(db, { divisor: 1 }), [{ result: 1 }])
  await assert.rejects(failing(db, { divisor: 0 }), { code: '22012' })
  assert.deepEqual(await failing(db, { divisor: 1 }), [{ result: 1 }])
  assert.equal((await namesOn(pool)).length, 1)
})

test("a host's clock is read with each call", async (t) => {
  let now = 1_700_000_000_000
  const { db } = await openSingle(t, undefined, () => now)
  const time = cachedStatement('time', [], (at) => sql<{ now: Date }>`select ${at.now()} as now`)
  assert.equal((await time(db, {}))[0]?.now.getTime(), now)
  now += 5_000
  assert.equal((await time(db, {}))[0]?.now.getTime(), now)
})

test('behind PgBouncer each of a thousand statements is answered', { skip: withoutPgbouncer }, async (t) => {
  const behind = await startPgbouncer(t, await databaseUrl(), 4)
  const schema = uniqueSchema()
  const first = connect(behind, schema, undefined, {}, (error) => t.diagnostic(error.message), patientTimeouts)
  t.after(() => first.close())
  await migrate(first)
  const second = connect(behind, schema, undefined, {}, (error) => t.diagnostic(error.message), patientTimeouts)
  t.after(() => second.close())
  await sql`insert into ${table(first, 'revocations')} (session_id, revoked_at) values (${nobody}, now())`.execute(
    first.kysely,
  )
  const asked = Array.from({ length: 500 }, (_, n) => [
    isSessionLive(first, nobody),
    rotateSession(n % 2 === 0 ? first : second, nobody, n),
  ]).flat()
  assert.deepEqual(new Set(await Promise.all(asked)), new Set([false, null]))
})
