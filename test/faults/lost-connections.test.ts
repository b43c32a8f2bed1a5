// A connection to Postgres that is lost at any moment, also in the packet that completes its handshake, ends no process
// and loses no change that was acknowledged.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import pg from 'pg'
import { DatabaseUnavailable } from '../../src/errors.js'
import { connect } from '../../src/store/connect.js'
import type { DatabaseOption } from '../../src/store/database-option.js'
import { migrate } from '../../src/store/migrate.js'
import { password, until } from '../support/instances.js'
import { databaseUrl, freshDatabase, uniqueSchema } from '../support/postgres.js'
import { isLong, report } from '../support/experiment.js'
import { startProcess } from '../support/processes.js'
import { startTcpProxy } from '../support/tcp-proxy.js'

const kinds = { 'our own pool': false, "a host's pool without a listener": true }

for (const [kind, ownPool] of Object.entries(kinds)) {
  test(`a backend that is terminated in the packet that makes it ready harms no process, on ${kind}`, async (t) => {
    const proxy = await startTcpProxy(await databaseUrl())
    t.after(() => proxy.close())
    const instance = await startProcess(t, { database: proxy.url, schema: uniqueSchema() }, { ownPool })
    const credentials = { email: 'alice@example.com', password }
    assert.equal((await instance.call('POST', '/register', {}, credentials)).status, 200)
    proxy.killsNewborn = true
    const target = isLong ? 500 : 20
    let refused = 0
    while (proxy.killed < target) {
      proxy.cut()
      const { status } = await instance.call('POST', '/login', {}, credentials)
      assert.equal(status, 503)
      refused++
    }
    proxy.killsNewborn = false
    await until(async () => (await instance.call('POST', '/login', {}, credentials)).status === 200)
    assert.equal(instance.ended(), null)
    report(t, { 'connections terminated when ready': proxy.killed, 'logins 503': refused, 'processes ended': 0 })
  })
}

test('a backend that is terminated when it becomes ready fails a migration and nothing else', async (t) => {
  const proxy = await startTcpProxy(await databaseUrl())
  t.after(() => proxy.close())
  const pool = new pg.Pool({ connectionString: proxy.url })
  t.after(() => pool.end())
  const options: Record<string, DatabaseOption> = { 'our own pool': proxy.url, "a host's pool": pool }
  for (const [kind, option] of Object.entries(options)) {
    const connection = connect(option, uniqueSchema(), undefined, {}, () => undefined)
    t.after(() => connection.close())
    // The look at what is pending has a connection already; the migration opens another.
    const held = pool.connect()
    if (option === pool) (await held).release(true)
    else (await held).release()
    const { kysely } = connection
    await kysely.connection().execute(() => Promise.resolve())
    proxy.killsNewborn = true
    if (option === pool) proxy.cut()
    await assert.rejects(migrate(connection), DatabaseUnavailable, kind)
    proxy.killsNewborn = false
    await migrate(connection)
  }
})

test("a host's pool is listened to after its application has closed", async (t) => {
  const proxy = await startTcpProxy(await databaseUrl())
  t.after(() => proxy.close())
  const pool = new pg.Pool({ connectionString: proxy.url })
  t.after(() => pool.end())
  const errors: Error[] = []
  const open = () => connect(pool, uniqueSchema(), undefined, {}, (error) => errors.push(error))
  const connection = open()
  await migrate(connection)
  await connection.close()
  assert.ok(pool.idleCount > 0)
  proxy.cut()
  await until(() => pool.totalCount === 0)
  assert.deepEqual(errors, [])
  // However many applications come and go.
  for (let count = 0; count < 20; count++) await open().close()
  assert.equal(pool.listenerCount('error'), 1)
  assert.equal(pool.listenerCount('connect'), 0)
})

test('twenty clients lose no acknowledged change while all backends are terminated every 150 ms', async (t) => {
  const url = await freshDatabase()
  const instance = await startProcess(t, { database: url, schema: 'identity' })
  const killer = new pg.Client(await databaseUrl())
  await killer.connect()
  t.after(() => killer.end())
  const target = isLong ? 2_000 : 150
  let terminated = 0
  let isOver = false
  const registered: string[] = []
  const statuses: Record<number, number> = {}
  const clients = Array.from({ length: 20 }, async (_, index) => {
    for (let turn = 0; !isOver; turn++) {
      const email = `client${index}-${turn}@example.com`
      const { status } = await instance.call('POST', '/register', {}, { email, password })
      statuses[status] = (statuses[status] ?? 0) + 1
      if (status === 200) registered.push(email)
    }
  })
  const storm = async () => {
    while (terminated < target && instance.ended() === null) {
      const { rows } = await killer.query<{ count: number }>(
        `select count(pg_terminate_backend(pid))::integer as count from pg_stat_activity where datname = $1`,
        [new URL(url).pathname.slice(1)],
      )
      terminated += rows[0]!.count
      await new Promise((resolve) => setTimeout(resolve, 150))
    }
    isOver = true
  }
  await Promise.all([storm(), ...clients])
  assert.equal(instance.ended(), null)
  await until(
    async () => (await instance.call('POST', '/register', {}, { email: 'last@example.com', password })).status === 200,
  )
  assert.deepEqual(await missing(t, url, registered), [])
  // The first answer of all may come while there are backends; what is no 200 is a clean 503, or a 400 for one that
  // committed unheard.
  assert.deepEqual(
    Object.keys(statuses).filter((status) => !['200', '400', '503'].includes(status)),
    [],
  )
  report(t, {
    'backends terminated': terminated,
    'registrations acknowledged': registered.length,
    lost: 0,
    ...Object.fromEntries(Object.entries(statuses).map(([status, count]) => [`answers ${status}`, count])),
    'processes ended': 0,
  })
})

async function missing(t: TestContext, url: string, emails: readonly string[]): Promise<string[]> {
  const client = new pg.Client(url)
  await client.connect()
  t.after(() => client.end().catch(() => undefined))
  const { rows } = await client.query<{ email: string }>(
    'select given.email from unnest($1::text[]) given (email) where not exists (select 1 from identity.users u where u.email = given.email)',
    [emails],
  )
  await client.end()
  return rows.map(({ email }) => email)
}
