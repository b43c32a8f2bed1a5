// What one instance ends every other refuses, whatever happens to the database meanwhile.
import assert from 'node:assert/strict'
import type { FastifyInstance } from 'fastify'
import { test, type TestContext } from 'node:test'
import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { guarded, logout, newcomer, signIn, startApp, startTwins, until } from '../support/instances.js'
import { isOfTheFeed } from '../support/background.js'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'
import { startTcpProxy } from '../support/tcp-proxy.js'

async function client(t: TestContext): Promise<pg.Client> {
  const connected = new pg.Client(await databaseUrl())
  await connected.connect()
  t.after(() => connected.end())
  return connected
}

const isRefused = (app: FastifyInstance, accessToken: string) =>
  until(async () => (await guarded(app, accessToken)).status === 401)

/** Moves the clock that does not go back; what waits for a timer waits on. */
function monotonic(t: TestContext) {
  const now = performance.now.bind(performance)
  let ahead = 0
  t.mock.method(performance, 'now', () => now() + ahead)
  return {
    jump(milliseconds: number) {
      ahead += milliseconds
    },
  }
}

test('what one instance ends it refuses at once, and another a moment later', async (t) => {
  const [app, twin] = await startTwins(t)
  const email = 'alice@example.com'
  await newcomer(app, email)
  const user = await app.identity.users.findByName(email)
  const { userId } = { userId: user!.id }
  const ways: Record<string, (sessionId: string, accessToken: string) => Promise<unknown>> = {
    'POST /logout': (_, accessToken) => logout(app, accessToken),
    'sessions.revoke': (sessionId) => app.identity.sessions.revoke(sessionId),
    'sessions.revokeAll': () => app.identity.sessions.revokeAll(userId),
    'users.delete': async () => app.identity.users.delete((await app.identity.users.findById(userId))!),
  }
  for (const [way, end] of Object.entries(ways)) {
    const { accessToken } = await signIn(app, email)
    const [session] = await app.identity.sessions.list(userId)
    assert.equal((await guarded(twin, accessToken)).status, 200)
    await end(session!.id, accessToken)
    assert.equal((await guarded(app, accessToken)).status, 401, way)
    t.diagnostic(`${way}: refused by the other instance after ${Math.round(await isRefused(twin, accessToken))} ms`)
  }
})

test('an end that commits seconds after it was noted is seen', async (t) => {
  const schema = uniqueSchema()
  const proxies = [await startTcpProxy(await databaseUrl()), await startTcpProxy(await databaseUrl())] as const
  for (const proxy of proxies) t.after(() => proxy.close())
  const app = await startApp(t, { schema, database: proxies[0].url })
  const twin = await startApp(t, { schema, database: proxies[1].url })
  const { accessToken } = await newcomer(app, 'alice@example.com')
  const slow = await client(t)
  await slow.query(`begin; with ended as (delete from ${schema}.sessions returning id)
    insert into ${schema}.revocations (session_id, revoked_at) select id, clock_timestamp() from ended`)
  // Each instance has polled several times since.
  for (const proxy of proxies) proxy.forget()
  await until(() => proxies.every(({ statements }) => statements.filter(isOfTheFeed).length >= 5))
  for (const instance of [app, twin]) assert.equal((await guarded(instance, accessToken)).status, 200)
  await slow.query('commit')
  for (const instance of [app, twin]) await isRefused(instance, accessToken)
})

// Longer than questions overlap by themselves: 15 s.
test("an end in a host's transaction that stays open for 17 seconds is seen when that commits", async (t) => {
  const schema = uniqueSchema()
  const [app, twin] = await startTwins(t, { schema })
  const { accessToken } = await newcomer(app, 'alice@example.com')
  const db = new Kysely({
    dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: await databaseUrl(), max: 1 }) }),
  })
  t.after(() => db.destroy())
  await db.transaction().execute(async (trx) => {
    const users = app.identity.users.withTransaction(trx)
    const alice = await users.findByName('alice@example.com')
    assert.ok((await users.updateSecurityStamp(alice!)).succeeded)
    const isOpenFor17Seconds = sql<{ is: boolean }>`select clock_timestamp() - now() > interval '17 seconds' as is`
    await until(async () => (await isOpenFor17Seconds.execute(trx)).rows[0]!.is)
    for (const instance of [app, twin]) assert.equal((await guarded(instance, accessToken)).status, 200)
  })
  for (const instance of [app, twin])
    t.diagnostic(`refused after ${Math.round(await isRefused(instance, accessToken))} ms`)
})

test('an instance that starts knows what ended before', async (t) => {
  const schema = uniqueSchema()
  const app = await startApp(t, { schema })
  const { accessToken } = await newcomer(app, 'alice@example.com')
  await logout(app, accessToken)
  await app.close()
  assert.equal((await guarded(await startApp(t, { schema }), accessToken)).status, 401)
})

test('an instance that starts after very many ends knows the last of them', async (t) => {
  const schema = uniqueSchema()
  const app = await startApp(t, { schema })
  const { accessToken } = await newcomer(app, 'alice@example.com')
  const other = await client(t)
  await other.query(`insert into ${schema}.revocations (session_id, revoked_at)
    select gen_random_uuid(), clock_timestamp() - random() * interval '1 hour' from generate_series(1, 100000)`)
  await logout(app, accessToken)
  const twin = await startApp(t, { schema })
  assert.equal((await guarded(twin, accessToken)).status, 401)
})

test('while the feed hangs each request asks the database, and no longer when it runs again', async (t) => {
  const time = monotonic(t)
  const proxy = await startTcpProxy(await databaseUrl())
  t.after(() => proxy.close())
  const schema = uniqueSchema()
  const app = await startApp(t, { schema, database: { connectionString: proxy.url, statement_timeout: 1_500 } })
  const alice = await newcomer(app, 'alice@example.com')
  const bob = await newcomer(app, 'bob@example.com')
  const other = await client(t)
  // Bob's session goes without a revocation, so that only its row shows it.
  await other.query(
    `delete from ${schema}.sessions s using ${schema}.users u where u.id = s.user_id and u.user_name = 'bob@example.com'`,
  )
  await other.query(`begin; lock table ${schema}.revocations in access exclusive mode`)
  proxy.forget()
  // The first question has failed when the third is asked.
  await until(() => proxy.statements.filter((text) => text.includes('"revocations"')).length === 3)
  assert.equal((await guarded(app, bob.accessToken)).status, 200)
  const questions = () => proxy.statements.filter((text) => /^select 1 from .*"sessions"/.test(text)).length
  time.jump(5_001)
  const before = questions()
  assert.equal((await guarded(app, alice.accessToken)).status, 200)
  assert.equal((await guarded(app, bob.accessToken)).status, 401)
  assert.ok(questions() >= before + 2)
  await other.query('commit')
  const asked = async () => {
    const before = questions()
    await guarded(app, alice.accessToken)
    return questions() - before
  }
  await until(async () => (await asked()) === 0)
})

test('without a database a minute is served on trust, then nothing, and never what is known to have ended', async (t) => {
  const time = monotonic(t)
  const proxy = await startTcpProxy(await databaseUrl())
  t.after(() => proxy.close())
  const app = await startApp(t, { database: proxy.url })
  const alice = await newcomer(app, 'alice@example.com')
  const bob = await newcomer(app, 'bob@example.com')
  await logout(app, bob.accessToken)
  const open = async () =>
    (await app.inject({ url: '/open', headers: { authorization: `Bearer ${alice.accessToken}` } })).json<{
      userId: unknown
    }>().userId
  await proxy.refuse()
  time.jump(5_001)
  await until(async () => (await guarded(app, alice.accessToken)).status === 200)
  time.jump(50_000)
  assert.equal((await guarded(app, alice.accessToken)).status, 200)
  assert.equal((await guarded(app, bob.accessToken)).status, 401)
  time.jump(10_000)
  const answer = await guarded(app, alice.accessToken)
  assert.equal(answer.status, 503)
  assert.equal(answer.headers['content-type'], 'application/problem+json')
  assert.ok(answer.headers['retry-after'])
  assert.equal((await guarded(app, bob.accessToken)).status, 401)
  assert.equal((await guarded(app, 'garbage')).status, 401)
  assert.equal(await open(), null)
  await until(async () => !(await app.identity.healthCheck()).revocations)
  assert.deepEqual(await app.identity.healthCheck(), { ok: false, database: false, revocations: false })
  await proxy.accept()
  await until(async () => (await guarded(app, alice.accessToken)).status === 200)
  assert.notEqual(await open(), null)
  assert.equal((await guarded(app, bob.accessToken)).status, 401)
})
