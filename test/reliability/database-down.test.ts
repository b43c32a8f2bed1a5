// What people see while the database is gone, by every way it can go, and that nothing has to be restarted when it is
// back.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { CamelCasePlugin, Kysely, PostgresDialect } from 'kysely'
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import pg from 'pg'
import { startPostgres } from '../../src/development/postgres.js'
import {
  type Answer,
  guarded,
  login,
  logout,
  newcomer,
  refresh,
  register,
  signIn,
  startApp,
  type Tokens,
  tokensOf,
  until,
} from '../support/instances.js'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'
import { startTcpProxy } from '../support/tcp-proxy.js'

interface People {
  readonly alice: Tokens
  /** Signed out while the database was there. */
  readonly bob: Tokens
}

async function settle(app: FastifyInstance): Promise<People> {
  const alice = await newcomer(app, 'alice@example.com')
  const bob = await newcomer(app, 'bob@example.com')
  assert.equal((await logout(app, bob.accessToken)).status, 200)
  return { alice, bob }
}

function assertUnavailable(answer: Answer): void {
  assert.equal(answer.status, 503, answer.text)
  assert.equal(answer.headers['content-type'], 'application/problem+json')
  assert.match(String(answer.headers['retry-after']), /^\d+$/)
  assert.deepEqual(Object.keys(answer.body ?? {}), ['type', 'title', 'status', 'detail'])
  assert.doesNotMatch(answer.text, /ECONN|127\.0\.0\.1|postgres|select|insert/i)
}

/** The answers while the database is gone; the time of each unavailable one is reported, not judged. */
async function assertOutage(t: TestContext, app: FastifyInstance, { alice, bob }: People): Promise<void> {
  for (const round of ['first', 'second']) {
    const start = performance.now()
    const answers = await Promise.all(
      [
        register(app, `${round}@example.com`),
        login(app, 'alice@example.com'),
        login(app, 'nobody@example.com'),
        refresh(app, alice.refreshToken),
        logout(app, alice.accessToken),
      ].map(async (asked) => {
        const answer = await asked
        return { answer, took: Math.round(performance.now() - start) }
      }),
    )
    for (const { answer } of answers) assertUnavailable(answer)
    t.diagnostic(`${round} 503s after ${answers.map(({ took }) => took).join(', ')} ms`)
    assert.equal((await guarded(app, alice.accessToken)).status, 200)
    assert.equal((await guarded(app, bob.accessToken)).status, 401)
    assert.equal((await guarded(app, 'garbage')).status, 401)
    assert.equal((await guarded(app, alice.refreshToken)).status, 401)
    // The key may be a new one of another instance: that is not known while the ring cannot be read.
    assertUnavailable(await guarded(app, underUnknownKey(alice.accessToken)))
  }
  assert.equal((await app.identity.healthCheck()).ok, false)
}

// Bytes 2 to 5 of a token name its key.
function underUnknownKey(token: string): string {
  const bytes = Buffer.from(token, 'base64url')
  randomBytes(4).copy(bytes, 2)
  return bytes.toString('base64url')
}

async function assertWell(t: TestContext, app: FastifyInstance, { alice, bob }: People): Promise<void> {
  const took = await until(async () => (await login(app, 'alice@example.com')).status === 200)
  t.diagnostic(`first sign-in ${Math.round(took)} ms after the return`)
  assert.equal((await register(app, 'carol@example.com')).status, 200)
  await signIn(app, 'carol@example.com')
  // The refresh that was refused with 503 has not used the token up.
  const { accessToken } = tokensOf(await refresh(app, alice.refreshToken))
  assert.equal((await guarded(app, accessToken)).status, 200)
  assert.equal((await guarded(app, bob.accessToken)).status, 401)
  assert.equal((await refresh(app, bob.refreshToken)).status, 401)
  assert.equal((await logout(app, accessToken)).status, 200)
  await until(async () => (await app.identity.healthCheck()).ok)
}

/** A server of the test's own that comes back on the same port with the same data. */
async function ownServer(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'outage-test-'))
  await chmod(folder, 0o755)
  const dataDir = join(folder, 'data')
  let server = await startPostgres({ dataDir, persistent: true })
  const { url } = server
  t.after(async () => {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  })
  return {
    url,
    stop: () => server.stop(),
    async kill() {
      const [pid] = (await readFile(join(server.dataDir, 'cluster', 'postmaster.pid'), 'utf8')).split('\n')
      process.kill(Number(pid), 'SIGKILL')
      await server.stop()
    },
    async start() {
      server = await startPostgres({ dataDir, persistent: true, port: Number(new URL(url).port) })
    },
  }
}

test('a database that is stopped or killed costs clean 503s, and all is well when it is back', async (t) => {
  const server = await ownServer(t)
  for (const way of ['stop', 'kill'] as const) {
    const app = await startApp(t, { database: server.url, schema: uniqueSchema() })
    const people = await settle(app)
    await server[way]()
    await assertOutage(t, app, people)
    await server.start()
    await assertWell(t, app, people)
    await app.close()
  }
})

test('a network that swallows everything costs clean 503s, and all is well when it passes again', async (t) => {
  const proxy = await startTcpProxy(await databaseUrl())
  t.after(() => proxy.close())
  const app = await startApp(t, {
    database: proxy.url,
    databaseTimeouts: { connectSeconds: 3, statementSeconds: 3 },
  })
  const people = await settle(app)
  proxy.blackhole()
  await assertOutage(t, app, people)
  await proxy.accept()
  await assertWell(t, app, people)
})

test('connections that died in silence are not handed out once the network is back', async (t) => {
  const proxy = await startTcpProxy(await databaseUrl())
  t.after(() => proxy.close())
  const app = await startApp(t, {
    database: { connectionString: proxy.url, query_timeout: 3_000, connectionTimeoutMillis: 60_000 },
  })
  const people = await settle(app)
  // Ten connections lie in the pool.
  await Promise.all(Array.from({ length: 10 }, () => app.identity.users.findByName('alice@example.com')))
  proxy.blackhole()
  assertUnavailable(await login(app, 'alice@example.com'))
  proxy.forsake()
  await proxy.accept()
  assert.equal((await login(app, 'alice@example.com')).status, 200)
  await assertWell(t, app, people)
})

test('a pool of the host costs clean 503s too, and is left open', async (t) => {
  const proxy = await startTcpProxy(await databaseUrl())
  t.after(() => proxy.close())
  const pool = new pg.Pool({ connectionString: proxy.url })
  t.after(() => pool.end())
  // A client that the pool has opened before the plugin saw the pool.
  await pool.query('select 1')
  const app = await startApp(t, { database: pool })
  const people = await settle(app)
  await proxy.refuse()
  await assertOutage(t, app, people)
  await proxy.accept()
  await assertWell(t, app, people)
  proxy.blackhole()
  assertUnavailable(await login(app, 'alice@example.com'))
  await proxy.accept()
  await until(async () => (await login(app, 'alice@example.com')).status === 200)
  await app.close()
  assert.deepEqual((await pool.query('select 1 as one')).rows, [{ one: 1 }])
  assert.equal(pool.listenerCount('connect'), 0)
})

test("a host's Kysely with plugins costs clean 503s too, and is left open", async (t) => {
  const proxy = await startTcpProxy(await databaseUrl())
  t.after(() => proxy.close())
  const pool = new pg.Pool({ connectionString: proxy.url })
  pool.on('error', () => undefined).on('connect', (client) => client.on('error', () => undefined))
  const kysely = new Kysely<Record<string, never>>({
    dialect: new PostgresDialect({ pool }),
    plugins: [new CamelCasePlugin()],
  })
  t.after(() => kysely.destroy())
  const app = await startApp(t, { database: kysely })
  const people = await settle(app)
  await proxy.refuse()
  await assertOutage(t, app, people)
  await proxy.accept()
  await assertWell(t, app, people)
  await app.close()
  assert.deepEqual((await pool.query('select 1 as one')).rows, [{ one: 1 }])
})
