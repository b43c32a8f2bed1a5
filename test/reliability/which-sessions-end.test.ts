// Which sessions a change ends, cell by cell: made on one instance, seen on another, with PgBouncer in transaction mode
// between. Each session is tried by its access token or cookie, and then by its refresh or the validation of its
// cookie.
import assert from 'node:assert/strict'
import { after, test, type TestContext } from 'node:test'
import { requireAuthorization, type User } from '../../src/index.js'
import { createClock } from '../../src/testing/index.js'
import { goodPassword, startApp, type TestApp } from '../support/app.js'
import { authenticatorOf } from '../support/authenticator.js'
import { until } from '../support/instances.js'
import { startPgbouncer, withoutPgbouncer } from '../support/pgbouncer.js'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'

type Scheme = 'bearer' | 'cookie'

/** Of both instances and of their database. */
const clock = createClock()

interface Session {
  readonly scheme: Scheme
  readonly token?: string
  readonly refreshToken?: string
  readonly cookie?: string
}

interface Change {
  readonly own: 'stays' | 'ends'
  readonly others: 'stay' | 'end'
  /** Makes a user ready for the change, before the sign-ins. */
  readonly prepare?: (app: TestApp, user: User) => Promise<unknown>
  readonly change: (app: TestApp, user: User, own: Session) => Promise<unknown>
}

const manage = async (app: TestApp, own: Session, url: string, json: object) => {
  const answer = await app.call('POST', `/account${url}`, {
    ...by(own),
    json,
    headers: { 'sec-fetch-site': 'same-origin' },
  })
  assert.equal(answer.status, 200, answer.body)
  return answer
}
const by = ({ token, cookie }: Session) => (token === undefined ? { cookie: cookie! } : { token })
const ownId = async (app: TestApp, own: Session) => {
  const answer = await app.call('GET', '/me', by(own))
  return (answer.json() as { sessionId: string }).sessionId
}
const done = async (result: Promise<{ readonly succeeded: boolean }>) =>
  assert.deepEqual(await result, { succeeded: true })
const codeOf = async (app: TestApp, user: User) =>
  authenticatorOf((await app.app.identity.users.getAuthenticatorKey(user))!, clock).code()
const passkey = {
  publicKey: Buffer.of(1),
  name: null,
  createdAt: new Date(0),
  signCount: 0,
  transports: [],
  isUserVerified: true,
  isBackupEligible: false,
  isBackedUp: false,
  attestationObject: Buffer.of(2),
  clientDataJson: Buffer.of(3),
}

const ownChange = { own: 'stays', others: 'end' } as const
const all = { own: 'ends', others: 'end' } as const
const none = { own: 'stays', others: 'stay' } as const

const changes: Readonly<Record<string, Change>> = {
  'one changes the own password': {
    ...ownChange,
    change: (app, _, own) =>
      manage(app, own, '/manage/info', { oldPassword: goodPassword, newPassword: `${goodPassword}-2` }),
  },
  'one switches the second factor on': {
    ...ownChange,
    prepare: ({ app }, user) => app.identity.users.resetAuthenticatorKey(user),
    change: async (app, user, own) =>
      manage(app, own, '/manage/2fa', { enable: true, twoFactorCode: await codeOf(app, user) }),
  },
  'one switches the second factor off': {
    ...ownChange,
    change: (app, _, own) => manage(app, own, '/manage/2fa', { enable: false }),
  },
  'one resets the key of the app': {
    ...ownChange,
    prepare: ({ app }, user) => app.identity.users.resetAuthenticatorKey(user),
    change: (app, _, own) => manage(app, own, '/manage/2fa', { resetSharedKey: true }),
  },
  'a login is removed': {
    ...ownChange,
    prepare: ({ app }, user) => app.identity.users.addLogin(user, { loginProvider: 'google', providerKey: user.id }),
    change: async (app, user, own) =>
      done(app.app.identity.users.removeLogin(user, 'google', user.id, { keepSessionId: await ownId(app, own) })),
  },
  'a passkey is removed': {
    ...ownChange,
    prepare: ({ app }, user) =>
      app.identity.users.addOrUpdatePasskey(user, { ...passkey, credentialId: Buffer.from(user.id) }),
    change: async (app, user, own) =>
      done(app.app.identity.users.removePasskey(user, Buffer.from(user.id), { keepSessionId: await ownId(app, own) })),
  },
  'the password is reset': {
    ...all,
    change: ({ app }, user) =>
      done(
        app.identity.users.resetPassword(
          user,
          app.identity.users.generatePasswordResetToken(user),
          `${goodPassword}-3`,
        ),
      ),
  },
  'the host rotates the stamp': {
    ...all,
    change: ({ app }, user) => done(app.identity.users.updateSecurityStamp(user)),
  },
  'the user is locked': { ...all, change: ({ app }, user) => done(app.identity.users.lock(user)) },
  'the user is deleted': { ...all, change: ({ app }, user) => done(app.identity.users.delete(user)) },
  'a phone number is set': {
    ...none,
    change: ({ app }, user) => done(app.identity.users.setPhoneNumber(user, '+43 1')),
  },
  'the address is changed': {
    ...none,
    change: ({ app }, user) =>
      done(
        app.identity.users.changeEmail(
          user,
          `x${user.email}`,
          app.identity.users.generateChangeEmailToken(user, `x${user.email}`),
        ),
      ),
  },
  'the name is changed': {
    ...none,
    change: ({ app }, user) => done(app.identity.users.setUserName(user, `x-${user.id}`)),
  },
  'the profile is changed': { ...none, change: ({ app }, user) => done(app.identity.users.update(user)) },
  'a login is added': {
    ...none,
    change: ({ app }, user) =>
      done(app.identity.users.addLogin(user, { loginProvider: 'github', providerKey: user.id })),
  },
  'a passkey is added': {
    ...none,
    change: ({ app }, user) =>
      done(app.identity.users.addOrUpdatePasskey(user, { ...passkey, credentialId: Buffer.from(user.id) })),
  },
  'a role is given': { ...none, change: ({ app }, user) => done(app.identity.users.addToRole(user, 'clerk')) },
  'another login stores the password under a better hash': {
    ...none,
    async change(app, user) {
      const [before] = await app.sql('select security_stamp from users where id = $1', [user.id])
      await app.sql('update users set password_hash = $2 where id = $1', [user.id, await weakHash()])
      await app.signIn({ email: user.email!, password: goodPassword })
      const [after] = await app.sql('select security_stamp from users where id = $1', [user.id])
      assert.notEqual(after!.security_stamp, before!.security_stamp)
    },
  },
  'one logs out': { own: 'ends', others: 'stay', change: (app, _, own) => manage(app, own, '/logout', {}) },
  'one logs the others out': { ...ownChange, change: (app, _, own) => manage(app, own, '/logout?scope=others', {}) },
  'one logs out everywhere': { ...all, change: (app, _, own) => manage(app, own, '/logout?scope=all', {}) },
}

// Made by an instance whose hashes cost less.
let cheaper: TestApp | undefined
async function weakHash(): Promise<unknown> {
  cheaper ??= await startApp({ identity: { password: { hasher: { memoryKiB: 32, iterations: 1 } } } })
  const { email } = await cheaper.register({ password: goodPassword })
  const [row] = await cheaper.sql('select password_hash from users where user_name = $1', [email])
  return row!.password_hash
}
after(() => cheaper?.close())

async function place(t: TestContext): Promise<[TestApp, TestApp]> {
  const options = {
    // Where PgBouncer is not installed, the same without it.
    database: withoutPgbouncer === false ? await startPgbouncer(t, await databaseUrl()) : await databaseUrl(),
    schema: uniqueSchema(),
    clock,
    securityStamp: { validationSeconds: 60 },
  }
  const routes = (host: TestApp['app']) =>
    host.get('/me', { onRequest: requireAuthorization() }, (request) => ({ sessionId: request.identity?.sessionId }))
  const apps: TestApp[] = []
  for (let count = 0; count < 2; count++) {
    const app = await startApp({ identity: options, after: routes })
    t.after(() => app.close())
    apps.push(app)
  }
  await apps[0]!.app.identity.roles.create('clerk')
  return apps as [TestApp, TestApp]
}

async function open(app: TestApp, email: string, scheme: Scheme): Promise<Session> {
  const person = { email, password: goodPassword }
  if (scheme === 'cookie') return { scheme, cookie: (await app.signInWithCookie(person)).cookie }
  const { accessToken, refreshToken } = await app.signIn(person)
  return { scheme, token: accessToken, refreshToken }
}

/** By access token or cookie, and then by the way to a new one. */
async function statusesOf(app: TestApp, session: Session): Promise<number[]> {
  const first = (await app.call('GET', '/me', by(session))).status
  if (session.scheme === 'bearer') {
    const { refreshToken } = session
    return [first, (await app.call('POST', '/account/refresh', { json: { refreshToken } })).status]
  }
  return [first]
}

test(
  'each change ends the sessions it should, on every instance, and no other',
  { skip: withoutPgbouncer },
  async (t) => {
    const [app, twin] = await place(t)
    for (const [name, { own, others, prepare, change }] of Object.entries(changes)) {
      for (const scheme of ['bearer', 'cookie'] as const) {
        await t.test(`${name}: the session of the change, by ${scheme}, ${own}, the others ${others}`, async () => {
          const { email } = await app.register()
          const find = async () => (await app.app.identity.users.findByName(email))!
          await prepare?.(app, await find())
          const mine = await open(app, email, scheme)
          const elsewhere = [await open(app, email, 'bearer'), await open(app, email, 'cookie')]
          await change(app, await find(), mine)
          // What the twin has read when its polls know of a later end, they have read of the change too.
          const marker = await app.signIn()
          const { id: markerId } = (await app.app.identity.users.findByName(marker.email))!
          const [live] = await app.app.identity.sessions.list(markerId)
          await app.call('POST', '/account/logout', { token: marker.accessToken })
          await until(() => !twin.app.identity.sessions.isLive(live!.id))

          const expected = (stays: boolean, session: Session) =>
            session.scheme === 'bearer' ? [stays ? 200 : 401, stays ? 200 : 401] : [stays ? 200 : 401]
          assert.deepEqual(await statusesOf(twin, mine), expected(own === 'stays', mine))
          for (const session of elsewhere)
            assert.deepEqual(await statusesOf(twin, session), expected(others === 'stay', session))
          clock.advance(61)
          const validated = [mine, ...elsewhere].filter((session) => session.scheme === 'cookie')
          for (const session of validated) {
            const stays = session === mine ? own === 'stays' : others === 'stay'
            assert.deepEqual(await statusesOf(twin, session), expected(stays, session), 'at its validation')
          }
        })
      }
    }
  },
)

test("a used refresh token that comes back ends all sessions of its user, and nobody else's", async (t) => {
  const app = await startApp({
    after: (host) => host.get('/me', { onRequest: requireAuthorization() }, () => ({})),
  })
  t.after(() => app.close())
  const { email } = await app.register()
  const [replayed, bearer, cookie] = [
    await open(app, email, 'bearer'),
    await open(app, email, 'bearer'),
    await open(app, email, 'cookie'),
  ]
  const stranger = await app.signIn()
  const refresh = () => app.call('POST', '/account/refresh', { json: { refreshToken: replayed.refreshToken } })
  assert.equal((await refresh()).status, 200)
  app.clock.advance(31)
  assert.equal((await refresh()).status, 401)
  assert.deepEqual(await statusesOf(app, replayed), [401, 401])
  assert.deepEqual(await statusesOf(app, bearer), [401, 401])
  assert.deepEqual(await statusesOf(app, cookie), [401])
  assert.equal((await app.call('GET', '/me', { token: stranger.accessToken })).status, 200)
})

test('a stamp that SQL has changed ends a session at its refresh and at the validation of its cookie', async (t) => {
  const app = await startApp({
    identity: { securityStamp: { validationSeconds: 60 } },
    after: (host) => host.get('/me', { onRequest: requireAuthorization() }, () => ({})),
  })
  t.after(() => app.close())
  const { email } = await app.register()
  const [bearer, cookie] = [await open(app, email, 'bearer'), await open(app, email, 'cookie')]
  await app.sql("update users set security_stamp = 'ANOTHERSTAMPANOTHERSTAMPANOTHERS'")
  app.clock.advance(59)
  assert.deepEqual(await statusesOf(app, cookie), [200])
  assert.deepEqual(await statusesOf(app, bearer), [200, 401])
  app.clock.advance(1)
  assert.deepEqual(await statusesOf(app, cookie), [401])
  assert.deepEqual(await app.sql('select id from sessions'), [])
})
