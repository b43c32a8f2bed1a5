import assert from 'node:assert/strict'
import { test } from 'node:test'
import pg from 'pg'
import { databaseUrl, freshDatabase, uniqueSchema } from './postgres.js'

async function ask(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return (await client.query<unknown[]>({ text: sql, rowMode: 'array' })).rows[0] ?? []
  } finally {
    await client.end()
  }
}

test('the database of the tests is a real Postgres that speaks UTF-8', async () => {
  assert.deepEqual(await ask(await databaseUrl(), "select current_setting('server_encoding'), length('ü')"), [
    'UTF8',
    1,
  ])
})

test('two schemas and two fresh databases never have the same name', async () => {
  assert.notEqual(uniqueSchema(), uniqueSchema())
  assert.notEqual(await freshDatabase(), await freshDatabase())
})

test('a fresh database is empty and another than the shared one', async () => {
  const url = await freshDatabase()
  const [name, tables] = await ask(
    url,
    "select current_database(), count(*) from pg_tables where schemaname !~ '^pg_|^information_schema$'",
  )
  assert.equal(`/${String(name)}`, new URL(url).pathname)
  assert.equal(tables, '0')
  assert.notDeepEqual(await ask(await databaseUrl(), 'select current_database()'), [name])
})
