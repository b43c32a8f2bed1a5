// Hooks inside the transaction of a change, with a table of the host's in the same database; events after it.
import { sql, type Transaction } from 'kysely'
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { after, before, beforeEach, test } from 'node:test'
import { createNotifier, hookNames } from '../../../src/accounts/users/hooks.js'
import type {
  ChangeName,
  HookEvent,
  HookName,
  IdentityEmitter,
  Hooks,
  IdentityResult,
  User,
  UserManager,
} from '../../../src/index.js'
import { expectProblem, goodPassword, startApp, type TestApp, withApp } from '../../support/app.js'
import { cheapHasher, heard } from '../../support/instances.js'
import { uniqueSchema } from '../../support/postgres.js'

// What the hooks do in this test: each writes a row of the host's, then throws if there is something to throw.
let toThrow: Error | null = null
let called: { name: HookName; user: User }[] = []
const schema = uniqueSchema()

async function writeRow(trx: Transaction<unknown>, name: string, user: User): Promise<void> {
  await sql`insert into ${sql.table(`${schema}.host_rows`)} (what, who) values (${name}, ${user.id})`.execute(trx)
}

const hooks: Hooks = Object.fromEntries(
  hookNames.map((name) => [
    name,
    async ({ user, trx }: HookEvent) => {
      called.push({ name, user })
      await writeRow(trx as Transaction<unknown>, name, user)
      if (toThrow !== null) throw toThrow
    },
  ]),
)

let server: TestApp
let users: UserManager

before(async () => {
  server = await startApp({
    identity: {
      schema,
      hooks,
      publicUrl: 'https://a.example',
      email: { send: () => Promise.resolve() },
      password: { hasher: cheapHasher },
    },
  })
  // No foreign key: a row about a user who was deleted stays.
  await server.sql('create table host_rows (what text not null, who uuid not null)')
  users = server.app.identity.users
})
after(() => server.close())
beforeEach(() => {
  toThrow = null
  called = []
})

async function newUser(): Promise<User> {
  const { email } = await server.register()
  const user = await users.findByName(email)
  called = []
  await server.sql('delete from host_rows')
  return user!
}

const rows = async () => (await server.sql('select what, who from host_rows')).map(({ what, who }) => [what, who])
const stored = async ({ id }: User) => (await server.sql('select * from users where id = $1', [id]))[0]
const goodCode = (user: User) => users.generatePasswordResetToken(user)

/** Each change of an existing user: the hook it calls, how it is made, and whether it leaves a user. */
const changes: readonly [HookName, string, (user: User) => Promise<IdentityResult>][] = [
  ['userUpdated', 'update', (user) => users.update(Object.assign(user, { phoneNumber: '123' }))],
  ['userUpdated', 'resetAuthenticatorKey', (user) => users.resetAuthenticatorKey(user)],
  ['userDeleting', 'delete', (user) => users.delete(user)],
  ['passwordChanged', 'changePassword', (user) => users.changePassword(user, goodPassword, `${goodPassword}!`)],
  ['passwordChanged', 'removePassword', (user) => users.removePassword(user)],
  ['passwordReset', 'resetPassword', (user) => users.resetPassword(user, goodCode(user), `${goodPassword}!`)],
  ['emailConfirmed', 'confirmEmail', (user) => users.confirmEmail(user, users.generateEmailConfirmationToken(user))],
  ['emailChanged', 'setEmail', (user) => users.setEmail(user, 'new@example.com')],
  [
    'emailChanged',
    'changeEmail',
    (user) => users.changeEmail(user, 'new@example.com', users.generateChangeEmailToken(user, 'new@example.com')),
  ],
  ['twoFactorEnabled', 'setTwoFactorEnabled', (user) => users.setTwoFactorEnabled(user, true)],
  ['twoFactorDisabled', 'setTwoFactorEnabled', (user) => users.setTwoFactorEnabled(user, false)],
]

for (const [name, method, change] of changes) {
  test(`${name} is called in the transaction of ${method}, and its row commits with the change`, async () => {
    const user = await newUser()
    const earlier = await stored(user)
    assert.deepEqual(await change(user), { succeeded: true })
    assert.deepEqual(await rows(), [[name, user.id]])
    assert.notDeepEqual(await stored(user), earlier)
    assert.deepEqual(
      called.map((call) => call.name),
      [name],
    )
    if (name !== 'userDeleting') assert.equal(called[0]!.user.concurrencyStamp, (await stored(user))!.concurrency_stamp)
  })

  test(`${name} that throws undoes ${method} and its own row, and leaves the caller's object as it was`, async () => {
    const user = await newUser()
    const session = await server.signIn({ email: user.userName, password: goodPassword })
    const earlier = await stored(user)
    const { concurrencyStamp, securityStamp, email, passwordHash } = user
    toThrow = new Error('not today')
    await assert.rejects(change(user), toThrow)
    assert.deepEqual(await rows(), [])
    assert.deepEqual(await stored(user), earlier)
    assert.deepEqual(
      [user.concurrencyStamp, user.securityStamp, user.email, user.passwordHash],
      [concurrencyStamp, securityStamp, email, passwordHash],
    )
    // Nobody was signed out for a change that did not happen.
    assert.equal((await server.call('GET', '/account/manage/info', { token: session.accessToken })).status, 200)
  })
}

test('userCreating comes before the row of the user, userCreated after it, in one transaction', async () => {
  const order: string[] = []
  const look = async ({ user, trx }: HookEvent) => {
    const { rows: found } = await sql`select 1 from ${sql.table(`${own}.users`)} where id = ${user.id}`.execute(trx)
    order.push(`${found.length}`)
  }
  const own = uniqueSchema()
  await withApp({ identity: { schema: own, hooks: { userCreating: look, userCreated: look } } }, async (app) => {
    await app.register()
    assert.deepEqual(order, ['0', '1'])
  })
})

test('rows of userCreating and userCreated commit with a registration, and a refused registration leaves none', async () => {
  const person = await server.register()
  const user = await users.findByName(person.email)
  assert.deepEqual(await rows(), [
    ['userCreating', user!.id],
    ['userCreated', user!.id],
  ])
  await server.sql('delete from host_rows')
  assert.equal((await server.call('POST', '/account/register', { json: person })).status, 400)
  assert.deepEqual(await rows(), [])
})

test('a hook that throws a statusCode below 500 answers it with its message, and the registration leaves no user and no mail', async () => {
  toThrow = Object.assign(new Error('This company has no seats left.'), { statusCode: 422 })
  const answer = await server.call('POST', '/account/register', {
    json: { email: 'late@example.com', password: goodPassword },
  })
  expectProblem(
    answer,
    422,
    '{"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"This company has no seats left."}',
  )
  assert.equal(await users.findByName('late@example.com'), null)
  assert.deepEqual(await rows(), [])
  assert.deepEqual(await server.sql('select 1 from outbox'), [])
})

test('a hook that throws anything else is a 500 that says nothing of it', async () => {
  toThrow = new Error('the password of the audit database is hunter2')
  const answer = await server.call('POST', '/account/register', {
    json: { email: 'late@example.com', password: goodPassword },
  })
  assert.equal(answer.status, 500)
  assert.ok(!answer.body.includes('hunter2'))
  assert.deepEqual(Object.keys(answer.json() as object), ['type', 'title', 'status', 'traceId'])
  assert.equal(await users.findByName('late@example.com'), null)
})

test('what a hook changes in its copy of the user changes nothing', () =>
  withApp(
    {
      identity: {
        hooks: {
          userCreating: ({ user }) => {
            Object.assign(user, { userName: 'other', emailConfirmed: true })
          },
        },
      },
    },
    async (app) => {
      const { email } = await app.register()
      assert.equal((await app.app.identity.users.findByName(email))!.emailConfirmed, false)
      assert.equal(await app.app.identity.users.findByName('other'), null)
    },
  ))

test("a unique index of the host's own that a hook violates is the host's error, not a duplicate of ours", async () => {
  const user = await newUser()
  await server.sql('create unique index once on host_rows (what)')
  try {
    await server.sql("insert into host_rows values ('emailChanged', gen_random_uuid())")
    await assert.rejects(users.setEmail(user, 'other@example.com'), { code: '23505', constraint: 'once' })
  } finally {
    await server.sql('drop index once')
  }
})

test('an event is emitted after commit, with ids only', async () => {
  const identity = server.app.identity
  const tellings: Promise<unknown>[] = []
  const seen = heard(identity.events, 'passwordChanged')
  // From another connection than the change's: what is not committed is not seen.
  identity.events.once('passwordChanged', ({ userId }: { userId: string }) =>
    tellings.push(server.sql('select security_stamp from users where id = $1', [userId])),
  )
  const user = await newUser()
  await users.removePassword(user)
  assert.deepEqual(seen, [{ userId: user.id }])
  assert.deepEqual(await tellings[0], [{ security_stamp: user.securityStamp }])
})

test('a change that was undone is no event', async () => {
  const { events } = server.app.identity
  const user = await newUser()
  const seen = heard(events, 'emailChanged')
  toThrow = new Error('no')
  await assert.rejects(users.setEmail(user, 'x@example.com'))
  assert.deepEqual(seen, [])
})

test('each change that has a hook has an event of its name, but for userCreating and userDeleting', async () => {
  const { events } = server.app.identity
  const names: (ChangeName | 'userDeleted')[] = [
    ...hookNames.filter((name) => name !== 'userCreating' && name !== 'userDeleting'),
    'userDeleted',
  ]
  const seen = names.map((name) => heard(events, name))
  const touched = []
  for (const [, , change] of changes) {
    touched.push(await newUser())
    assert.deepEqual(await change(touched.at(-1)!), { succeeded: true })
  }
  const ids = new Set(touched.map(({ id }) => id))
  for (const emitted of seen)
    assert.ok(emitted.length > 0 && emitted.every((event) => ids.has((event as { userId: string }).userId)))
})

test('sessions that end are reported with the cause, once', async () => {
  const seen = heard(server.app.identity.events, 'sessionsEnded')
  const person = await server.register()
  const { id } = (await users.findByName(person.email))!
  await server.signIn(person)
  // Ids sort by the millisecond they were made in.
  server.clock.advance(1)
  const { accessToken } = await server.signIn(person)
  const [second, first] = await server.app.identity.sessions.list(id)
  await server.call('POST', '/account/logout', { token: accessToken })
  await users.removePassword((await users.findById(id))!)
  assert.deepEqual(seen, [
    { sessionIds: [second!.id], cause: 'signOut' },
    { sessionIds: [first!.id], cause: 'passwordChanged' },
  ])
})

test('a listener that throws, now or later, harms neither the change nor the other listeners, and is logged', () =>
  withApp({}, async (app) => {
    const { events } = app.app.identity
    events.on('userCreated', () => {
      throw new Error('first broke')
    })
    // eslint-disable-next-line @typescript-eslint/no-misused-promises -- a host's linter may be asleep
    events.on('userCreated', () => Promise.reject(new Error('second broke')))
    const seen = heard(events, 'userCreated')
    await app.register()
    await app.register()
    assert.equal(seen.length, 2)
    for (const words of ['first broke', 'second broke']) {
      assert.equal(
        app.logLines.filter((line) => line.includes(words) && line.includes('a listener of app.identity.events failed'))
          .length,
        2,
      )
    }
  }))

test('a listener for one event is called once', () => {
  const events: IdentityEmitter = new EventEmitter()
  const seen: unknown[] = []
  events.once('userCreated', (details) => seen.push(details))
  const notifier = createNotifier({}, events, assert.ifError)
  notifier.emit('userCreated', { userId: '1' })
  notifier.emit('userCreated', { userId: '2' })
  assert.deepEqual(seen, [{ userId: '1' }])
})

test('sign-in events carry user and session, failed ones the reason and never the typed name', async () => {
  const { events } = server.app.identity
  const person = await server.register()
  const [succeeded, failed] = [heard(events, 'signInSucceeded'), heard(events, 'signInFailed')]
  await server.signIn(person)
  await server.call('POST', '/account/login', { json: { ...person, password: 'wrong-Password-1' } })
  await server.call('POST', '/account/login', { json: { email: 'my-password@example.com', password: 'x' } })
  const { id } = (await users.findByName(person.email))!
  const [session] = await server.app.identity.sessions.list(id)
  assert.deepEqual(succeeded, [{ userId: id, sessionId: session!.id, method: 'password' }])
  assert.deepEqual(failed, [
    { userId: id, reason: 'Failed' },
    { userId: null, reason: 'Failed' },
  ])
})
