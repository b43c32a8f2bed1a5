// An administrator keeps somebody out by `lockoutEnd`. Unlike in the reference, what they hold already is good for
// nothing either.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expectChallenge, expectTokenRefused, type TestApp, withApp } from '../../support/app.js'

async function lock(app: TestApp, email: string, seconds: number): Promise<void> {
  const user = await app.app.identity.users.findByName(email)
  user!.lockoutEnd = new Date(app.clock() + seconds * 1000)
  assert.deepEqual(await app.app.identity.users.update(user!), { succeeded: true })
}

const info = (app: TestApp, by: { token: string } | { cookie: string }) => app.call('GET', '/account/manage/info', by)
const refresh = (app: TestApp, refreshToken: string) => app.call('POST', '/account/refresh', { json: { refreshToken } })

test('a user whom an administrator locks is refused at once, with all sessions, and can sign in again when the lock is over', () =>
  withApp({}, async (app) => {
    const person = await app.signIn()
    const { cookie } = await app.signInWithCookie(person)
    const stranger = await app.signIn()
    await lock(app, person.email, 60)
    expectTokenRefused(await info(app, { token: person.accessToken }))
    assert.equal((await info(app, { cookie })).status, 401)
    expectChallenge(await refresh(app, person.refreshToken))
    const signIn = { json: { email: person.email, password: person.password } }
    assert.match((await app.call('POST', '/account/login', signIn)).body, /LockedOut/)
    assert.equal((await info(app, { token: stranger.accessToken })).status, 200)
    // The lock's last millisecond is part of it.
    app.clock.advance(60)
    assert.match((await app.call('POST', '/account/login', signIn)).body, /LockedOut/)
    app.clock.advance(0.001)
    assert.equal((await app.call('POST', '/account/login', signIn)).status, 200)
    // What has ended stays ended.
    expectChallenge(await refresh(app, person.refreshToken))
  }))

test('a lock that was written past the plugin is seen with the next refresh and the next validation of a cookie', () =>
  withApp({}, async (app) => {
    const person = await app.signIn()
    const { cookie } = await app.signInWithCookie(person)
    await app.sql('update users set lockout_end = $1', [new Date(app.clock() + 86_400_000)])
    expectChallenge(await refresh(app, person.refreshToken))
    app.clock.advance(1800)
    assert.equal((await info(app, { cookie })).status, 401)
  }))

test('a lock of the past, and one of a user who cannot be locked, end nothing', () =>
  withApp({ identity: { lockout: { allowedForNewUsers: false } } }, async (app) => {
    const person = await app.signIn()
    await lock(app, person.email, 60)
    assert.equal((await info(app, { token: person.accessToken })).status, 200)
    await app.sql('update users set lockout_enabled = true, lockout_end = null')
    await lock(app, person.email, -1)
    assert.equal((await info(app, { token: person.accessToken })).status, 200)
    assert.equal((await refresh(app, person.refreshToken)).status, 200)
  }))
