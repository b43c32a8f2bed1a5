// Keys that turn: by the clock, by hand, by those who keep them elsewhere, and the root secret that wraps them.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import pg from 'pg'
import { openKeys } from '../../../src/accounts/keys/key-manager.js'
import type { IdentityOptions } from '../../../src/index.js'
import { connect, type Connection } from '../../../src/store/connect.js'
import { createClock } from '../../../src/testing/index.js'
import { type TestApp, withApp } from '../../support/app.js'
import { isOfTheRing } from '../../support/background.js'
import { clientThat } from '../../support/faulty-pool.js'
import {
  guarded,
  login,
  newcomer,
  password,
  refresh,
  signIn,
  startApp,
  startTwins,
  tokensOf,
  until,
} from '../../support/instances.js'
import { databaseUrl, uniqueSchema } from '../../support/postgres.js'
import { openStore } from '../../support/store.js'
import { startTcpProxy } from '../../support/tcp-proxy.js'

const day = 86_400
const secret = () => randomBytes(32).toString('base64')

/** Bytes 2 to 5 of a token name its key. */
function keyOf(token: string): string {
  return Buffer.from(token, 'base64url').subarray(2, 6).toString('hex')
}

async function openRing(
  t: TestContext,
  db: Connection,
  clock: () => number = Date.now,
  ring: { id: string; secret: string }[] | null = null,
) {
  const keys = await openKeys(
    db,
    { secrets: [], ring, appName: 'app', openForSeconds: 14 * day, onError: () => undefined },
    clock,
  )
  t.after(() => keys.close())
  return keys
}

test('every 90 days a key is made, seals a minute later, and its predecessor opens until its last token has expired', async (t) => {
  const proxy = await startTcpProxy(await databaseUrl())
  t.after(() => proxy.close())
  await withApp({ identity: { database: proxy.url, sessions: { absoluteSeconds: 200 * day } } }, async (app) => {
    const { keys } = app.app.identity
    const began = app.clock()
    const first = (await keys.list())[0]!
    app.clock.advance(90 * day - 1)
    const old = await app.signIn()
    const { cookie } = await app.signInWithCookie(old)
    // The instance looks every two seconds of real time, and finds nothing due. A look that has begun ends before the
    // next one.
    proxy.forget()
    await until(() => proxy.statements.filter(isOfTheRing).length >= 2)
    assert.equal((await keys.list()).length, 1)
    app.clock.advance(1)
    await until(async () => (await keys.list()).length === 2)
    const [retiring, second] = await keys.list()
    assert.deepEqual(second, {
      id: second!.id,
      createdAt: began + 90 * day * 1000,
      activatesAt: began + (90 * day + 60) * 1000,
      retiresAt: null,
      revokedAt: null,
    })
    assert.deepEqual(retiring, { ...first, retiresAt: second.activatesAt + 14 * day * 1000 })
    app.clock.advance(59)
    assert.equal(keyOf((await app.signIn(old)).accessToken), first.id)
    app.clock.advance(1)
    assert.equal(keyOf((await app.signIn(old)).accessToken), second.id)
    // The last second of what the old key sealed a minute ago.
    app.clock.advance(14 * day - 62)
    assert.equal(await statusOf(app, { cookie }), 200)
    const next = await app.call('POST', '/account/refresh', { json: { refreshToken: old.refreshToken } })
    assert.equal(keyOf((next.json() as { accessToken: string }).accessToken), second.id)
  })
})

async function statusOf(app: TestApp, by: { cookie: string } | { token: string }): Promise<number> {
  return (await app.call('GET', '/account/manage/info', by)).status
}

test('a key that has retired opens nothing any more, to the millisecond', async (t) => {
  const clock = createClock()
  const ring = await openRing(t, await openStore(t, clock), clock)
  const { id } = ring.sealing()
  const { activatesAt } = await ring.manager.rotate({ activateAfterSeconds: 10 })
  clock.advance((activatesAt - clock()) / 1000 + 14 * day - 0.001)
  assert.equal(ring.find(id)?.id, id)
  clock.advance(0.001)
  assert.equal(ring.find(id), null)
})

test('a rotation by hand answers the key that is on its way, and asks for no second one', async (t) => {
  const [app, twin] = await startTwins(t)
  const before = (await app.identity.keys.list())[0]!
  const [made, found] = await Promise.all([app.identity.keys.rotate(), twin.identity.keys.rotate()])
  assert.deepEqual(made, found)
  assert.equal(made.activatesAt - made.createdAt, 15_000)
  assert.deepEqual(await app.identity.keys.rotate({ activateAfterSeconds: 0 }), made)
  const [retiring, ...others] = await twin.identity.keys.list()
  assert.deepEqual(others, [made])
  assert.deepEqual(retiring, { ...before, retiresAt: made.activatesAt + 14 * day * 1000 })
})

test('a revoked key is refused here at once, and another takes its place for good', async (t) => {
  const clock = createClock()
  const app = await startApp(t, { clock })
  const { keys } = app.identity
  const { accessToken: first } = await newcomer(app, 'alice@example.com')
  await keys.rotate({ activateAfterSeconds: 10 })
  clock.advance(10)
  const { accessToken: second, refreshToken } = await signIn(app, 'alice@example.com')
  assert.notEqual(keyOf(second), keyOf(first))
  assert.equal(await keys.revoke('00000000'), false)
  assert.equal(await keys.revoke(keyOf(second)), true)
  assert.equal(await keys.revoke(keyOf(second)), false)
  assert.equal((await guarded(app, second)).status, 401)
  assert.equal((await refresh(app, refreshToken)).status, 401)
  assert.equal((await guarded(app, first)).status, 200)
  // The one before seals until the next is active, a minute later, and for its last tokens.
  const between = await signIn(app, 'alice@example.com')
  assert.equal(keyOf(between.accessToken), keyOf(first))
  clock.advance(60)
  assert.notEqual(keyOf((await signIn(app, 'alice@example.com')).accessToken), keyOf(first))
  clock.advance(14 * day - 61)
  assert.equal((await refresh(app, between.refreshToken)).status, 200)
})

test('all keys revoked sign everybody out, who can sign in again at once', async (t) => {
  const app = await startApp(t)
  const person = await newcomer(app, 'alice@example.com')
  await app.identity.keys.rotate()
  await app.identity.keys.revokeAll()
  for (const { id, revokedAt } of (await app.identity.keys.list()).slice(0, 2)) assert.ok(revokedAt !== null, id)
  assert.equal((await guarded(app, person.accessToken)).status, 401)
  assert.equal((await refresh(app, person.refreshToken)).status, 401)
  const { accessToken } = await signIn(app, 'alice@example.com')
  assert.equal((await guarded(app, accessToken)).status, 200)
})

test('a slow reading of the ring does not undo what was revoked meanwhile', async (t) => {
  const store = await openStore(t)
  let release: () => void = () => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  let readings = 0
  const Client = clientThat(
    () => undefined,
    async (text) => {
      // The first reading opens the ring; the answer of the second one comes late.
      if (/^select \* from .*"keys"/.test(text) && ++readings === slow) await held
    },
  )
  const pool = new pg.Pool({ connectionString: await databaseUrl(), Client })
  t.after(() => pool.end())
  const db = connect(pool, store.schema, undefined, {}, () => undefined)
  let slow = Infinity
  const ring = await openRing(t, db)
  const { id } = ring.sealing()
  slow = readings + 1
  const reading = ring.reload()
  await until(() => readings === slow)
  const hex = id.toString(16).padStart(8, '0')
  const revoking = ring.manager.revoke(hex)
  // The statement has committed; what follows it waits for the reading.
  const stored = store.kysely.selectFrom('keys').select('revoked_at').where('id', '=', hex)
  await until(async () => (await stored.executeTakeFirstOrThrow()).revoked_at !== null)
  release()
  await Promise.all([reading, revoking])
  assert.equal(ring.find(id), null)
})

test('of a static ring the first key seals and all open, and its owner rotates its keys', async (t) => {
  const schema = uniqueSchema()
  const [a, b] = [
    { id: '2026', secret: secret() },
    { id: '2025', secret: secret() },
  ]
  const old = await startApp(t, { schema, keys: [b] })
  const { accessToken, refreshToken } = await newcomer(old, 'alice@example.com')
  const app = await startApp(t, { schema, keys: [a, b] })
  assert.deepEqual((await app.identity.keys.list()).map(({ id }) => id).slice(1), [keyOf(accessToken)])
  assert.equal((await guarded(app, accessToken)).status, 200)
  const next = tokensOf(await refresh(app, refreshToken))
  assert.equal(keyOf(next.accessToken), (await app.identity.keys.list())[0]!.id)
  // An instance that has not heard of the new key yet.
  assert.equal((await guarded(old, next.accessToken)).status, 401)
  // One that has forgotten the old one.
  const later = await startApp(t, { schema, keys: [a] })
  assert.equal((await guarded(later, accessToken)).status, 401)
  assert.equal((await guarded(later, next.accessToken)).status, 200)
  for (const turn of [
    () => app.identity.keys.rotate(),
    () => app.identity.keys.revoke(keyOf(accessToken)),
    () => app.identity.keys.revokeAll(),
  ]) {
    await assert.rejects(turn, { code: 'FST_IDENTITY_KEYS_STATIC' })
  }
  const { rows } = await (await beside(t, schema)).pool!.query(`select purpose from ${schema}.keys`)
  assert.deepEqual(rows, [{ purpose: 'vault' }])
})

async function beside(t: TestContext, schema: string): Promise<Connection> {
  const db = connect(await databaseUrl(), schema, undefined, {}, () => undefined)
  t.after(() => db.close())
  return db
}

test('what is sealed in the database survives every change of the list and of the root secret', async (t) => {
  const schema = uniqueSchema()
  const [a, b, root] = [{ id: 'a', secret: secret() }, { id: 'b', secret: secret() }, secret()]
  const first = await startApp(t, { schema, keys: [a], lockout: { maxFailedAccessAttempts: 2 } })
  await newcomer(first, 'alice@example.com')
  const user = (await first.identity.users.findByName('alice@example.com'))!
  await first.identity.users.resetAuthenticatorKey(user)
  const key = await first.identity.users.getAuthenticatorKey(user)
  assert.ok(key)
  // One of two tries: the throttle's row is named under the vault's key too.
  assert.equal((await login(first, 'alice@example.com', 'Wrong-horse-1')).body?.detail, 'Failed')
  const lists: IdentityOptions[] = [
    { keys: [b, a] },
    { keys: [b] },
    { keys: [b], secret: [root, b.secret] },
    { secret: root },
  ]
  for (const list of lists) {
    const app = await startApp(t, { schema, ...list })
    assert.equal(
      await app.identity.users.getAuthenticatorKey((await app.identity.users.findByName('alice@example.com'))!),
      key,
    )
  }
  const last = await startApp(t, { schema, secret: root, lockout: { maxFailedAccessAttempts: 2 } })
  assert.equal((await login(last, 'alice@example.com', 'Wrong-horse-1')).body?.detail, 'LockedOut')
})

test('the root secret is replaced by starting one instance after the other: [old, new], [new, old], [new]', async (t) => {
  const schema = uniqueSchema()
  const [old, young] = [secret(), secret()]
  const clock = createClock()
  const start = (secrets: string | string[]) => startApp(t, { schema, clock, secret: secrets })
  let running = [await start(old), await start(old)]
  let { accessToken, refreshToken } = await newcomer(running[0]!, 'alice@example.com')
  for (const secrets of [[old, young], [young, old], [young]]) {
    for (const place of [0, 1]) {
      const leaving = running[place]!
      running = running.with(place, await start(secrets))
      await leaving.close()
      // The keys are rotated while old and new instances run side by side, alternately on each of them.
      const { activatesAt } = await running[1 - place]!.identity.keys.rotate({ activateAfterSeconds: 10 })
      // Every instance looks every two seconds.
      const ids = (apps: typeof running) =>
        Promise.all(apps.map(async (app) => (await app.identity.keys.list()).map(({ id }) => id).join()))
      await until(async () => new Set(await ids(running)).size === 1)
      clock.advance((activatesAt - clock()) / 1000)
      for (const app of running) {
        for (const one of running) assert.equal((await guarded(one, accessToken)).status, 200)
        ;({ accessToken, refreshToken } = tokensOf(await refresh(app, refreshToken)))
      }
    }
  }
  assert.equal((await login(running[0]!, 'alice@example.com', password)).status, 200)
})

test('an instance that runs on with the old secret alone opens what it has opened before, and hears what is revoked', async (t) => {
  const schema = uniqueSchema()
  const [old, young] = [secret(), secret()]
  const clock = createClock()
  const left = await startApp(t, { schema, clock, secret: old })
  const { accessToken } = await newcomer(left, 'alice@example.com')
  const right = await startApp(t, { schema, clock, secret: [young, old] })
  const { activatesAt } = await right.identity.keys.rotate({ activateAfterSeconds: 10 })
  clock.advance((activatesAt - clock()) / 1000)
  // The key that it cannot open is listed, and not used.
  await until(async () => (await left.identity.keys.list()).length === 2)
  assert.equal((await guarded(left, accessToken)).status, 200)
  const own = await signIn(left, 'alice@example.com')
  assert.equal((await guarded(right, own.accessToken)).status, 200)
  const theirs = await signIn(right, 'alice@example.com')
  assert.equal((await guarded(left, theirs.accessToken)).status, 401)
  await right.identity.keys.revoke(keyOf(accessToken))
  await until(async () => (await guarded(left, accessToken)).status === 401)
})
