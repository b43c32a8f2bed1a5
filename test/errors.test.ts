// Codes and words: the reference's messages to the letter (IdentityErrorDescriber, and what only its endpoints say),
// and each thrown error where it comes from. Databases, keys and queues are real.
import assert from 'node:assert/strict'
import Fastify, { type FastifyInstance } from 'fastify'
import { sql } from 'kysely'
import { test, type TestContext } from 'node:test'
import * as errors from '../src/errors.js'
import { describeError, errorCodes, RevocationUnknown } from '../src/errors.js'
import identity, { allowAnonymous, type IdentityOptions, requireAuthorization } from '../src/index.js'
import { resolveOptions } from '../src/options.js'
import { createQueue } from '../src/passwords/queue.js'
import { connect } from '../src/store/connect.js'
import { retrying } from '../src/store/transaction.js'
import { type AppOptions, startApp } from './support/app.js'
import { guarded, newcomer, startApp as startInstance, until } from './support/instances.js'
import { databaseUrl, uniqueSchema } from './support/postgres.js'
import { openStore } from './support/store.js'
import { startTcpProxy } from './support/tcp-proxy.js'

const reference = {
  DefaultError: 'An unknown failure has occurred.',
  ConcurrencyFailure: 'Optimistic concurrency failure, object has been modified.',
  PasswordMismatch: 'Incorrect password.',
  InvalidToken: 'Invalid token.',
  RecoveryCodeRedemptionFailed: 'Recovery code redemption failed.',
  LoginAlreadyAssociated: 'A user with this login already exists.',
  InvalidUserName: "Username 'it' is invalid, can only contain letters or digits.",
  InvalidEmail: "Email 'it' is invalid.",
  DuplicateUserName: "Username 'it' is already taken.",
  DuplicateEmail: "Email 'it' is already taken.",
  InvalidRoleName: "Role name 'it' is invalid.",
  DuplicateRoleName: "Role name 'it' is already taken.",
  UserAlreadyHasPassword: 'User already has a password set.',
  UserLockoutNotEnabled: 'Lockout is not enabled for this user.',
  UserAlreadyInRole: "User already in role 'it'.",
  UserNotInRole: "User is not in role 'it'.",
  PasswordTooShort: 'Passwords must be at least it characters.',
  PasswordRequiresUniqueChars: 'Passwords must use at least it different characters.',
  PasswordRequiresNonAlphanumeric: 'Passwords must have at least one non alphanumeric character.',
  PasswordRequiresDigit: "Passwords must have at least one digit ('0'-'9').",
  PasswordRequiresLower: "Passwords must have at least one lowercase ('a'-'z').",
  PasswordRequiresUpper: "Passwords must have at least one uppercase ('A'-'Z').",
  CannotResetSharedKeyAndEnable:
    'Resetting the 2fa shared key must disable 2fa until a 2fa token based on the new shared key is validated.',
  RequiresTwoFactor: 'No 2fa token was provided by the request. A valid 2fa token is required to enable 2fa.',
  InvalidTwoFactorCode:
    'The 2fa token provided by the request was invalid. A valid 2fa token is required to enable 2fa.',
  OldPasswordRequired:
    'The old password is required to set a new password. If the old password is forgotten, use /resetPassword.',
} as const

const ours = { PasswordTooLong: 'Passwords must be at most it characters.' } as const

test('the codes and messages are those of the reference, to the letter, and one is ours', () => {
  const messages = Object.fromEntries(errorCodes.map((code) => [code, describeError(code, ['it'])]))
  assert.deepEqual(messages, { ...reference, ...ours })
})

test('a value stands in a message as it was typed', () => {
  assert.equal(describeError('DuplicateUserName', ["{0} $& o'neil"]), "Username '{0} $& o'neil' is already taken.")
  assert.equal(describeError('PasswordTooShort', [6]), 'Passwords must be at least 6 characters.')
})

/** Registers the plugin on a schema of its own. */
async function open(t: TestContext, options: IdentityOptions = {}): Promise<FastifyInstance> {
  const app = Fastify()
  t.after(() => app.close())
  await app.register(identity, { database: await databaseUrl(), schema: uniqueSchema(), ...options })
  return app
}

const code = (expected: string) => (error: unknown) => (error as { code?: unknown }).code === expected

test('without a name of a database FST_IDENTITY_DATABASE_MISSING says what to set', () => {
  assert.throws(
    () => connect(undefined, 'identity', undefined, {}, () => undefined),
    (error: Error) => code('FST_IDENTITY_DATABASE_MISSING')(error) && error.message.includes('DATABASE_URL'),
  )
})

test('a database that is not there stops the start with FST_IDENTITY_DATABASE_UNREACHABLE, which does not contain the password', async (t) => {
  await assert.rejects(
    open(t, { database: 'postgres://someone:secret-word@127.0.0.1:1/none' }),
    (error: Error) => code('FST_IDENTITY_DATABASE_UNREACHABLE')(error) && !error.message.includes('secret-word'),
  )
})

test('a statement to a database that is not there is FST_IDENTITY_DATABASE_UNAVAILABLE', async (t) => {
  const connection = connect('postgres://someone@127.0.0.1:1/none', 'identity', undefined, {}, () => undefined)
  t.after(() => connection.close())
  await assert.rejects(sql`select 1`.execute(connection.kysely), code('FST_IDENTITY_DATABASE_UNAVAILABLE'))
})

test('what the database asks to be tried again is tried three times, then FST_IDENTITY_DATABASE_CONTENTION', async (t) => {
  const store = await openStore(t)
  for (const state of ['40001', '40P01']) {
    let tries = 0
    await assert.rejects(
      retrying(() => {
        tries++
        return sql`do ${sql.lit(`begin raise exception using errcode = '${state}'; end`)}`.execute(store.kysely)
      }),
      code('FST_IDENTITY_DATABASE_CONTENTION'),
    )
    assert.equal(tries, 3)
  }
})

test('in production a missing root secret is FST_IDENTITY_SECRET_MISSING, elsewhere and beside own keys it is not', () => {
  assert.throws(() => resolveOptions({}, { NODE_ENV: 'production' }), code('FST_IDENTITY_SECRET_MISSING'))
  assert.deepEqual(resolveOptions({}, { NODE_ENV: 'development' }).secrets, [])
  assert.deepEqual(
    resolveOptions({ keys: [{ id: 'a', secret: 'x'.repeat(32) }] }, { NODE_ENV: 'production' }).secrets,
    [],
  )
})

test('another root secret is FST_IDENTITY_SECRET_WRONG, with the first one beside it all is well', async (t) => {
  const schema = uniqueSchema()
  const [first, second] = ['a'.repeat(32), 'b'.repeat(32)] as const
  await open(t, { schema, secret: first })
  await assert.rejects(open(t, { schema, secret: second }), code('FST_IDENTITY_SECRET_WRONG'))
  await open(t, { schema, secret: [second, first] })
  await open(t, { schema, secret: second })
})

test('keys that are managed elsewhere are turned there: FST_IDENTITY_KEYS_STATIC', async (t) => {
  const { keys } = (await open(t, { keys: [{ id: 'a', secret: 'x'.repeat(32) }] })).identity
  for (const change of [keys.rotate(), keys.revoke('00000000'), keys.revokeAll()])
    await assert.rejects(change, code('FST_IDENTITY_KEYS_STATIC'))
})

test('a guard without the plugin is FST_IDENTITY_NOT_REGISTERED and lets no request through', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  app.get('/', { onRequest: requireAuthorization() }, () => 'open')
  const { statusCode, body } = await app.inject('/')
  assert.equal(statusCode, 500)
  assert.equal((JSON.parse(body) as { code: string }).code, 'FST_IDENTITY_NOT_REGISTERED')
})

test('a policy that there is not stops the start with FST_IDENTITY_UNKNOWN_POLICY and its name', async (t) => {
  const app = await open(t, { authorization: { policies: { early: () => true } } })
  app.get('/late', { onRequest: requireAuthorization('late') }, () => 'open')
  await assert.rejects(
    async () => {
      await app.ready()
    },
    (error: Error) => code('FST_IDENTITY_UNKNOWN_POLICY')(error) && error.message.includes("'late'"),
  )
})

test('where routes must say who may come, one that does not stops the start with FST_IDENTITY_UNDECIDED_ROUTES and its name', async (t) => {
  const app = await open(t, { prefix: '/account', authorization: { explicit: true } })
  app.get('/open', { onRequest: allowAnonymous() }, () => 'open')
  app.get('/guarded', { onRequest: requireAuthorization() }, () => 'guarded')
  app.get('/forgotten', () => 'forgotten')
  await assert.rejects(
    async () => {
      await app.ready()
    },
    (error: Error) =>
      code('FST_IDENTITY_UNDECIDED_ROUTES')(error) &&
      error.message.includes('GET /forgotten') &&
      !/open|guarded|account/.test(error.message.split('. ')[0]!),
  )
})

test('a line that is full is FST_IDENTITY_HASHER_BUSY', async () => {
  const queue = createQueue({ maxConcurrent: 1, maxQueue: 0, maxWaitSeconds: 1 })
  let finish = () => {
    /* set below */
  }
  const running = queue.run(
    () =>
      new Promise<void>((resolve) => {
        finish = resolve
      }),
  )
  await assert.rejects(
    queue.run(() => Promise.resolve()),
    code('FST_IDENTITY_HASHER_BUSY'),
  )
  finish()
  await running
})

async function withPlugin(t: TestContext, options: AppOptions = {}) {
  const app = await startApp(options)
  t.after(() => app.close())
  return app
}

test('a user who signs in beside as many others of one name as may still fail waits, and gets FST_IDENTITY_SIGN_INS_CROWDED in the end', async (t) => {
  const plugin = await withPlugin(t, { identity: { lockout: { maxWaitSeconds: 1 } } })
  const { email, password } = await plugin.register()
  const { signIn } = plugin.app.identity
  // A first sign-in makes the row; then five others seem to be under way.
  assert.equal((await signIn.passwordSignIn(email, 'wrong')).succeeded, false)
  const others = Object.fromEntries([1, 2, 3, 4, 5].map((id) => [id, Date.now() + 86_400_000]))
  await plugin.sql('update attempts set failures = 0, reservations = $1', [others])
  await assert.rejects(signIn.passwordSignIn(email, password), code('FST_IDENTITY_SIGN_INS_CROWDED'))
})

test('claims that would not fit a cookie are no obstacle: a guarded route gets them from the database', async (t) => {
  const plugin = await withPlugin(t, { identity: { cookie: { name: 'n'.repeat(120) } } })
  const person = await plugin.register()
  const text = 'claimed'.repeat(406)
  await plugin.sql(
    "insert into user_claims (id, user_id, type, value) select gen_random_uuid(), id, 'text', $1 from users",
    [text],
  )
  assert.equal((await plugin.call('POST', '/account/login', { json: person })).status, 200)
  const { status, body } = await plugin.call('POST', '/account/login?useCookies=true', { json: person })
  assert.equal(status, 200)
  assert.equal(body, '')
  assert.ok(!plugin.logLines.some((line) => line.includes(text)))
})

test('a minute after the last word of the database every guard says FST_IDENTITY_REVOCATION_UNKNOWN, and lets in again when it is back', async (t) => {
  const proxy = await startTcpProxy(await databaseUrl())
  t.after(() => proxy.close())
  const app = await startInstance(t, { database: proxy.url })
  const { accessToken } = await newcomer(app, 'ada@example.com')
  await proxy.refuse()
  await until(async () => !(await app.identity.healthCheck()).database)
  assert.equal((await guarded(app, accessToken)).status, 200)
  const real = performance.now.bind(performance)
  t.mock.method(performance, 'now', () => real() + 61_000)
  await until(async () => (await guarded(app, accessToken)).status === 503)
  const { code, message } = new RevocationUnknown()
  assert.equal(code, 'FST_IDENTITY_REVOCATION_UNKNOWN')
  assert.equal((await guarded(app, accessToken)).body?.detail, message)
  await proxy.accept()
  await until(async () => (await guarded(app, accessToken)).status === 200)
})

test('every code of the exported union has one constructor, and every constructor a code of the union', () => {
  type Constructor = new (...words: string[]) => Error & { readonly code: string }
  const isConstructor = (value: unknown): value is Constructor =>
    typeof value === 'function' && value.prototype instanceof Error
  const made = Object.values(errors as Record<string, unknown>)
    .filter(isConstructor)
    .map((Thrown) => new Thrown('one', 'two', 'three').code)
  assert.deepEqual(made.sort(), Array.from(errors.thrownCodes).sort())
})
