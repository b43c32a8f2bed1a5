// Ends are known on every instance: one event each with its cause, signals of connections, and the answer to isLive.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { requireAuthorization, type SessionEndCause } from '../../src/index.js'
import { createClock } from '../../src/testing/index.js'
import { goodPassword, startApp, type TestApp } from '../support/app.js'
import { heard, until } from '../support/instances.js'
import { uniqueSchema } from '../support/postgres.js'

const clock = createClock()
const signals = new Map<string, AbortSignal>()

async function twins(): Promise<[TestApp, TestApp]> {
  const identity = { schema: uniqueSchema(), clock, sessions: { absoluteSeconds: 86_400 } }
  const after = (host: TestApp['app']) =>
    host.get('/stay', { onRequest: requireAuthorization() }, ({ identity: principal }) => {
      signals.set(principal!.sessionId, principal!.signal)
      return { sessionId: principal!.sessionId }
    })
  return [await startApp({ identity, after }), await startApp({ identity, after })]
}

const stay = async (app: TestApp, token: string) =>
  ((await app.call('GET', '/stay', { token })).json() as { sessionId: string }).sessionId

test('each end is reported on both instances, once, with its cause; its signal fires and it is not live any more', async (t) => {
  const [app, twin] = await twins()
  t.after(() => Promise.all([app.close(), twin.close()]))
  const { users, sessions, signIn } = app.app.identity
  const seen = [app, twin].map((instance) => heard(instance.app.identity.events, 'sessionsEnded'))
  type Event = { readonly sessionIds: readonly string[]; readonly cause: SessionEndCause }
  const ends: [SessionEndCause, (email: string, sessionId: string, token: string) => Promise<unknown>][] = [
    ['signOut', (_email, _id, token) => app.call('POST', '/account/logout', { token })],
    ['signOut', (_email, id) => signIn.signOut(id)],
    ['revoked', (_email, id) => sessions.revoke(id)],
    ['passwordChanged', async (email) => users.removePassword((await users.findByName(email))!)],
    ['twoFactorChanged', async (email) => users.setTwoFactorEnabled((await users.findByName(email))!, true)],
    ['stampChanged', async (email) => users.updateSecurityStamp((await users.findByName(email))!)],
    ['locked', async (email) => users.lock((await users.findByName(email))!)],
    ['deleted', async (email) => users.delete((await users.findByName(email))!)],
    [
      'passwordReset',
      async (email) => {
        const user = (await users.findByName(email))!
        await users.resetPassword(user, users.generatePasswordResetToken(user), `${goodPassword}-2`)
      },
    ],
  ]
  const expected: Event[] = []
  for (const [cause, end] of ends) {
    const { email, accessToken } = await app.signIn()
    const id = await stay(twin, accessToken)
    const signal = signals.get(id)!
    assert.ok(!signal.aborted && twin.app.identity.sessions.isLive(id) && app.app.identity.sessions.isLive(id))
    await end(email, id, accessToken)
    assert.ok(!app.app.identity.sessions.isLive(id))
    await until(() => signal.aborted)
    assert.ok(!twin.app.identity.sessions.isLive(id))
    assert.equal((await twin.call('GET', '/stay', { token: accessToken })).status, 401)
    expected.push({ sessionIds: [id], cause })
  }
  const { accessToken } = await app.signIn()
  const last = await stay(twin, accessToken)
  clock.advance(86_400)
  expected.push({ sessionIds: [last], cause: 'expired' })
  assert.ok(!twin.app.identity.sessions.isLive(last))
  await until(() => signals.get(last)!.aborted && seen.every((events) => events.length === expected.length))
  for (const events of seen) assert.deepEqual(events, expected)
})

test('what is no id of a session is not live', async (t) => {
  const app = await startApp()
  t.after(() => app.close())
  for (const id of ['', 'nonsense', randomUUID(), '00000000-0000-7000-8000-000000000000'])
    assert.equal(app.app.identity.sessions.isLive(id), false)
})

test('an instance that starts reports no end of before, and refuses what has ended', async (t) => {
  const schema = uniqueSchema()
  const app = await startApp({ identity: { schema, clock } })
  t.after(() => app.close())
  const { accessToken } = await app.signIn()
  await app.call('POST', '/account/logout', { token: accessToken })
  const twin = await startApp({ identity: { schema, clock } })
  t.after(() => twin.close())
  const seen = heard(twin.app.identity.events, 'sessionsEnded')
  const { accessToken: later } = await app.signIn()
  await app.call('POST', '/account/logout', { token: later })
  await until(() => seen.length > 0)
  assert.equal(seen.length, 1)
  assert.equal((await twin.call('GET', '/account/manage/info', { token: accessToken })).status, 401)
})
