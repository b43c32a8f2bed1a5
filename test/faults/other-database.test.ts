// Users are written to the database that was handed over, and never to another one that the environment happens to
// name.
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'
import Fastify from 'fastify'
import * as kyselyPackage from 'kysely'
import pg from 'pg'
import identity, { type DatabaseOption } from '../../src/index.js'
import { login, register, startApp } from '../support/instances.js'
import { freshDatabase } from '../support/postgres.js'
import { report } from '../support/experiment.js'

async function tablesIn(url: string): Promise<number> {
  const client = new pg.Client(url)
  await client.connect()
  const { rows } = await client.query<{ count: number }>(
    "select count(*)::integer as count from pg_tables where schemaname = 'identity'",
  )
  await client.end()
  return rows[0]!.count
}

/** The environment names a database that nobody handed over. */
async function decoy(t: TestContext): Promise<string> {
  const url = await freshDatabase()
  const { hostname, port, username, password, pathname } = new URL(url)
  const before = { ...process.env }
  Object.assign(process.env, {
    PGHOST: hostname,
    PGPORT: port,
    PGUSER: username,
    PGPASSWORD: decodeURIComponent(password),
    PGDATABASE: pathname.slice(1),
  })
  t.after(() => {
    process.env = before
  })
  return url
}

/** Another installed copy of a package, with classes of its own. */
async function otherCopy<Module>(t: TestContext, name: string): Promise<Module> {
  const folder = mkdtempSync(join(tmpdir(), 'copy-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const installed = join(import.meta.dirname, '../../../node_modules')
  mkdirSync(join(folder, 'node_modules'))
  // What the copy needs itself is not copied.
  for (const entry of readdirSync(installed).filter((entry) => entry !== name))
    symlinkSync(join(installed, entry), join(folder, 'node_modules', entry))
  cpSync(join(installed, name), join(folder, 'node_modules', name), { recursive: true })
  const entry = createRequire(join(folder, 'index.js')).resolve(name)
  return (await import(pathToFileURL(entry).href)) as Module // a copy of what the caller names
}

test('a pool and a Kysely instance of another installed copy are used as what they are', async (t) => {
  const elsewhere = await decoy(t)
  const kysely = await otherCopy<typeof kyselyPackage>(t, 'kysely')
  const { default: otherPg } = await otherCopy<{ default: typeof pg }>(t, 'pg')
  assert.notEqual(kysely.Kysely, kyselyPackage.Kysely)
  assert.notEqual(otherPg.Pool, pg.Pool)
  let count = 0
  for (const kind of ['Kysely', 'pool'] as const) {
    const url = await freshDatabase()
    const pool = new otherPg.Pool({ connectionString: url })
    const database: DatabaseOption =
      kind === 'pool' ? pool : new kysely.Kysely({ dialect: new kysely.PostgresDialect({ pool }) })
    const app = await startApp(t, { database, schema: 'identity' })
    t.after(() => pool.end())
    assert.equal((await register(app, 'alice@example.com')).status, 200)
    assert.equal((await login(app, 'alice@example.com')).status, 200)
    assert.ok((await tablesIn(url)) > 0, kind)
    assert.equal(await tablesIn(elsewhere), 0, kind)
    count++
  }
  report(t, { 'kinds of a database from another copy': count, 'tables elsewhere': 0 })
})

test('what names no database of Postgres stops the start, and nothing is written anywhere', async (t) => {
  const elsewhere = await decoy(t)
  const url = await freshDatabase()
  const pool = new pg.Pool({ connectionString: url })
  t.after(() => pool.end())
  const kysely = new kyselyPackage.Kysely<object>({
    dialect: new kyselyPackage.PostgresDialect({ pool: new pg.Pool({ connectionString: url }) }),
  })
  t.after(() => kysely.destroy())
  const wrong: Readonly<Record<string, unknown>> = {
    misspelled: { conectionString: url },
    promise: Promise.resolve(pool),
    empty: {},
    unset: { connectionString: undefined },
    MySQL: url.replace('postgres:', 'mysql:'),
    'no scheme': url.replace('postgres://', ''),
    client: new pg.Client(url),
  }
  const start = async (database: unknown) => {
    const app = Fastify()
    try {
      await app.register(identity, { database: database as DatabaseOption }) // a JavaScript host may pass anything
    } finally {
      await app.close()
    }
  }
  for (const [what, database] of Object.entries(wrong))
    await assert.rejects(start(database), { code: 'FST_IDENTITY_INVALID_OPTION' }, what)
  await kysely
    .transaction()
    .execute((trx) => assert.rejects(start(trx), { code: 'FST_IDENTITY_INVALID_OPTION' }, 'transaction'))
  assert.equal(await tablesIn(elsewhere), 0)
  assert.equal(await tablesIn(url), 0)
  report(t, { 'wrong values refused at start': Object.keys(wrong).length + 1, 'tables anywhere': 0 })
})
