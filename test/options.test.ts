// What options are refused and how: each refusal names the option and a remedy, says nothing of its value, and nothing
// is written to what the caller passed. The defaults are held by options-defaults.test.ts.
import assert from 'node:assert/strict'
import Fastify from 'fastify'
import { test } from 'node:test'
import { Type } from '@sinclair/typebox'
import identity, { type IdentityOptions } from '../src/index.js'
import { resolveOptions } from '../src/options.js'
import { databaseUrl, uniqueSchema } from './support/postgres.js'

const secret = 'a-root-secret-of-a-test-that-is-long-enough'

/** Options as a host without types may write them. */
const resolve = (given: unknown, environment: NodeJS.ProcessEnv = {}) =>
  resolveOptions(given as IdentityOptions, environment)

function refusal(given: unknown, environment: NodeJS.ProcessEnv = {}): Error & { code?: string } {
  try {
    resolve(given, environment)
  } catch (error) {
    assert.ok(error instanceof Error)
    return error
  }
  throw new assert.AssertionError({ message: `${JSON.stringify(given)} is not refused` })
}

function expectRefused(given: unknown, option: string, environment: NodeJS.ProcessEnv = {}): void {
  const { code, message } = refusal(given, environment)
  const what = `${JSON.stringify(given)}: ${message}`
  assert.equal(code, 'FST_IDENTITY_INVALID_OPTION', what)
  assert.ok(message.startsWith(`Option '${option}' `), what)
  // What is wrong, and then what to do about it.
  assert.match(message, /^Option '[^']+' [^.]+\. \S.{5,}/s, what)
}

const refused: Record<string, readonly unknown[]> = {
  prefix: [5, null, ['/account'], {}],
  database: [5, true, null, [], () => 'postgres://x'],
  schema: ['', 'Identity', 'a b', 'a"b', '1a', 'a;drop', 'a'.repeat(64), 5, null],
  migrate: ['yes', true, '', null, 'AUTO'],
  secret: [5, true, [], {}, [5], [secret, 5], 'short', ['short'], [secret, 'short'], '', 'x'.repeat(31)],
  publicUrl: [
    '',
    'api.example.com',
    'ftp://api.example.com',
    'https://api.example.com/path',
    'https://api.example.com?x',
    'https://api.example.com#x',
    'https://ann@api.example.com',
    'https://ann:pw@api.example.com',
    'https://:pw@api.example.com',
    5,
    null,
  ],
  cookies: ['false', 0, null, {}],
  'bearer.accessTokenSeconds': [0, -1, 1.5, '3600', NaN, Infinity, null, 1e12],
  'bearer.refreshTokenSeconds': [0, -1, '1'],
  'bearer.reuseGraceSeconds': [-1, 0.5, '30'],
  'bearer.rotateRefreshTokens': ['no', 0, null],
  'bearer.readToken': ['x-token', 5, null, {}],
  'cookie.name': ['', 'a b', 'a=b', 'a;b', 'é', 'a,b', 5],
  'cookie.lifetimeSeconds': [0, -1, '5'],
  'cookie.sameSite': ['Lax', '', true, 'default'],
  'cookie.secure': ['yes', 1, null],
  'cookie.domain': ['', 'a b', 'a;b', 'http://x', 5],
  'cookie.path': ['', 'api', '/a;b', '/a b', 5],
  'password.requiredLength': [0, -1, 513, '6', 1.5],
  'password.requireDigit': ['yes', 1, null],
  'password.maxLength': [7, 5000, '64'],
  'password.validators': ['x', {}, null],
  'password.hasher': [5, null, 'argon2', true, [], () => undefined],
  'lockout.maxFailedAccessAttempts': [0, -1, 101, '5'],
  'lockout.lockoutSeconds': [0, -1, '300'],
  'sessions.absoluteSeconds': [0, -1, '1'],
  'revocation.pollSeconds': [0, -1, '1', 0.05, 3601],
  'securityStamp.validationSeconds': [-1, '0', 0.5],
  'user.requireUniqueEmail': ['yes', null],
  'user.allowedUserNameCharacters': [5, ['a'], true],
  'signIn.requireConfirmedEmail': ['yes', 1],
  'twoFactor.windowSteps': [-1, 11, '1'],
  'codes.confirmEmailSeconds': [0, '1'],
  'endpoints.register': ['no', 0, null],
  'links.confirmEmail': ['/confirm', 'app.example.com', 'javascript:alert(1)', 5],
  decorator: ['', 'a-b', '1a', 'a b', 5, 'a'.repeat(65)],
  errors: ['x', {}, null],
  clock: [5, {}, null, 'now'],
  claims: [[], {}, 'x'],
  jsonNaming: ['kebab-case', '', null],
  keys: [[], 'x', null],
}

for (const [option, values] of Object.entries(refused)) {
  test(`option ${option} takes no value of another kind, and the refusal names it`, () => {
    for (const value of values) {
      const given = option.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), value)
      expectRefused(given, option)
    }
  })
}

test('a group of options is an object', () => {
  for (const group of [
    'bearer',
    'cookie',
    'password',
    'lockout',
    'sessions',
    'revocation',
    'user',
    'signIn',
    'securityStamp',
    'twoFactor',
    'codes',
    'endpoints',
    'links',
    'hooks',
    'authorization',
  ]) {
    for (const value of [5, 'x', true, null]) expectRefused({ [group]: value }, group)
  }
})

test('a name that there is not is refused at every level, with the names that there are', () => {
  const unknown: [given: object, option: string, known: readonly string[]][] = [
    [{ prefx: '/account' }, 'prefx', ['prefix', 'database', 'secret']],
    [{ bearer: { accessTokenMinutes: 5 } }, 'bearer.accessTokenMinutes', ['accessTokenSeconds', 'refreshTokenSeconds']],
    [{ cookie: { httpOnly: false } }, 'cookie.httpOnly', ['name', 'sameSite', 'secure']],
    [{ password: { minLength: 8 } }, 'password.minLength', ['requiredLength', 'hasher']],
    [{ password: { hasher: { memory: 1 } } }, 'password.hasher.memory', ['memoryKiB', 'iterations']],
    [{ endpoints: { signup: false } }, 'endpoints.signup', ['register', 'login']],
    [{ signIn: { requireEmail: true } }, 'signIn.requireEmail', ['requireConfirmedEmail']],
  ]
  for (const [given, option, known] of unknown) {
    const { code, message } = refusal(given)
    assert.equal(code, 'FST_IDENTITY_INVALID_OPTION')
    assert.ok(message.startsWith(`Option '${option}' is unknown. Known here: `), message)
    for (const name of known) assert.ok(message.split(/[ ,]+/).includes(name), `${message} lacks ${name}`)
  }
})

test('a refusal does not repeat the value, which may be a secret', () => {
  for (const given of [
    { secret: 'planted-1' },
    { secret: ['planted-2', 5] },
    { publicUrl: 'https://planted-3@x/y' },
    { schema: 'planted 4' },
    { keys: [{ id: 'a', secret: 'planted-5' }] },
  ]) {
    assert.doesNotMatch(refusal(given).message, /planted/)
  }
})

test('in production a root secret is needed, elsewhere it is not', () => {
  const production = { NODE_ENV: 'production' }
  for (const environment of [production, { ...production, IDENTITY_SECRET: '' }]) {
    const { code, message } = refusal({}, environment)
    assert.equal(code, 'FST_IDENTITY_SECRET_MISSING')
    assert.match(message, /Option 'secret' is missing\. Set IDENTITY_SECRET .* openssl rand -base64 32/)
  }
  assert.deepEqual(resolve({ secret }, production).secrets, [secret])
  assert.deepEqual(resolve({}, { ...production, IDENTITY_SECRET: secret }).secrets, [secret])
  assert.deepEqual(resolve({ keys: [{ id: 'one', secret }] }, production).secrets, [])
  assert.deepEqual(resolve({}, {}).secrets, [])
  assert.deepEqual(resolve({}, { NODE_ENV: 'development', IDENTITY_SECRET: '' }).secrets, [])
})

test('a weak secret is refused wherever it comes from, and the option decides before the environment', () => {
  expectRefused({}, 'IDENTITY_SECRET', { IDENTITY_SECRET: 'short' })
  expectRefused({ secret: 'short' }, 'secret', { IDENTITY_SECRET: secret })
  assert.deepEqual(resolve({ secret: ['é'.repeat(16)] }).secrets, ['é'.repeat(16)], 'bytes count')
  assert.deepEqual(resolve({ secret: [`${secret}-new`, secret] }, { IDENTITY_SECRET: 'short' }).secrets, [
    `${secret}-new`,
    secret,
  ])
})

test('options that contradict each other are refused by the name of the one to change', () => {
  expectRefused({ cookie: { sameSite: 'none', secure: false } }, 'cookie.sameSite')
  expectRefused({ publicUrl: 'http://id.example.org', cookie: { sameSite: 'none' } }, 'cookie.sameSite')
  expectRefused({ cookie: { name: '__Host-x', domain: 'example.com' } }, 'cookie.name')
  expectRefused({ cookie: { name: '__Host-x', path: '/api' } }, 'cookie.name')
  expectRefused({ cookie: { name: '__Host-x', secure: false } }, 'cookie.name')
  expectRefused({ csrf: { trustedOrigins: ['*'] } }, 'csrf.trustedOrigins')
  expectRefused({ csrf: { trustedOrigins: ['app.example.com'] } }, 'csrf.trustedOrigins')
  for (const wrong of [
    'null',
    'file:///x',
    'file://x',
    'data:text/html,x',
    'javascript://x',
    'capacitor://',
    'app://-/page',
    'ws://x',
    'app:x',
  ])
    expectRefused({ csrf: { trustedOrigins: [wrong] } }, 'csrf.trustedOrigins')
  expectRefused({ email: { send: () => Promise.resolve() } }, 'publicUrl')
  expectRefused({ notices: ['passwordChanged'] }, 'email')
  const done = () => Promise.resolve()
  const sender = { sendConfirmationLink: done, sendPasswordResetLink: done, sendPasswordResetCode: done }
  const mailing = { publicUrl: 'https://id.example.com', notices: ['passwordChanged'] } as const
  expectRefused({ ...mailing, email: sender }, 'email')
  for (const email of [
    'smtp://localhost?from=a@example.com',
    { send: done },
    { ...sender, sendSecurityNotice: done },
  ]) {
    assert.deepEqual(resolve({ ...mailing, email }).notices, ['passwordChanged'])
  }
  const hardened = { publicUrl: 'https://id.example.com', preset: 'hardened' } as const
  expectRefused(hardened, 'email')
  expectRefused({ ...hardened, notices: [] }, 'email')
  expectRefused({ ...hardened, notices: [], email: sender }, 'email')
  expectRefused({ preset: 'hardened', email: { send: done } }, 'publicUrl')
  expectRefused({ preset: 'strict' }, 'preset')
  expectRefused(
    {
      keys: [
        { id: 'a', secret },
        { id: 'a', secret: `${secret}-2` },
      ],
    },
    'keys',
  )
  expectRefused({ profile: Type.Object({ email: Type.String() }) }, 'profile')
})

test('undefined is as good as left out, at every level', () => {
  const groups = [
    'bearer',
    'cookie',
    'password',
    'lockout',
    'sessions',
    'revocation',
    'user',
    'signIn',
    'securityStamp',
    'twoFactor',
    'codes',
    'endpoints',
    'links',
  ]
  const plain = JSON.stringify(resolve({}))
  for (const name of [
    'prefix',
    'schema',
    'secret',
    'publicUrl',
    'cookies',
    'csrf',
    'decorator',
    'errors',
    'clock',
    'keys',
    'email',
    'notices',
    'preset',
    ...groups,
  ]) {
    assert.equal(JSON.stringify(resolve({ [name]: undefined })), plain, name)
  }
  assert.equal(
    JSON.stringify(
      resolve({
        bearer: { accessTokenSeconds: undefined, readToken: undefined },
        cookie: { name: undefined, sameSite: undefined },
        password: { requiredLength: undefined },
        lockout: { lockoutSeconds: undefined },
        signIn: { requireConfirmedEmail: undefined },
        endpoints: { login: undefined },
      }),
    ),
    plain,
  )
})

function frozen<T extends object>(value: T): T {
  for (const member of Object.values(value) as unknown[])
    if (typeof member === 'object' && member !== null) frozen(member)
  return Object.freeze(value)
}

const full = (): IdentityOptions => ({
  prefix: '/account',
  schema: 'identity',
  secret: [secret],
  publicUrl: 'https://api.example.com',
  bearer: { accessTokenSeconds: 60 },
  cookie: { sameSite: 'strict' },
  password: { requiredLength: 8, hasher: { memoryKiB: 64, iterations: 1 }, validators: [() => []] },
  lockout: { lockoutSeconds: 60 },
  endpoints: { logout: false },
  csrf: { trustedOrigins: ['https://app.example.com'] },
  user: { requireUniqueEmail: true },
})

test('what the caller passed is neither changed nor frozen, and may be frozen itself', () => {
  const given = full()
  const before = structuredClone({ ...given, password: { ...given.password, validators: [] } })
  const resolved = resolve(given)
  assert.deepEqual({ ...given, password: { ...given.password, validators: [] } }, before)
  for (const part of [
    given,
    given.bearer,
    given.cookie,
    given.password,
    given.password?.validators,
    given.password?.hasher,
    given.lockout,
    given.endpoints,
    given.csrf,
    given.secret,
  ]) {
    assert.equal(Object.isFrozen(part), false)
  }
  // What is decided stays decided, whatever the caller does to it afterwards.
  given.bearer!.accessTokenSeconds = 1
  ;(given.secret as string[]).push('another')
  assert.equal(resolved.bearer.accessTokenSeconds, 60)
  assert.deepEqual(resolved.secrets, [secret])
  assert.ok(
    [resolved, resolved.bearer, resolved.cookie, resolved.password, resolved.secrets, resolved.endpoints].every(
      (part) => Object.isFrozen(part),
    ),
  )
  assert.equal(JSON.stringify(resolve(frozen(full()))), JSON.stringify(resolve(full())))
})

test('frozen options register, one object may register twice, and a refusal stops register', async (t) => {
  const given = frozen({ ...full(), database: await databaseUrl(), schema: uniqueSchema() })
  for (let round = 0; round < 2; round++) {
    const app = Fastify()
    t.after(() => app.close())
    await app.register(identity, given)
    await app.ready()
    assert.equal((await app.inject({ method: 'POST', url: '/account/login', payload: {} })).statusCode, 400)
  }
  const app = Fastify()
  t.after(() => app.close())
  await assert.rejects(
    async () => {
      await app.register(identity, { schema: 'Not Allowed' })
    },
    { code: 'FST_IDENTITY_INVALID_OPTION' },
  )
})
