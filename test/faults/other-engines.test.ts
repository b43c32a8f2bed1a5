// What databases lack, or do otherwise, that speak Postgres's protocol (CockroachDB, Citus), imitated on Postgres as
// their documents say. Nothing here was tried on one of them.
import assert from 'node:assert/strict'
import type { FastifyInstance } from 'fastify'
import { test } from 'node:test'
import pg from 'pg'
import { connect } from '../../src/store/connect.js'
import { migrate } from '../../src/store/migrate.js'
import { report } from '../support/experiment.js'
import {
  guarded,
  info,
  login,
  logout,
  refresh,
  register,
  startApp,
  tally,
  tokensOf,
  until,
} from '../support/instances.js'
import { freshDatabase } from '../support/postgres.js'
import { startTcpProxy } from '../support/tcp-proxy.js'

async function run(url: string, ...statements: string[]): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}

/** A database in which names of the catalog mean something else. */
async function imitation(...statements: string[]): Promise<string> {
  const url = await freshDatabase()
  await run(url, 'create schema imitation', ...statements)
  return `${url}?options=${encodeURIComponent('-c search_path=imitation,pg_catalog')}`
}

/** The life of an account, with everything that counts something. */
async function live(app: FastifyInstance, email: string): Promise<number> {
  let count = 0
  const expect = async (answer: Promise<{ readonly status: number; readonly text: string }>, status: number) => {
    const { status: given, text } = await answer
    assert.equal(given, status, text)
    count++
  }
  await expect(register(app, email), 200)
  await expect(login(app, email, 'Wrong-horse-1'), 401)
  let tokens = tokensOf(await login(app, email))
  for (let turn = 0; turn < 3; turn++) {
    tokens = tokensOf(await refresh(app, tokens.refreshToken))
    count++
  }
  // Together they share a statement.
  const many = await Promise.all(Array.from({ length: 5 }, async () => tokensOf(await login(app, email))))
  const renewed = await Promise.all(many.map(({ refreshToken }) => refresh(app, refreshToken)))
  assert.deepEqual(tally(renewed.map(({ status }) => status)), { 200: 5 })
  // A lost answer is asked for again.
  await expect(refresh(app, many[0]!.refreshToken), 200)
  await expect(guarded(app, tokens.accessToken), 200)
  await expect(info(app, tokens.accessToken), 200)
  const user = await app.identity.users.findByName(email)
  assert.ok(user)
  assert.deepEqual(
    await app.identity.users.confirmEmail(user, app.identity.users.generateEmailConfirmationToken(user)),
    { succeeded: true },
  )
  assert.equal((await app.identity.users.generateNewTwoFactorRecoveryCodes(user, 3)).length, 3)
  assert.equal(await app.identity.users.countRecoveryCodes(user), 3)
  assert.equal(await app.identity.users.getAccessFailedCount(user), 0)
  await app.identity.keys.rotate({ activateAfterSeconds: 0 })
  await app.identity.keys.rotate({ activateAfterSeconds: 0 })
  assert.equal((await app.identity.keys.list()).length, 3)
  await expect(logout(app, tokens.accessToken), 200)
  await expect(guarded(app, tokens.accessToken), 401)
  for (let turn = 0; turn < 5; turn++) await login(app, email, 'Wrong-horse-1')
  await expect(login(app, email), 401)
  return count + 10
}

test('an account lives its life where integers have 64 bits, which drivers deliver as text', async (t) => {
  const database = await freshDatabase()
  const first = connect(database, 'identity', undefined, {}, () => undefined)
  await migrate(first)
  await first.close()
  const client = new pg.Client(database)
  await client.connect()
  t.after(() => client.end())
  const { rows } = await client.query<{ place: string; column: string }>(
    `select format('%I.%I', table_schema, table_name) as place, column_name as column from information_schema.columns
     where table_schema = 'identity' and data_type = 'integer'`,
  )
  for (const { place, column } of rows) await client.query(`alter table ${place} alter ${column} type bigint`)
  const mails: string[] = []
  const email = {
    send(message: { readonly to: string }) {
      mails.push(message.to)
      // An attempt is counted and tried again.
      return mails.length === 1 ? Promise.reject(new Error('not now')) : Promise.resolve()
    },
  }
  const app = await startApp(t, { database, schema: 'identity', email, publicUrl: 'https://api.example.com' })
  const answers = await live(app, 'alice@example.com')
  await until(() => mails.length >= 1)
  assert.ok(rows.length > 5)
  report(t, { 'columns widened': rows.length, 'answers as ever': answers })
})

const locks = {
  'does nothing': 'select null::void',
  'is missing': null,
} as const

for (const [what, body] of Object.entries(locks)) {
  test(`six instances that start at once migrate once, where an advisory lock ${what}`, async (t) => {
    const create =
      body === null
        ? `create function imitation.pg_advisory_xact_lock(key bigint) returns void language plpgsql as
           $$ begin raise exception 'unimplemented' using errcode = '0A000'; end $$`
        : `create function imitation.pg_advisory_xact_lock(key bigint) returns void language sql as $$ ${body} $$`
    const url = await imitation(create)
    const connections = Array.from({ length: 6 }, () => connect(url, 'identity', undefined, {}, () => undefined))
    t.after(() => Promise.all(connections.map((connection) => connection.close())))
    const ran = await Promise.all(connections.map((connection) => migrate(connection)))
    assert.equal(ran.filter((names) => names.length > 0).length, 1, JSON.stringify(ran))
    report(t, { instances: 6, 'ran migrations': 1, failed: 0 })
  })
}

const activities = {
  'is empty': 'create view imitation.pg_stat_activity as select * from pg_catalog.pg_stat_activity where false',
  'lacks what is asked of it': 'create view imitation.pg_stat_activity as select pid from pg_catalog.pg_stat_activity',
}

for (const [what, create] of Object.entries(activities)) {
  test(`a session that ends is refused on another instance within its polls, where pg_stat_activity ${what}`, async (t) => {
    const database = await imitation(create)
    const one = await startApp(t, { database, schema: 'identity' })
    const other = await startApp(t, { database, schema: 'identity' })
    await register(one, 'alice@example.com')
    const { accessToken } = tokensOf(await login(one, 'alice@example.com'))
    assert.equal((await guarded(other, accessToken)).status, 200)
    assert.equal((await logout(one, accessToken)).status, 200)
    const milliseconds = await until(async () => (await guarded(other, accessToken)).status === 401)
    report(t, { 'refused after ms': Math.round(milliseconds) })
  })
}

test('no statement that changes rows calls a volatile function, and no index names a collation outside of parentheses', async (t) => {
  const url = await freshDatabase()
  const proxy = await startTcpProxy(url)
  t.after(() => proxy.close())
  const app = await startApp(t, {
    database: proxy.url,
    schema: 'identity',
    email: { send: () => Promise.resolve() },
    publicUrl: 'https://api.example.com',
  })
  await live(app, 'alice@example.com')
  await app.identity.mail.flush()
  const { statements } = proxy
  const client = new pg.Client(url)
  await client.connect()
  t.after(() => client.end())
  const { rows } = await client.query<{ name: string }>(
    "select distinct proname as name from pg_proc where provolatile = 'v' and pronamespace = 'pg_catalog'::regnamespace",
  )
  const volatile = new Set(rows.map(({ name }) => name))
  const writes = statements.filter((text) => /\b(update|delete|insert)\b/i.test(text) && !/^\s*create/i.test(text))
  const found = writes.filter((text) =>
    Array.from(text.matchAll(/(\w+)\(/g), ([, name]) => name!).some((name) => volatile.has(name)),
  )
  assert.deepEqual(found, [])
  const indexes = statements.filter((text) => /^\s*create (unique )?index/i.test(text))
  assert.deepEqual(
    indexes.filter((text) => /[(,]\s*"?\w+"? collate /i.test(text.replace(/\("?\w+"? collate "C"\)/gi, 'expression'))),
    [],
  )
  assert.ok(writes.length > 20 && indexes.some((text) => text.includes('collate')))
  report(t, {
    'statements that write': writes.length,
    'with a volatile function': found.length,
    indexes: indexes.length,
  })
})
