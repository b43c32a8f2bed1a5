// What a wrong set-up logs or throws at start. Each row is a mistake that was made with systems like this one.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import Fastify from 'fastify'
import { test, type TestContext } from 'node:test'
import identity, { type IdentityOptions } from '../src/index.js'
import { databaseUrl, uniqueSchema } from './support/postgres.js'

const secret = 'a-root-secret-of-a-test-that-is-long-enough'

interface LogLine {
  readonly level: number
  readonly msg: string
  readonly code?: string
}

async function start(t: TestContext, options: IdentityOptions) {
  const lines: LogLine[] = []
  const stream = { write: (line: string) => void lines.push(JSON.parse(line) as LogLine) } // pino writes one object a line
  const app = Fastify({ logger: { level: 'debug', stream } })
  t.after(() => app.close())
  await app.register(identity, {
    prefix: '/account',
    database: await databaseUrl(),
    schema: uniqueSchema(),
    secret,
    ...options,
  })
  await app.ready()
  return { app, warnings: lines.filter(({ level }) => level >= 40) }
}

test('a set-up without a mistake logs no warning', async (t) => {
  assert.deepEqual((await start(t, {})).warnings, [])
})

for (const option of ['requireConfirmedEmail', 'requireConfirmedAccount'] as const) {
  test(`signIn.${option} without email is warned of, with what to set`, async (t) => {
    const { warnings } = await start(t, { signIn: { [option]: true } })
    const [{ code, msg }] = warnings as [LogLine]
    assert.equal(code, 'FST_IDENTITY_EMAIL_UNSET')
    assert.match(msg, new RegExp(`signIn\\.${option}.*Set 'email'`))
    assert.equal(warnings.length, 1)
  })
}

test('an unset secret is warned of', async (t) => {
  const before = process.env.IDENTITY_SECRET
  delete process.env.IDENTITY_SECRET
  t.after(() => {
    if (before !== undefined) process.env.IDENTITY_SECRET = before
  })
  const app = Fastify()
  t.after(() => app.close())
  const { secret: _, ...options } = { secret, database: await databaseUrl(), schema: uniqueSchema() }
  const lines: LogLine[] = []
  const logged = Fastify({
    logger: { stream: { write: (line: string) => void lines.push(JSON.parse(line) as LogLine) } },
  })
  t.after(() => logged.close())
  await logged.register(identity, options)
  assert.equal(lines.filter(({ code }) => code === 'FST_IDENTITY_SECRET_UNSET').length, 1)
})

test('without a logger the process emits the warning, once for all realms', async () => {
  const program = `
    import Fastify from ${JSON.stringify(import.meta.resolve('fastify'))}
    import identity from ${JSON.stringify(import.meta.resolve('../src/index.js'))}
    const app = Fastify()
    for (const decorator of ['identity', 'staff'])
      await app.register(identity, { decorator, prefix: '/' + decorator, schema: decorator + '_${uniqueSchema()}' })
    await app.close()`
  const DATABASE_URL = await databaseUrl()
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    env: { DATABASE_URL, PATH: process.env.PATH },
    encoding: 'utf8',
  })
  assert.equal(status, 0, stderr)
  assert.equal(stderr.match(/\[FST_IDENTITY_SECRET_UNSET\] FastifyIdentityWarning: option 'secret'/g)?.length, 1)
})

test('the same decorator twice is refused, with the two ways out', async (t) => {
  const { app } = await start(t, {})
  await assert.rejects(
    async () => {
      await Fastify().register(identity, { database: 'postgres://127.0.0.1:1/x', decorator: 'log', secret })
    },
    { code: 'FST_IDENTITY_ALREADY_REGISTERED', message: /decorator 'log' already.*identityRoutes/ },
  )
  assert.ok(app.hasDecorator('identity'))
})

test('options that fastify-cli adds are taken and have no effect', async (t) => {
  assert.deepEqual((await start(t, { skipOverride: true })).warnings, [])
})
