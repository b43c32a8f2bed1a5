// What a wrong set-up logs or throws at start. Each row is a mistake that was made with systems like this one.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
  type onRequestHookHandler,
} from 'fastify'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import pg from 'pg'
import identity, { allowAnonymous, type IdentityOptions, requireAuthorization } from '../src/index.js'
import { databaseUrl, uniqueSchema } from './support/postgres.js'

const database = await databaseUrl()
const secret = 'a-root-secret-of-a-test-that-is-long-enough'

interface LogLine {
  readonly level: number
  readonly msg: string
  readonly code?: string
}

type Given = { readonly [Name in keyof IdentityOptions]: IdentityOptions[Name] | undefined }

async function start(
  t: TestContext,
  options: Given,
  server: FastifyServerOptions = {},
  after?: (app: FastifyInstance) => unknown,
) {
  const lines: LogLine[] = []
  const stream = { write: (line: string) => void lines.push(JSON.parse(line) as LogLine) } // pino writes one object a line
  const app = Fastify({ ...server, logger: { level: 'debug', stream } })
  t.after(() => app.close())
  await app.register(identity, {
    prefix: '/account',
    database,
    schema: uniqueSchema(),
    secret,
    ...(options as IdentityOptions), // undefined is what an option is that was left out
  })
  await after?.(app)
  await app.ready()
  const seen = () => lines.filter(({ level }) => level >= 40)
  return { app, warnings: seen(), seen }
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
  const options = { database, schema: uniqueSchema() }
  const lines: LogLine[] = []
  const logged = Fastify({
    logger: { stream: { write: (line: string) => void lines.push(JSON.parse(line) as LogLine) } },
  })
  t.after(() => logged.close())
  await logged.register(identity, options)
  assert.equal(lines.filter(({ code }) => code === 'FST_IDENTITY_SECRET_UNSET').length, 1)
})

test('without a logger the process emits the warning, once for all realms', () => {
  const program = `
    import Fastify from ${JSON.stringify(import.meta.resolve('fastify'))}
    import identity from ${JSON.stringify(import.meta.resolve('../src/index.js'))}
    const app = Fastify()
    for (const decorator of ['identity', 'staff'])
      await app.register(identity, { decorator, prefix: '/' + decorator, schema: decorator + '_${uniqueSchema()}' })
    await app.close()`
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    env: { DATABASE_URL: database, PATH: process.env.PATH },
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

test('a function of the host may be called like a guard of ours', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  await app.register(identity, { database, schema: uniqueSchema(), secret })
  const hooks = {
    requireAuthorization: (_request: FastifyRequest, _reply: FastifyReply, done: () => void) => done(),
    allowAnonymous: (_request: FastifyRequest, _reply: FastifyReply, done: () => void) => done(),
  }
  app.addHook('onRequest', hooks.requireAuthorization)
  app.get('/', { onRequest: hooks.allowAnonymous }, () => 'here')
  assert.equal((await app.inject('/')).body, 'here')
})

for (const guard of [requireAuthorization, allowAnonymous]) {
  const name = guard === requireAuthorization ? 'requireAuthorization' : 'allowAnonymous'
  // What TypeScript refuses and JavaScript takes.
  const hook = guard as unknown as onRequestHookHandler
  const places: Record<string, (app: FastifyInstance) => unknown> = {
    'a route': (app) => app.get('/orders', { onRequest: hook }, () => 'orders'),
    'a list': (app) => app.get('/orders', { preHandler: [requireAuthorization(), hook as never] }, () => 'orders'),
    'a scope': (app) =>
      app.register((scope, _options, done) => {
        scope.addHook('onRequest', hook)
        scope.get('/orders', () => 'orders')
        done()
      }),
  }
  for (const [place, add] of Object.entries(places)) {
    for (const isBefore of [true, false]) {
      test(`${name} without parentheses on ${place} ${isBefore ? 'before' : 'after'} the plugin is refused at start`, async (t) => {
        const app = Fastify()
        t.after(() => app.close())
        if (isBefore) add(app)
        const options = { prefix: '/account', database, schema: uniqueSchema(), secret }
        await app.register(identity, options)
        if (!isBefore) add(app)
        await assert.rejects(async () => app.ready(), {
          code: 'FST_IDENTITY_GUARD_NOT_CALLED',
          message: `'${name}' is used as a hook by GET /orders, and it returns one. Write the parentheses: onRequest: ${name}()`,
        })
      })
    }
  }

  test(`${name} without parentheses is an error for each request where the plugin is not there`, async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    app.get('/orders', { onRequest: hook }, () => 'orders')
    const answer = await app.inject('/orders')
    assert.deepEqual([answer.statusCode, answer.json<{ code: string }>().code], [500, 'FST_IDENTITY_GUARD_NOT_CALLED'])
  })
}

test('one schema for two realms is refused, however its database is named', async (t) => {
  const schema = uniqueSchema()
  const again = new pg.Pool({ connectionString: database, max: 1 })
  t.after(() => again.end())
  const second = { decorator: 'staff', prefix: '/staff', schema, secret, database: again }
  await assert.rejects(
    start(t, { schema }, {}, (app) => app.register(identity, second)),
    { code: 'FST_IDENTITY_SCHEMA_IN_USE', message: new RegExp(`'${schema}'.*realm 'identity'.*another schema`) },
  )
})

test('one schema for two applications of one process is no mistake', async (t) => {
  const schema = uniqueSchema()
  await start(t, { schema })
  assert.deepEqual((await start(t, { schema })).warnings, [])
})

test('https in front of an application without trustProxy is warned of once', async (t) => {
  const { app, seen } = await start(t, {})
  const ask = (proto: string) => app.inject({ url: '/account/manage/info', headers: { 'x-forwarded-proto': proto } })
  await ask('http')
  assert.deepEqual(seen(), [])
  await ask('https, http')
  await ask('https')
  assert.deepEqual(
    seen().map(({ code }) => code),
    ['FST_IDENTITY_PROXY_UNTRUSTED'],
  )
})

test('with trustProxy it is not', async (t) => {
  const { app, seen } = await start(t, {}, { trustProxy: true })
  await app.inject({ url: '/account/manage/info', headers: { 'x-forwarded-proto': 'https' } })
  assert.deepEqual(seen(), [])
})

/** What a mistake prints: the message of an error, or of a warning. */
const mistakes: Record<string, (t: TestContext) => Promise<string>> = {
  'no database is named': (t) => messageOf(t, { database: undefined }, {}),
  'the database does not answer': (t) => messageOf(t, { database: 'postgres://127.0.0.1:1/app' }),
  'an option is misspelled': (t) => messageOf(t, { sessions: { absoluteSecond: 60 } } as IdentityOptions),
  'no secret in production': (t) => messageOf(t, { secret: undefined }, { NODE_ENV: 'production' }),
  'no secret elsewhere': async (t) => (await start(t, { secret: undefined })).warnings[0]!.msg,
  '`email` without `publicUrl`': (t) => messageOf(t, { email: 'smtp://localhost?from=a@example.com' }),
  '`requireConfirmedEmail` without `email`': async (t) =>
    (await start(t, { signIn: { requireConfirmedEmail: true } })).warnings[0]!.msg,
  "`sameSite: 'none'` over http": (t) =>
    messageOf(t, { publicUrl: 'http://id.example.org', cookie: { sameSite: 'none' } }),
  'the plugin is registered twice': (t) =>
    thrownBy(() => start(t, {}, {}, (app) => app.register(identity, { database, schema: uniqueSchema(), secret }))),
  'two realms with one `schema`': (t) => {
    const schema = 'identity_of_both'
    const second = { decorator: 'staff', prefix: '/staff', schema, secret, database }
    return thrownBy(() => start(t, { schema }, {}, (app) => app.register(identity, second)))
  },
  '`app.identity` before `await app.register(…)`': async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    void app.register(identity, { database, schema: uniqueSchema(), secret })
    const thrown = await thrownBy(() => app.identity.users)
    await app.ready()
    return thrown
  },
  '`requireAuthorization` without parentheses': (t) => {
    const hook = requireAuthorization as unknown as onRequestHookHandler
    return thrownBy(() => start(t, {}, {}, (app) => app.get('/orders', { onRequest: hook }, () => 'orders')))
  },
  'a guard names a policy that there is not': async (t) =>
    thrownBy(async () => {
      await start(t, {}, {}, (host) =>
        host.get('/orders', { onRequest: requireAuthorization('adults') }, () => 'orders'),
      )
    }),
  'a guard where the plugin is not registered': async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    app.get('/orders', { onRequest: requireAuthorization() }, () => 'orders')
    return (await app.inject('/orders')).json<{ message: string }>().message
  },
  'https in front of `trustProxy: false`': async (t) => {
    const { app, seen } = await start(t, {})
    await app.inject({ url: '/account/manage/info', headers: { 'x-forwarded-proto': 'https' } })
    return seen()[0]!.msg
  },
}

async function thrownBy(work: () => unknown): Promise<string> {
  try {
    await work()
  } catch (error) {
    return (error as Error).message // every mistake here throws an Error
  }
  return 'nothing'
}

/** The message of a start that fails, in an environment of its own. */
async function messageOf(t: TestContext, options: Given, environment: NodeJS.ProcessEnv = {}) {
  const before = { ...process.env }
  const hidden = ['DATABASE_URL', 'PGHOST', 'PGDATABASE', 'IDENTITY_SECRET', 'NODE_ENV']
  for (const name of hidden) Reflect.deleteProperty(process.env, name)
  Object.assign(process.env, environment)
  try {
    return await thrownBy(() => start(t, options))
  } finally {
    for (const name of hidden) if (before[name] !== undefined) process.env[name] = before[name]
    if (before.NODE_ENV === undefined) delete process.env.NODE_ENV
  }
}

test('docs/troubleshooting.md has the table of wrong set-ups, with what each prints', async (t) => {
  const rows: string[] = []
  for (const [mistake, run] of Object.entries(mistakes)) {
    const printed = (await run(t)).replaceAll('\n', ' ').replaceAll('|', '\\|')
    rows.push(`| ${mistake} | ${printed} |`)
  }
  const text = await readFile(join(import.meta.dirname, '../../docs/troubleshooting.md'), 'utf8')
  const written = text
    .split('\n')
    .filter((line) => line.startsWith('| ') && rows.some((row) => startOf(row) === startOf(line)))
  assert.ok(rows.length >= 12)
  assert.deepEqual(written, rows, rows.join('\n'))
})

const startOf = (row: string) => row.slice(0, row.indexOf(' | '))
