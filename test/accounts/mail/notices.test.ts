// Security notices: their contents, recipients and number, and that a mail and its cause happen together or not at
// all.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import type { IdentityOptions, MailMessage, SecurityNotice, User } from '../../../src/index.js'
import { securityNotices } from '../../../src/email/messages.js'
import { password, refresh, signIn, startApp, startTwins, tally, tokensOf, until } from '../../support/instances.js'
import { databaseUrl, uniqueSchema } from '../../support/postgres.js'
import { SmtpServer } from '../../support/smtp-server.js'

const publicUrl = 'https://id.example.com'
const address = 'ann@example.com'

/** Options that keep every message in `messages`, and time that the test moves. */
function mailing(more: IdentityOptions = {}) {
  const messages: MailMessage[] = []
  let now = Date.now()
  const options: IdentityOptions = {
    publicUrl,
    schema: uniqueSchema(),
    clock: () => now,
    notices: securityNotices,
    email: {
      send(message) {
        messages.push(message)
        return Promise.resolve()
      },
    },
    ...more,
  }
  return {
    messages,
    options,
    pass: (seconds: number) => {
      now += seconds * 1000
    },
  }
}

async function ann(app: FastifyInstance, members: Partial<User> = {}): Promise<User> {
  const created = await app.identity.users.create(
    { userName: address, email: address, emailConfirmed: true, ...members },
    password,
  )
  assert.ok(created.succeeded)
  return created.user
}

/** A refresh token that was used, whose time of grace is over. */
async function usedToken(app: FastifyInstance, pass: (seconds: number) => void): Promise<string> {
  const { refreshToken } = await signIn(app, address)
  tokensOf(await refresh(app, refreshToken))
  pass(31)
  return refreshToken
}

type Deed = (app: FastifyInstance, user: User, pass: (seconds: number) => void) => Promise<unknown>

const deeds: readonly [what: string, notice: SecurityNotice, act: Deed][] = [
  [
    'a used refresh token that comes back',
    'refreshTokenReused',
    async (app, _user, pass) => refresh(app, await usedToken(app, pass)),
  ],
  [
    'a change of the password',
    'passwordChanged',
    ({ identity: { users } }, user) => users.changePassword(user, password, 'Another-horse-1'),
  ],
  [
    'a reset of the password',
    'passwordChanged',
    ({ identity: { users } }, user) =>
      users.resetPassword(user, users.generatePasswordResetToken(user), 'Another-horse-1'),
  ],
  ['taking the password away', 'passwordChanged', ({ identity: { users } }, user) => users.removePassword(user)],
  [
    'another address',
    'emailChanged',
    ({ identity: { users } }, user) =>
      users.changeEmail(user, 'new@example.com', users.generateChangeEmailToken(user, 'new@example.com')),
  ],
  [
    'an address that an administrator sets',
    'emailChanged',
    ({ identity: { users } }, user) => users.setEmail(user, 'new@example.com'),
  ],
  [
    'switching the second factor on',
    'twoFactorChanged',
    ({ identity: { users } }, user) => users.setTwoFactorEnabled(user, true),
  ],
  [
    'a recovery code',
    'recoveryCodeUsed',
    async ({ identity: { users } }, user) => {
      const [code] = await users.generateNewTwoFactorRecoveryCodes(user, 2)
      const results = await Promise.all(Array.from({ length: 5 }, () => users.redeemTwoFactorRecoveryCode(user, code!)))
      assert.deepEqual(tally(results.map(({ succeeded }) => String(succeeded))), { true: 1, false: 4 })
    },
  ],
]

for (const [what, notice, act] of deeds) {
  test(`${what} is mailed once to the address from before, where '${notice}' is named, and else not`, async (t) => {
    const named = mailing({ notices: [notice] })
    const app = await startApp(t, named.options)
    await act(app, await ann(app), named.pass)
    await app.identity.mail.flush()
    assert.deepEqual(
      named.messages.map(({ to, subject }) => [to, subject]),
      [[address, 'Security notice']],
    )

    const others = mailing({ notices: securityNotices.filter((name) => name !== notice) })
    const quiet = await startApp(t, others.options)
    await act(quiet, await ann(quiet), others.pass)
    await quiet.identity.mail.flush()
    assert.deepEqual(others.messages, [])
  })

  test(`${what} is not mailed by default, nor to an address that nobody has confirmed`, async (t) => {
    for (const [more, members] of [
      [{ notices: undefined }, {}],
      [{}, { emailConfirmed: false }],
    ] as const) {
      const { options, messages, pass } = mailing(more as IdentityOptions)
      const app = await startApp(t, options)
      await act(app, await ann(app, members), pass)
      await app.identity.mail.flush()
      assert.deepEqual(messages, [])
    }
  })
}

test('switching off what is off, and setting the address that is set, are not mailed; taking a second factor away is', async (t) => {
  const { options, messages } = mailing()
  const app = await startApp(t, options)
  const { users } = app.identity
  const user = await ann(app)
  await users.setTwoFactorEnabled(user, false)
  await users.resetSecondFactor(user)
  await users.setEmail(user, address)
  await app.identity.mail.flush()
  assert.deepEqual(messages, [])
  const other = await users.create({
    userName: 'bob',
    email: 'bob@example.com',
    emailConfirmed: true,
    twoFactorEnabled: true,
  })
  assert.ok(other.succeeded)
  await users.resetSecondFactor(other.user)
  await app.identity.mail.flush()
  assert.deepEqual(
    messages.map(({ to }) => to),
    ['bob@example.com'],
  )
})

test('a recovery code at login is mailed, and a wrong one is not', async (t) => {
  const { options, messages } = mailing()
  const app = await startApp(t, options)
  const { users } = app.identity
  const user = await ann(app)
  await users.resetAuthenticatorKey(user)
  await users.setTwoFactorEnabled(user, true)
  const [code] = await users.generateNewTwoFactorRecoveryCodes(user, 1)
  await app.identity.mail.flush()
  messages.length = 0
  const loginWith = async (twoFactorRecoveryCode: string) =>
    (await app.inject({ method: 'POST', url: '/login', payload: { email: address, password, twoFactorRecoveryCode } }))
      .statusCode
  assert.deepEqual([await loginWith('AAAAA-AAAAA'), await loginWith(code!), await loginWith(code!)], [401, 200, 401])
  await app.identity.mail.flush()
  assert.equal(messages.length, 1)
  assert.match(messages[0]!.text, /recovery code/)
})

test('replays that two instances see at the same moment are mailed once', async (t) => {
  const { options, messages, pass } = mailing()
  const [one, two] = await startTwins(t, options)
  await ann(one)
  for (let round = 1; round <= 20; round++) {
    const token = await usedToken(one, pass)
    const answers = await Promise.all([one, two, one, two].map((app) => refresh(app, token)))
    assert.deepEqual(tally(answers.map(({ status }) => status)), { 401: 4 })
    await Promise.all([one.identity.mail.flush(), two.identity.mail.flush()])
    assert.equal(messages.length, round)
  }
})

test('a notice waits for a mail server that is down, and the change does not', async (t) => {
  const smtp = await new SmtpServer().start()
  t.after(() => smtp.stop())
  const { options, pass } = mailing({ email: smtp.url })
  const app = await startApp(t, options)
  await ann(app)
  const token = await usedToken(app, pass)
  await smtp.stop()
  assert.equal((await refresh(app, token)).status, 401)
  await smtp.start()
  await app.identity.mail.flush()
  assert.deepEqual(
    smtp.mails.map(({ to }) => to),
    [[address]],
  )
  assert.match(smtp.mails[0]!.text, /an old token of it came back/)
})

test('a change that a hook rolls back is not mailed', async (t) => {
  const { options, messages } = mailing({
    hooks: {
      passwordChanged() {
        throw new Error('no')
      },
    },
  })
  const app = await startApp(t, options)
  const user = await ann(app)
  await assert.rejects(app.identity.users.changePassword(user, password, 'Another-horse-1'), /no/)
  await app.identity.mail.flush()
  assert.deepEqual(messages, [])
})

test('where the mail cannot be written, its cause is undone', async (t) => {
  const { options, pass } = mailing()
  const app = await startApp(t, options)
  const user = await ann(app)
  const token = await usedToken(app, pass)
  const client = new pg.Client({ connectionString: await databaseUrl(), options: `-c search_path=${options.schema!}` })
  await client.connect()
  t.after(() => client.end())
  await client.query(
    'create function refuse() returns trigger language plpgsql as $$ begin raise exception $a$no$a$; end $$',
  )
  await client.query('create trigger refuse before insert on outbox for each row execute function refuse()')
  assert.equal((await refresh(app, token)).status, 500)
  assert.equal((await app.identity.sessions.list(user.id)).length, 1)
  await client.query('drop trigger refuse on outbox')
  assert.equal((await refresh(app, token)).status, 401)
  assert.equal((await app.identity.sessions.list(user.id)).length, 0)
})

test("in a host's transaction the mail shares its fate", async (t) => {
  const { options, messages } = mailing()
  const app = await startApp(t, options)
  const user = await ann(app)
  const db = new Kysely({
    dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: await databaseUrl(), max: 1 }) }),
  })
  t.after(() => db.destroy())
  const change = (isMeant: boolean) =>
    db.transaction().execute(async (trx) => {
      const { succeeded } = await app.identity.users.withTransaction(trx).setTwoFactorEnabled({ ...user }, true)
      assert.ok(succeeded)
      if (!isMeant) throw new Error('undone')
    })
  await assert.rejects(change(false), /undone/)
  await app.identity.mail.flush()
  assert.deepEqual(messages, [])
  await change(true)
  await until(() => messages.length === 1)
})

test('no token, code, password or link is in a notice', async (t) => {
  const { options, messages, pass } = mailing()
  const app = await startApp(t, options)
  const secrets: string[] = [password, 'Another-horse-1', publicUrl, 'new@example.com']
  const { users } = app.identity
  const user = await ann(app)
  const token = await usedToken(app, pass)
  await refresh(app, token)
  const [code] = await users.generateNewTwoFactorRecoveryCodes(user, 1)
  await users.redeemTwoFactorRecoveryCode(user, code!)
  const reset = users.generatePasswordResetToken(user)
  await users.resetPassword(user, reset, 'Another-horse-1')
  await users.setTwoFactorEnabled(user, true)
  const change = users.generateChangeEmailToken(user, 'new@example.com')
  await users.changeEmail(user, 'new@example.com', change)
  secrets.push(token, code!, reset, change, user.securityStamp, user.id)
  await app.identity.mail.flush()
  assert.equal(messages.length, securityNotices.length)
  for (const message of messages) {
    for (const secret of secrets) assert.ok(!JSON.stringify(message).includes(secret), secret)
    assert.doesNotMatch(message.html, /<|https?:/)
  }
})

test("a host's own sender gets the user, the address and the name of the notice", async (t) => {
  const calls: unknown[][] = []
  const never = () => Promise.reject(new Error('not asked for'))
  const { options } = mailing({
    email: {
      sendConfirmationLink: never,
      sendPasswordResetLink: never,
      sendPasswordResetCode: never,
      sendSecurityNotice(...call) {
        calls.push(call)
        return Promise.resolve()
      },
    },
  })
  const app = await startApp(t, options)
  const user = await ann(app)
  await app.identity.users.setEmail(user, 'new@example.com')
  await app.identity.mail.flush()
  assert.deepEqual(calls, [[{ id: user.id, userName: address, email: address }, address, 'emailChanged']])
})
