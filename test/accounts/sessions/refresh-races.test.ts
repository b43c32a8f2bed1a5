// A refresh at the very moment at which its session is to end (security RF-05): whichever comes first, no token that it
// made works once the end was answered, here at once and on another instance as soon as that has heard of it. Two
// hundred rounds of each.
import assert from 'node:assert/strict'
import type { FastifyInstance } from 'fastify'
import { test, type TestContext } from 'node:test'
import {
  guarded,
  login,
  logout,
  password,
  refresh,
  register,
  signIn,
  startTwins,
  type Tokens,
  tokensOf,
  until,
} from '../../support/instances.js'

const rounds = 200
const email = 'alice@example.com'

async function alice(app: FastifyInstance) {
  const user = await app.identity.users.findByName(email)
  assert.ok(user)
  return user
}

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/**
 * `prepare` brings what the end needs; the end itself is one call. The one that came first begins a millisecond later
 * in the next round, so that the rounds stay where both are equally fast, however busy the machine is.
 */
async function race(
  t: TestContext,
  prepare: (app: FastifyInstance, pair: Tokens) => Promise<() => Promise<boolean>>,
): Promise<void> {
  const [app, twin] = await startTwins(t)
  await register(app, email)
  const survivors: string[] = []
  let head = 0
  for (let round = 0; round < rounds; round++) {
    const pair = await signIn(app, email)
    const end = await prepare(app, pair)
    const where = round % 2 === 0 ? twin : app
    const [ended, refreshed] = await Promise.all([
      sleep(Math.max(0, head)).then(end),
      sleep(Math.max(0, -head)).then(() => refresh(where, pair.refreshToken)),
    ])
    assert.equal(ended, true)
    assert.equal((await refresh(twin, pair.refreshToken)).status, 401)
    assert.equal((await guarded(app, pair.accessToken)).status, 401)
    head += refreshed.status === 401 ? 1 : -1
    if (refreshed.status === 401) continue
    const successor = tokensOf(refreshed)
    assert.equal((await guarded(app, successor.accessToken)).status, 401)
    for (const one of [app, twin]) assert.equal((await refresh(one, successor.refreshToken)).status, 401)
    survivors.push(successor.accessToken)
  }
  for (const token of survivors) await until(async () => (await guarded(twin, token)).status === 401)
  t.diagnostic(`${survivors.length} of ${rounds} refreshes came first`)
  assert.ok(survivors.length > 0 && survivors.length < rounds)
}

test('a reset of the password that races a refresh leaves no token that works', async (t) => {
  await race(t, async (app) => {
    const user = await alice(app)
    const code = app.identity.users.generatePasswordResetToken(user)
    return async () => (await app.identity.users.resetPassword(user, code, password)).succeeded
  })
})

test('a lock by an administrator that races a refresh leaves no token that works', async (t) => {
  await race(t, async (app) => {
    const user = await alice(app)
    user.lockoutEnd = new Date(Date.now() + 3_600_000)
    return async () => {
      const { succeeded } = await app.identity.users.update(user)
      // For the next round.
      user.lockoutEnd = null
      return succeeded && (await app.identity.users.update(user)).succeeded
    }
  })
})

test('a logout, and an end of all sessions by an administrator, that races a refresh leaves no token that works', async (t) => {
  let round = 0
  await race(t, async (app, pair) => {
    const { id } = await alice(app)
    return ++round % 2 === 0
      ? async () => (await logout(app, pair.accessToken)).status === 200
      : async () => (await app.identity.sessions.revokeAll(id)) === 1
  })
})

test('of a user who was deleted and registers again nothing old works, and the id is another', async (t) => {
  const [app, twin] = await startTwins(t)
  await register(app, email)
  const old = await alice(app)
  const pair = await signIn(app, email)
  const code = app.identity.users.generatePasswordResetToken(old)
  assert.ok((await app.identity.users.delete(old)).succeeded)
  await register(app, email)
  const young = await alice(app)
  assert.notEqual(young.id, old.id)
  assert.equal((await guarded(app, pair.accessToken)).status, 401)
  for (const one of [app, twin]) assert.equal((await refresh(one, pair.refreshToken)).status, 401)
  await until(async () => (await guarded(twin, pair.accessToken)).status === 401)
  assert.equal((await app.identity.users.resetPassword(young, code, 'Another-horse-1')).succeeded, false)
  assert.equal((await login(twin, email)).status, 200)
})
