// Names that nobody has are throttled like others, and leave nothing behind: neither rows nor pages of an index.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import pg from 'pg'
import { connect } from '../../src/store/connect.js'
import { purgeAttempts } from '../../src/store/attempts.js'
import { login, register, startApp } from '../support/instances.js'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'

const isLong = process.env.FAULTS_LONG === '1'
const wrong = 'Wrong-horse-1'

test('the row of a name that nobody has is gone two lock periods after its last attempt', async (t) => {
  let now = Date.parse('2026-01-01T00:00:00Z')
  const schema = uniqueSchema()
  const clock = () => now
  const app = await startApp(t, { schema, clock })
  const db = connect(await databaseUrl(), schema, clock, {}, () => undefined)
  t.after(() => db.close())
  const rows = async () => (await db.kysely.selectFrom('attempts').select('key').execute()).length
  await register(app, 'alice@example.com')
  assert.equal((await login(app, 'once@example.com', wrong)).status, 401)
  for (let guess = 0; guess < 5; guess++) await login(app, 'locked@example.com', wrong)
  await login(app, 'alice@example.com', wrong)
  assert.equal(await rows(), 3)
  now += 599_999
  await purgeAttempts(db)
  assert.equal(await rows(), 3)
  now += 1
  await purgeAttempts(db)
  const left = await rows()
  t.diagnostic(`3 names, ${left} row left after two lock periods: that of a user`)
  assert.equal(left, 1)
})

test('a flood of names that nobody has costs as many rows as are kept at most, and its index does not grow with each wave', async (t) => {
  const names = isLong ? 1_000_000 : 20_000
  const most = isLong ? 100_000 : 2_000
  const waves = 10
  let now = Date.parse('2026-01-01T00:00:00Z')
  const schema = uniqueSchema()
  const clock = () => now
  const app = await startApp(t, { schema, clock })
  const db = connect(await databaseUrl(), schema, clock, {}, () => undefined)
  t.after(() => db.close())
  const client = new pg.Client(await databaseUrl())
  await client.connect()
  t.after(() => client.end())
  await client.query(`set search_path = ${schema}`)
  // One name as a sign-in leaves it; the others are copies.
  await login(app, 'nobody@example.com', wrong)
  const { fields } = await client.query('select * from attempts limit 0')
  const others = fields.map(({ name }) => name).filter((name) => name !== 'key')
  // Copies that all expire at once would go at once.
  const values = others.map((name) => (name === 'expires_at' ? "expires_at + random() * interval '1 second'" : name))
  await client.query('create table model as select * from attempts')
  const sizes: number[] = []
  let most_rows = 0
  for (let wave = 0; wave < waves; wave++) {
    await client.query(
      `insert into attempts (key, ${others.join()}) select decode(md5(random()::text) || md5(random()::text), 'hex'), ${values.join()}
      from model, generate_series(1, $1::int)`,
      [names / waves],
    )
    // The tidying of each minute.
    await purgeAttempts(db, most)
    await client.query('vacuum attempts')
    const { rows } = await client.query<{ rows: number; bytes: number }>(
      "select (select count(*)::int from attempts) as rows, pg_indexes_size('attempts')::float as bytes",
    )
    most_rows = Math.max(most_rows, rows[0]!.rows)
    sizes.push(rows[0]!.bytes)
  }
  now += 86_400_000
  await purgeAttempts(db, most)
  await client.query('vacuum attempts')
  const { rows } = await client.query<{ rows: number }>('select count(*)::int as rows from attempts')
  const kilo = (bytes: number) => Math.round(bytes / 1024)
  t.diagnostic(
    `${names} names in ${waves} waves: ${most_rows} rows at most after tidying, indexes ${kilo(sizes[1]!)} kB after the second wave, ${kilo(sizes.at(-1)!)} kB after the last, ${rows[0]!.rows} rows a day later`,
  )
  assert.ok(most_rows <= most, `${most_rows} rows`)
  // Pages of a random key fill by half at first: the size settles within the first waves.
  assert.ok(sizes.at(-1)! <= 1.5 * sizes[4]!, `indexes of ${sizes.map(kilo).join(', ')} kB`)
  assert.equal(rows[0]!.rows, 0)
})
