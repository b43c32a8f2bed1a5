// An end that is asked for: who was let in is answered, and nothing of ours is left behind.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { test, type TestContext } from 'node:test'
import pg from 'pg'
import { connect } from '../../src/store/connect.js'
import { migrate } from '../../src/store/migrate.js'
import { startChild } from '../support/child.js'
import { cheapHasher, register, startApp, tally, until } from '../support/instances.js'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'
import { startTcpProxy } from '../support/tcp-proxy.js'

/** A sign-in over a socket that stays open for the next one, as a proxy's does. */
async function loginOver(agent: Agent, origin: string, email: string, password: string): Promise<number> {
  const sent = request(`${origin}/login`, { method: 'POST', agent, headers: { 'content-type': 'application/json' } })
  sent.end(JSON.stringify({ email, password }))
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  answer.resume()
  await once(answer, 'end')
  return answer.statusCode!
}

/** How many connections to Postgres go by this name. */
async function connectionsOf(t: TestContext, name: string) {
  const client = new pg.Client(await databaseUrl())
  await client.connect()
  t.after(() => client.end())
  return async () => (await client.query('select 1 from pg_stat_activity where application_name = $1', [name])).rowCount
}

test('closing answers the sign-ins that have begun, then closes every connection to Postgres', async (t) => {
  const name = uniqueSchema()
  let begun = 0
  let release: () => void = () => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const hasher = {
    hash: (text: string) => Promise.resolve(`plain:${text}`),
    async verify(hash: string, text: string) {
      begun++
      await released
      return hash === `plain:${text}` ? ('yes' as const) : ('no' as const)
    },
  }
  const app = await startApp(t, {
    database: { connectionString: await databaseUrl(), application_name: name },
    password: { hasher },
  })
  const connections = await connectionsOf(t, name)
  const names = Array.from({ length: 20 }, (_, index) => `user${index}@example.com`)
  for (const email of names) await register(app, email)
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  const agent = new Agent({ keepAlive: true })
  t.after(() => agent.destroy())
  const before = begun
  let arrived = 0
  app.server.on('request', () => {
    arrived++
  })
  const answers = names.map((email) => loginOver(agent, origin, email, 'Correct-horse-1'))
  await until(() => arrived === names.length && begun > before)
  let isClosed = false
  void app.close().then(() => {
    isClosed = true
  })
  await until(() => !app.server.listening)
  release()
  assert.deepEqual(tally(await Promise.all(answers)), { 200: 20 })
  // A socket that an answer left open would hold the end up for as long as the server keeps it: 72 s.
  t.diagnostic(`closed ${Math.round(await until(() => isClosed))} ms after the last answer`)
  await until(async () => (await connections()) === 0)
})

test('a process that closes its application ends by itself', async (t) => {
  const child = startChild(
    t,
    `
    import Fastify from 'fastify'
    import identity from '~/src/index.js'
    const app = Fastify()
    await app.register(identity, { schema: '${uniqueSchema()}', password: { hasher: ${JSON.stringify(cheapHasher)} } })
    await app.listen({ port: 0, host: '127.0.0.1' })
    const payload = { email: 'alice@example.com', password: 'Correct-horse-1' }
    await app.inject({ method: 'POST', url: '/register', payload })
    const { statusCode } = await app.inject({ method: 'POST', url: '/login', payload })
    await app.close()
    console.log(statusCode)`,
    { DATABASE_URL: await databaseUrl() },
  )
  assert.equal(await child.line(), '200')
  assert.equal(await child.ended, 0)
})

test('a process whose registration failed ends by itself, also without closing', async (t) => {
  const database = await databaseUrl()
  const schema = uniqueSchema()
  const db = connect(database, schema, undefined, {}, () => undefined)
  await migrate(db)
  await db.kysely
    .insertInto('keys')
    .values({
      id: '00000001',
      purpose: 'token',
      generation: 1,
      root: Buffer.from('wrapped by nobody'),
      wrapped: true,
      created_at: new Date(),
      activates_at: new Date(),
      retires_at: null,
      revoked_at: null,
    })
    .execute()
  await db.close()
  const child = startChild(
    t,
    `
    import Fastify from 'fastify'
    import identity from '~/src/index.js'
    const failing = [{ secret: 'x'.repeat(32) }, { email: {}, publicUrl: 'https://id.example.com' }, { decorator: 'inject' }]
    for (const [index, options] of failing.entries()) {
      const schema = index === 0 ? '${schema}' : '${uniqueSchema()}'
      console.log(await Fastify().register(identity, { schema, ...options }).then(() => 'registered', ({ code }) => code))
    }`,
    { DATABASE_URL: database },
  )
  assert.deepEqual(
    [await child.line(), await child.line(), await child.line()],
    ['FST_IDENTITY_SECRET_WRONG', 'FST_IDENTITY_INVALID_OPTION', 'FST_IDENTITY_ALREADY_REGISTERED'],
  )
  assert.equal(await child.ended, 0)
})

test('a registration that fails at any step closes its pool', async (t) => {
  const name = uniqueSchema()
  const connections = await connectionsOf(t, name)
  const connectionString = await databaseUrl()
  for (const options of [{ secret: 'x'.repeat(32) }, { decorator: 'inject' }]) {
    const schema = uniqueSchema()
    if ('secret' in options) await (await startApp(t, { schema, secret: 'y'.repeat(32) })).close()
    await assert.rejects(startApp(t, { schema, database: { connectionString, application_name: name }, ...options }))
    await until(async () => (await connections()) === 0)
  }
})

test('closing ends while Postgres says nothing any more', async (t) => {
  const proxy = await startTcpProxy(await databaseUrl())
  t.after(() => proxy.close())
  const app = await startApp(t, { database: proxy.url })
  await register(app, 'alice@example.com')
  proxy.blackhole()
  const pending = app.identity.users.findByName('alice@example.com').catch(() => 'refused')
  await app.close()
  assert.equal(await pending, 'refused')
})
