import assert from 'node:assert/strict'
import type { FastifyInstance } from 'fastify'
import { test } from 'node:test'
import pg from 'pg'
import type { IdentityResult, NewUser, User } from '../../../src/index.js'
import {
  cheapHasher,
  guarded,
  login,
  logout,
  newcomer,
  password,
  refresh,
  signIn,
  startApp,
  startTwins,
  tally,
  tokensOf,
} from '../../support/instances.js'
import { databaseUrl, uniqueSchema } from '../../support/postgres.js'

const anyName = { user: { allowedUserNameCharacters: '' }, password: { hasher: cheapHasher } }

function codes(result: IdentityResult): string[] {
  return result.succeeded ? [] : result.errors.map(({ code }) => code)
}

async function created(app: FastifyInstance, user: NewUser): Promise<User> {
  const result = await app.identity.users.create(user)
  assert.ok(result.succeeded, codes(result).join())
  return result.user
}

test('of two changes to one user the second must read again', async (t) => {
  const { users } = (await startApp(t)).identity
  const first = ((await users.create({ userName: 'alice' }, password)) as { user: User }).user
  const second = (await users.findByName('ALICE'))!
  first.phoneNumber = '1'
  assert.deepEqual(codes(await users.update(first)), [])
  second.phoneNumber = '2'
  assert.deepEqual(codes(await users.update(second)), ['ConcurrencyFailure'])
  assert.deepEqual(codes(await users.delete(second)), ['ConcurrencyFailure'])
  assert.equal((await users.findById(first.id))?.phoneNumber, '1')
  // The object that was brought up to date can be written again.
  first.phoneNumber = '3'
  assert.deepEqual(codes(await users.update(first)), [])
  assert.deepEqual(codes(await users.delete(first)), [])
  assert.equal(await users.findById(first.id), null)
  assert.deepEqual(codes(await users.update(first)), ['ConcurrencyFailure'])
  assert.deepEqual(codes(await users.delete(first)), ['ConcurrencyFailure'])
})

test('of 50 changes at once to one user one is written', async (t) => {
  const [app, twin] = await startTwins(t)
  const { id } = await created(app, { userName: 'alice' })
  const results = await Promise.all(
    Array.from({ length: 50 }, async (_, index) => {
      const { users } = [app, twin][index % 2]!.identity
      const user = (await users.findById(id))!
      user.phoneNumber = String(index)
      return users.update(user)
    }),
  )
  const written = results.filter(({ succeeded }) => succeeded).length
  assert.ok(written >= 1)
  assert.deepEqual(tally(results.flatMap(codes)), { ConcurrencyFailure: 50 - written })
})

test('of 50 users with one address at once one is created where addresses are unique', async (t) => {
  const twins = await startTwins(t, { user: { requireUniqueEmail: true } })
  const results = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      twins[index % 2]!.identity.users.create({
        userName: `user${index}`,
        email: index % 3 === 0 ? 'ONE@example.com' : 'one@Example.com',
      }),
    ),
  )
  assert.deepEqual(tally(results.map((result) => codes(result).join() || 'created')), {
    created: 1,
    DuplicateEmail: 49,
  })
  const other = await created(twins[0], { userName: 'other', email: 'other@example.com' })
  other.email = 'One@Example.com'
  assert.deepEqual(codes(await twins[1].identity.users.update(other)), ['DuplicateEmail'])
  assert.equal((await twins[0].identity.users.findByName('other'))?.email, 'other@example.com')
})

test('an address that was taken before addresses had to be unique stays taken', async (t) => {
  const schema = uniqueSchema()
  const before = await startApp(t, { schema })
  await created(before, { userName: 'alice', email: 'one@example.com' })
  const app = await startApp(t, { schema, user: { requireUniqueEmail: true } })
  assert.deepEqual(codes(await app.identity.users.create({ userName: 'mallory', email: 'ONE@example.com' })), [
    'DuplicateEmail',
  ])
  const other = await created(app, { userName: 'other', email: 'other@example.com' })
  other.email = 'one@example.com'
  assert.deepEqual(codes(await app.identity.users.update(other)), ['DuplicateEmail'])
})

test('a name that looks like another in ASCII is another', async (t) => {
  const app = await startApp(t, anyName)
  const { users } = app.identity
  const names = [
    'mike@github.com',
    'mıke@github.com',
    'mi\u212ae@github.com',
    'mike＠github.com',
    'mike@gıthub.com',
    'fi',
    'ﬁ',
    's',
    'ſ',
    'ss',
    'ß',
  ]
  const ids = new Map<string, string>()
  for (const userName of names) ids.set(userName, (await created(app, { userName })).id)
  for (const [userName, id] of ids) assert.equal((await users.findByName(userName))?.id, id)
  assert.deepEqual(codes(await users.create({ userName: 'MIKE@GitHub.com' })), ['DuplicateUserName'])
})

test('by default a name is of ASCII', async (t) => {
  const { users } = (await startApp(t)).identity
  for (const userName of ['mıke', 'ſ', '\u212a', 'ß', 'ﬁ', 'a＠b', 'a b', 'é', '']) {
    assert.deepEqual(codes(await users.create({ userName })), ['InvalidUserName'], userName)
  }
})

test('what no column holds is refused before it is written', async (t) => {
  const { users } = (await startApp(t, anyName)).identity
  const names = ['a'.repeat(257), 'a\0b', 'a\ud800', '\u0958'.repeat(200), ' ', 'a\nb']
  for (const userName of names)
    assert.deepEqual(
      codes(await users.create({ userName })),
      ['InvalidUserName'],
      JSON.stringify(userName).slice(0, 20),
    )
  for (const [index, email] of [
    `${'a'.repeat(250)}@b.de`,
    'a\0@b.de',
    'a\ud800@b.de',
    `${'\u0958'.repeat(200)}@b.de`,
  ].entries()) {
    assert.deepEqual(
      codes(await users.create({ userName: `user${index}`, email })),
      ['InvalidEmail'],
      JSON.stringify(email).slice(0, 20),
    )
  }
  const user = ((await users.create({ userName: 'a'.repeat(256), email: 'a@b.de' })) as { user: User }).user
  for (const change of [
    { userName: 'a\0b' },
    { userName: 'a'.repeat(257) },
    { email: 'a\0@b.de' },
    { email: `${'a'.repeat(257)}@b` },
  ]) {
    assert.equal((await users.update({ ...user, ...change })).succeeded, false)
  }
  for (const text of [...names, '']) {
    assert.equal(await users.findByName(text), null)
    assert.equal(await users.findByEmail(text), null)
    assert.equal(await users.findById(text), null)
  }
})

test('an id that is no UUID belongs to nobody', async (t) => {
  const { users, sessions } = (await startApp(t)).identity
  const alice = ((await users.create({ userName: 'alice' })) as { user: User }).user
  for (const id of [
    '',
    'x',
    '1',
    "' or 1=1 --",
    `${alice.id} `,
    `{${alice.id}}`,
    alice.id.replaceAll('-', ''),
    '00000000-0000-0000-0000-00000000000g',
  ]) {
    assert.equal(await users.findById(id), null)
    assert.deepEqual(await sessions.list(id), [])
    assert.equal(await sessions.revoke(id), false)
    assert.equal(await sessions.revokeAll(id), 0)
    assert.deepEqual(codes(await users.update({ ...alice, id })), ['ConcurrencyFailure'])
    assert.deepEqual(codes(await users.update({ ...alice, concurrencyStamp: id })), ['ConcurrencyFailure'])
    assert.deepEqual(codes(await users.delete({ ...alice, id })), ['ConcurrencyFailure'])
    assert.deepEqual(codes(await users.delete({ ...alice, concurrencyStamp: id })), ['ConcurrencyFailure'])
  }
  assert.equal((await users.findById(alice.id.toUpperCase()))?.id, alice.id)
})

test('all sessions but one that does not exist are all sessions', async (t) => {
  const app = await startApp(t)
  const { accessToken } = await newcomer(app, 'alice@example.com')
  const { id } = (await app.identity.users.findByName('alice@example.com'))!
  assert.equal(await app.identity.sessions.revokeAll(id, { except: "' or 1=1 --" }), 1)
  assert.equal((await guarded(app, accessToken)).status, 401)
})

const injections = [
  "'",
  "''",
  '"',
  "'; drop table users; --",
  "' or '1'='1",
  "' or 1=1 --",
  "') or ('1'='1",
  '"; drop schema identity cascade; --',
  '1; select pg_sleep(10)',
  "' union select null --",
  "\\'; select 1; --",
  "'||(select 1)||'",
  '$1',
  '${1}',
  '%',
  '_',
  "'/**/or/**/1=1",
  ':name',
  "E'\\x27'",
  '; --',
  '$$; select 1; $$',
]

test('what looks like SQL is text in every field', async (t) => {
  const app = await startApp(t, anyName)
  const { users, sessions } = app.identity
  for (const [index, text] of injections.entries()) {
    const email = `user${index}@example.com`
    const result = await users.create(
      { userName: text, email, phoneNumber: text, profile: { [text]: text } },
      `${password}${text}`,
    )
    assert.ok(result.succeeded, text)
    const found = (await users.findByName(text))!
    assert.deepEqual(
      [found.userName, found.email, found.phoneNumber, found.profile],
      [text, email, text, { [text]: text }],
    )
    assert.equal((await users.findByEmail(email))?.id, found.id)
    assert.equal(await users.findByEmail(text), null)
    assert.equal(await users.findById(text), null)
    const answer = await app.inject({
      method: 'POST',
      url: '/login',
      headers: { 'user-agent': text },
      payload: { email: text, password: `${password}${text}`, twoFactorCode: text },
    })
    assert.equal(answer.statusCode, 200, text)
    assert.equal((await sessions.list(found.id))[0]?.client, text)
    for (const payload of [
      { email: text, password: text },
      { email: `nobody${text}`, password: text },
    ]) {
      assert.equal((await app.inject({ method: 'POST', url: '/login', payload })).statusCode, 401)
    }
    assert.equal((await refresh(app, text)).status, 401)
    assert.equal((await guarded(app, text)).status, 401)
  }
})

for (const [how, setting, parse] of [
  ['texts', 'UTC', String],
  ['texts of another time zone', 'Asia/Kolkata', String],
  ['numbers', 'America/Caracas', (text: string) => Date.parse(text)],
] as const) {
  test(`a host whose pool parses timestamps as ${how} changes nothing`, async (t) => {
    const isTime = (oid: number) => oid === 1184 || oid === 1114
    const usual = pg.types.getTypeParser.bind(pg.types) as (oid: number, format?: string) => (text: string) => unknown
    const types = {
      getTypeParser: (oid: number, format?: string) => (isTime(oid) ? parse : usual(oid, format)),
    } as pg.CustomTypesConfig
    const pool = new pg.Pool({ connectionString: await databaseUrl(), options: `-c timezone=${setting}`, types })
    t.after(() => pool.end())
    const app = await startApp(t, { database: pool })
    const { users, sessions } = app.identity
    const start = Date.now()
    const { refreshToken } = await newcomer(app, 'alice@example.com')
    const next = tokensOf(await refresh(app, tokensOf(await refresh(app, refreshToken)).refreshToken))
    const alice = (await users.findByName('alice@example.com'))!
    assert.ok(Math.abs(alice.createdAt.getTime() - start) < 60_000)
    const [session] = await sessions.list(alice.id)
    assert.ok(Math.abs(session!.createdAt - start) < 60_000 && session!.expiresAt > start + 29 * 86_400_000)
    alice.lockoutEnd = new Date(start + 3_600_000)
    assert.deepEqual(codes(await users.update(alice)), [])
    assert.equal((await users.findById(alice.id))?.lockoutEnd?.getTime(), start + 3_600_000)
    assert.equal((await login(app, 'alice@example.com')).body?.detail, 'LockedOut')
    // A lock by hand ends the sessions.
    assert.equal((await logout(app, next.accessToken)).status, 401)
  })
}

test('a lock without an end, as SQL writes it, is a lock', async (t) => {
  const schema = uniqueSchema()
  const app = await startApp(t, { schema })
  const { users } = app.identity
  await newcomer(app, 'alice@example.com')
  const client = new pg.Client(await databaseUrl())
  await client.connect()
  t.after(() => client.end())
  await client.query(`update ${schema}.users set lockout_end = 'infinity'`)
  assert.equal((await login(app, 'alice@example.com')).body?.detail, 'LockedOut')
  const alice = (await users.findByName('alice@example.com'))!
  assert.ok(alice.lockoutEnd!.getTime() > Date.parse('9999-01-01'))
  alice.phoneNumber = '1'
  assert.deepEqual(codes(await users.update(alice)), [])
  assert.equal((await login(app, 'alice@example.com')).body?.detail, 'LockedOut')
  await client.query(`update ${schema}.users set lockout_end = '-infinity'`)
  await signIn(app, 'alice@example.com')
})
