// Option sessions.idleSeconds: what is used goes on, on whatever instance; what is not ends, and its refresh token with
// it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { unusedSeconds } from '../../../src/accounts/sessions/idle.js'
import { createClock } from '../../../src/testing/index.js'
import { startApp, type TestApp } from '../../support/app.js'
import { heard, until } from '../../support/instances.js'
import { uniqueSchema } from '../../support/postgres.js'

const sessions = { idleSeconds: 20 }

async function lastSeen(app: TestApp): Promise<number> {
  const [row] = await app.sql('select last_seen_at from sessions')
  return new Date(String(row?.last_seen_at)).getTime()
}

test('a session that one instance uses goes on at the other, and ends on both once none uses it', async (t) => {
  const [schema, clock] = [uniqueSchema(), createClock()]
  const app = await startApp({ identity: { schema, clock, sessions } })
  const twin = await startApp({ identity: { schema, clock, sessions } })
  t.after(() => Promise.all([app.close(), twin.close()]))
  const ends = heard(twin.app.identity.events, 'sessionsEnded')
  const { accessToken: token } = await app.signIn()
  const use = async () => (await twin.call('GET', '/account/manage/info', { token })).status
  for (let time = 0; time < 5; time++) {
    clock.advance(15)
    assert.equal(await use(), 200)
    // Written down by the twin.
    await until(async () => (await lastSeen(app)) === clock())
  }
  assert.deepEqual(ends, [])
  const [session] = await app.app.identity.sessions.list((await app.app.identity.users.list()).users[0]!.id)
  clock.advance(22)
  await until(() => ends.length > 0)
  assert.deepEqual(ends, [{ sessionIds: [session!.id], cause: 'expired' }])
  assert.equal(await use(), 401)
  // The other instance learns it with its next poll.
  await until(async () => (await app.call('GET', '/account/manage/info', { token })).status === 401)
})

test('a refresh and a validation of a cookie are uses, and come too late one tick after the limit', async (t) => {
  const clock = createClock()
  // No use but that of the call is written down: the interval is 30 seconds of real time.
  const app = await startApp({
    identity: { clock, sessions: { idleSeconds: 12_000 }, securityStamp: { validationSeconds: 0 } },
  })
  t.after(() => app.close())
  const limit = unusedSeconds(12_000)
  let { refreshToken } = await app.signIn()
  const { cookie } = await app.signInWithCookie()
  const refresh = () => app.call('POST', '/account/refresh', { json: { refreshToken } })
  const info = () => app.call('GET', '/account/manage/info', { cookie })
  for (let time = 0; time < 2; time++) {
    clock.advance(limit - 1)
    const answer = await refresh()
    assert.equal(answer.status, 200)
    refreshToken = (answer.json() as { refreshToken: string }).refreshToken
    assert.equal((await info()).status, 200)
  }
  clock.advance(limit)
  assert.equal((await refresh()).status, 401)
  assert.equal((await info()).status, 401)
})

test('the list leaves out what has been unused for too long', async (t) => {
  const clock = createClock()
  const app = await startApp({ identity: { clock, sessions: { idleSeconds: 12_000 } } })
  t.after(() => app.close())
  const person = await app.register()
  await app.signIn(person)
  const { id } = (await app.app.identity.users.findByName(person.email))!
  clock.advance(unusedSeconds(12_000) - 1)
  assert.equal((await app.app.identity.sessions.list(id)).length, 1)
  clock.advance(1)
  assert.equal((await app.app.identity.sessions.list(id)).length, 0)
})
