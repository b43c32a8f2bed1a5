import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import Fastify from 'fastify'
import { test, type TestContext } from 'node:test'
import { adoptKeys } from '../../../src/accounts/keys/adopt-keys.js'
import { openKeys } from '../../../src/accounts/keys/key-manager.js'
import identity, { type IdentityOptions } from '../../../src/index.js'
import { connect, type Connection } from '../../../src/store/connect.js'
import { insertKey, loadKeys } from '../../../src/store/keys.js'
import { newRootKey, unwrapRoot } from '../../../src/tokens/key-ring.js'
import { guarded, newcomer, refresh, signIn, startApp, startTwins, tokensOf } from '../../support/instances.js'
import { databaseUrl, uniqueSchema } from '../../support/postgres.js'
import { openStore } from '../../support/store.js'
import { startTcpProxy } from '../../support/tcp-proxy.js'

const secret = () => randomBytes(32).toString('base64')

async function openRing(db: Connection) {
  const keys = await openKeys(
    db,
    { secrets: [], ring: null, appName: 'app', openForSeconds: 3600, onError: () => undefined },
    Date.now,
  )
  // Only read when asked to: nothing turns behind a test.
  keys.close()
  return keys
}

async function beside(t: TestContext, schema: string): Promise<Connection> {
  const db = connect(await databaseUrl(), schema, undefined, {}, () => undefined)
  t.after(() => db.close())
  return db
}

async function refusal(options: IdentityOptions): Promise<string | undefined> {
  const app = Fastify()
  try {
    await app.register(identity, { database: await databaseUrl(), ...options })
    return undefined
  } catch (error) {
    return (error as { code?: string }).code
  } finally {
    await app.close()
  }
}

function underUnknownKey(token: string): string {
  const bytes = Buffer.from(token, 'base64url')
  randomBytes(4).copy(bytes, 2)
  return bytes.toString('base64url')
}

/** Adds a token key that seals from now on, as another instance may. */
async function addKey(db: Connection): Promise<void> {
  const { id, root } = newRootKey()
  const now = Date.now()
  const generation = (await loadKeys(db)).filter(({ purpose }) => purpose === 'token').length + 1
  assert.ok(
    await insertKey(db, {
      id: id.toString(16).padStart(8, '0'),
      purpose: 'token',
      generation,
      root: Buffer.from(root),
      wrapped: false,
      createdAt: now,
      activatesAt: now,
      retiresAt: null,
      revokedAt: null,
    }),
  )
}

test('eight instances that start at once on an empty database share one token key and one vault key', async (t) => {
  for (let round = 0; round < 3; round++) {
    const db = await openStore(t)
    const others = await Promise.all(Array.from({ length: 8 }, () => beside(t, db.schema)))
    const rings = await Promise.all(others.map((other) => openRing(other)))
    assert.equal(new Set(rings.map((ring) => ring.sealing().id)).size, 1)
    assert.equal(new Set(rings.map((ring) => ring.vault().id)).size, 1)
    assert.deepEqual(
      (await loadKeys(db)).map(({ purpose, generation }) => [purpose, generation]),
      [
        ['token', 1],
        ['vault', 1],
      ],
    )
  }
})

test('what one instance seals another opens', async (t) => {
  const [app, twin] = await startTwins(t, { secret: secret() })
  const { accessToken, refreshToken } = await newcomer(app, 'alice@example.com')
  assert.equal((await guarded(twin, accessToken)).status, 200)
  assert.equal((await guarded(app, tokensOf(await refresh(twin, refreshToken)).accessToken)).status, 200)
})

test('under a secret no root lies in the database', async (t) => {
  const schema = uniqueSchema()
  const root = secret()
  await startApp(t, { schema, secret: root })
  const db = await beside(t, schema)
  const { rows } = await db.pool!.query<{ dump: string }>(
    `select string_agg(k::text, '') as dump from ${schema}.keys k`,
  )
  for (const record of await loadKeys(db)) {
    assert.equal(record.wrapped, true)
    const opened = unwrapRoot([root], Number.parseInt(record.id, 16), record.root)
    assert.ok(opened)
    assert.ok(!rows[0]!.dump.includes(Buffer.from(opened.root).toString('hex')))
  }
})

test('a secret that did not wrap the ring stops the start, and so does none at all', async (t) => {
  const schema = uniqueSchema()
  await startApp(t, { schema, secret: secret() })
  assert.equal(await refusal({ schema, secret: secret() }), 'FST_IDENTITY_SECRET_WRONG')
  assert.equal(await refusal({ schema }), 'FST_IDENTITY_SECRET_WRONG')
})

test('a ring is wrapped under the newest secret as soon as it is there, and every token stays good', async (t) => {
  const schema = uniqueSchema()
  const [old, young] = [secret(), secret()]
  const db = await beside(t, schema)
  const { accessToken } = await newcomer(await startApp(t, { schema }), 'alice@example.com')
  assert.deepEqual(
    (await loadKeys(db)).map(({ wrapped }) => wrapped),
    [false, false],
  )
  assert.equal(await refusal({ schema, secret: old }), 'FST_IDENTITY_KEYS_UNWRAPPED')
  await adoptKeys(
    db,
    old,
    (await loadKeys(db)).map(({ id }) => id),
  )
  for (const secrets of [old, [young, old], young]) {
    assert.equal((await guarded(await startApp(t, { schema, secret: secrets }), accessToken)).status, 200)
    assert.deepEqual(
      (await loadKeys(db)).map(({ wrapped }) => wrapped),
      [true, true],
    )
  }
  assert.equal(await refusal({ schema, secret: old }), 'FST_IDENTITY_SECRET_WRONG')
})

test('an instance with the old secret alone goes on when another has wrapped the ring anew', async (t) => {
  const schema = uniqueSchema()
  const [old, young] = [secret(), secret()]
  const app = await startApp(t, { schema, secret: old })
  const { accessToken, refreshToken } = await newcomer(app, 'alice@example.com')
  await startApp(t, { schema, secret: [young, old] })
  assert.equal((await refresh(app, underUnknownKey(refreshToken))).status, 401)
  assert.equal((await guarded(app, underUnknownKey(accessToken))).status, 401)
  assert.equal((await guarded(app, accessToken)).status, 200)
  await signIn(app, 'alice@example.com')
})

test('a revoked key opens nothing as soon as the ring is read again', async (t) => {
  const db = await openStore(t)
  const ring = await openRing(db)
  const replaced = replacementsOf(ring)
  const { id } = ring.sealing()
  await addKey(db)
  await db.kysely
    .updateTable('keys')
    .set({ revoked_at: new Date() })
    .where('id', '=', id.toString(16).padStart(8, '0'))
    .execute()
  await ring.reload()
  assert.equal(ring.find(id), null)
  assert.notEqual(ring.sealing().id, id)
  assert.equal(replaced(), 1)
})

test('tokens under unknown keys cost one reading a second, and no ticket that was opened before', async (t) => {
  const proxy = await startTcpProxy(await databaseUrl())
  t.after(() => proxy.close())
  const app = await startApp(t, { database: proxy.url })
  const { accessToken, refreshToken } = await newcomer(app, 'alice@example.com')
  const readings = () => proxy.statements.filter((text) => text.includes('"keys"')).length
  proxy.forget()
  const start = performance.now()
  for (let batch = 0; batch < 5; batch++) {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        index % 2 === 0 ? guarded(app, underUnknownKey(accessToken)) : refresh(app, underUnknownKey(refreshToken)),
      ),
    )
    assert.deepEqual(
      answers.filter(({ status }) => status !== 401),
      [],
    )
  }
  const seconds = (performance.now() - start) / 1000
  assert.ok(readings() >= 1 && readings() <= 1 + Math.ceil(seconds), `${readings()} readings in ${seconds} s`)
})

/** Counts how often a ring is replaced from now on. */
function replacementsOf({ onReplace }: { onReplace: (listener: () => void) => void }): () => number {
  let count = 0
  onReplace(() => count++)
  return () => count
}

test('a reading that finds the same ring replaces nothing, and one that finds another replaces it', async (t) => {
  const db = await openStore(t)
  const ring = await openRing(db)
  const first = ring.sealing()
  const replaced = replacementsOf(ring)
  await ring.reload()
  assert.equal(replaced(), 0)
  assert.equal(ring.sealing(), first)
  const second = await openRing(db)
  const replacedThere = replacementsOf(second)
  await addKey(db)
  await second.reload()
  assert.equal(replacedThere(), 1)
  assert.notEqual(second.sealing().id, first.id)
  assert.ok(second.find(first.id))
})

test('a token under a key that another instance has just made is opened by reading the ring again', async (t) => {
  const schema = uniqueSchema()
  const app = await startApp(t, { schema })
  await newcomer(app, 'alice@example.com')
  await addKey(await beside(t, schema))
  const { accessToken, refreshToken } = await signIn(await startApp(t, { schema }), 'alice@example.com')
  assert.equal((await guarded(app, accessToken)).status, 200)
  assert.equal((await refresh(app, refreshToken)).status, 200)
})
