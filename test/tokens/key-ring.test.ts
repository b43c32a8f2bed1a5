import { test } from 'node:test'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  createKeyRing,
  newRootKey,
  nextKey,
  staticKey,
  unwrapRoot,
  wrapRoot,
  type RingKey,
} from '../../src/tokens/key-ring.js'
import { open, seal, sealBytes, sealingKey } from '../../src/tokens/seal.js'
import { byteFlips } from '../support/tampering.js'
import { vectors } from '../support/vectors.js'

const day = 86_400_000
const rotation = { rotationSeconds: 90 * 86_400, activationDelaySeconds: 60, openForSeconds: 30 * 86_400 }
const secret = 'a root secret of thirty-two bytes'
const otherSecret = 'another secret of 32 bytes, or so'

function ringKey(id: number, times: Partial<RingKey> = {}): RingKey {
  const activatesAt = times.activatesAt ?? 0
  return {
    id,
    root: Buffer.alloc(32, id),
    createdAt: activatesAt,
    activatesAt,
    retiresAt: null,
    revokedAt: null,
    ...times,
  }
}

test('a new key is found at once, seals from its activation on, and not a millisecond before', () => {
  const ring = createKeyRing([ringKey(1), ringKey(2, { createdAt: 900, activatesAt: 1000 })])
  assert.equal(ring.find(2, 0)?.id, 2)
  assert.equal(ring.sealing(999).id, 1)
  assert.equal(ring.sealing(1000).id, 2)
  assert.equal(ring.size, 2)
})

test('while no key is active the oldest of those to come seals', () => {
  const ring = createKeyRing([
    ringKey(3, { activatesAt: 3000 }),
    ringKey(1, { activatesAt: 1000 }),
    ringKey(2, { activatesAt: 2000 }),
  ])
  assert.equal(ring.sealing(0).id, 1)
  assert.equal(ring.sealing(2500).id, 2)
})

test('among keys of one instant every instance chooses the same', () => {
  const keys = [ringKey(1), ringKey(2), ringKey(3, { createdAt: -1 })]
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0],
  ]) {
    assert.equal(createKeyRing(order.map((at) => keys[at]!)).sealing(5).id, 2)
  }
})

test('a key opens one millisecond before it retires and not at it', () => {
  const ring = createKeyRing([ringKey(1, { retiresAt: 5000 }), ringKey(2, { activatesAt: 1000 })])
  assert.equal(ring.find(1, 4999)?.id, 1)
  assert.equal(ring.find(1, 5000), null)
  assert.equal(ring.find(2, 5000)?.id, 2)
})

test('a retired key does not seal, even as the newest', () => {
  const ring = createKeyRing([ringKey(1), ringKey(2, { activatesAt: 1000, retiresAt: 2000 })])
  assert.equal(ring.sealing(1999).id, 2)
  assert.equal(ring.sealing(2000).id, 1)
})

test('a revoked key neither opens nor seals, whatever the clock says', () => {
  const ring = createKeyRing([ringKey(1), ringKey(2, { activatesAt: 1000, revokedAt: 5000 })])
  for (const now of [0, 1000, 4999, 5000, 5001]) {
    assert.equal(ring.find(2, now), null)
    assert.equal(ring.sealing(now).id, 1)
  }
})

test('an unknown id is not found', () => {
  const ring = createKeyRing([ringKey(1)])
  for (const id of [0, 2, -1, NaN]) {
    assert.equal(ring.find(id, 0), null)
    assert.equal(ring.findForStored(id), null)
  }
})

test('stored data can be read under a key in any state', () => {
  const ring = createKeyRing([ringKey(1, { retiresAt: 1 }), ringKey(2, { revokedAt: 1 }), ringKey(3)])
  for (const id of [1, 2, 3]) assert.equal(ring.findForStored(id)?.id, id)
})

test('a ring without a usable key refuses to seal', () => {
  for (const keys of [[], [ringKey(1, { revokedAt: 1 })], [ringKey(1, { retiresAt: 1 })]])
    assert.throws(() => createKeyRing(keys).sealing(10), /no key/)
})

test('two keys with one id are refused', () => {
  assert.throws(() => createKeyRing([ringKey(1), ringKey(1, { activatesAt: 5 })]), TypeError)
})

test('tokens of the old key open beside those of the new one', () => {
  const ring = createKeyRing([ringKey(1, { retiresAt: 9000 }), ringKey(2, { activatesAt: 1000 })], 'app')
  const before = seal(ring.sealing(999), 'access', 'before')
  const after = seal(ring.sealing(1000), 'access', 'after')
  const find = (id: number) => ring.find(id, 1000)
  assert.equal(open(find, 'access', before)?.toString(), 'before')
  assert.equal(open(find, 'access', after)?.toString(), 'after')
  assert.equal(
    open((id) => ring.find(id, 9000), 'access', before),
    null,
  )
})

test('a reloaded ring keeps the keys that stay, and only those with the same root and application', () => {
  const first = createKeyRing([ringKey(1), ringKey(2), ringKey(3)], 'app')
  const again = createKeyRing(
    [ringKey(1, { retiresAt: 5 }), ringKey(2, { root: Buffer.alloc(32, 99) }), ringKey(4)],
    'app',
    first,
  )
  assert.equal(again.find(1, 0), first.find(1, 0))
  assert.notEqual(again.find(2, 0), first.find(2, 0))
  assert.equal(again.find(1, 5), null)
  assert.equal(again.find(3, 0), null)
  assert.equal(again.find(4, 0)?.id, 4)
  assert.notEqual(createKeyRing([ringKey(1)], 'other', first).find(1, 0), first.find(1, 0))
})

test('the list of keys is copied, not kept', () => {
  const keys = [ringKey(1)]
  const ring = createKeyRing(keys)
  keys.push(ringKey(2))
  assert.equal(ring.find(2, 0), null)
  assert.equal(ring.size, 1)
})

test('the first key is due and active at once', () => {
  assert.deepEqual(nextKey([], 1000, rotation), { activatesAt: 1000, retirements: [] })
  assert.deepEqual(nextKey([ringKey(1, { revokedAt: 5 }), ringKey(2, { retiresAt: 1000 })], 1000, rotation), {
    activatesAt: 1000,
    retirements: [],
  })
})

test('the next key is due 90 days after the newest was activated, and not a millisecond before', () => {
  const keys = [ringKey(1, { activatesAt: 0 }), ringKey(2, { activatesAt: day })]
  assert.equal(nextKey(keys, 91 * day - 1, rotation), null)
  assert.equal(nextKey(keys, 91 * day - 1, { openForSeconds: 1 }), null)
  assert.deepEqual(nextKey(keys, 91 * day, { openForSeconds: 30 * 86_400 }), nextKey(keys, 91 * day, rotation))
  assert.deepEqual(nextKey(keys, 91 * day, rotation), {
    activatesAt: 91 * day + 60_000,
    retirements: [
      { id: 1, retiresAt: 121 * day + 60_000 },
      { id: 2, retiresAt: 121 * day + 60_000 },
    ],
  })
})

test('a key already due to retire is not put off, and a revoked one is left alone', () => {
  const keys = [ringKey(1, { retiresAt: 100 * day }), ringKey(2, { revokedAt: 5 }), ringKey(3)]
  assert.deepEqual(
    nextKey(keys, 90 * day, rotation)?.retirements.map(({ id }) => id),
    [3],
  )
})

test('no second key is due while one is on its way', () => {
  const keys = [ringKey(1), ringKey(2, { activatesAt: 90 * day + 60_000 })]
  assert.equal(nextKey(keys, 90 * day + 1000, rotation), null)
  assert.equal(nextKey(keys, 90 * day + 1000, { ...rotation, rotationSeconds: 0 }), null)
})

test('a rotation of 0 seconds makes a key due now', () => {
  assert.equal(nextKey([ringKey(1)], day, { ...rotation, rotationSeconds: 0 })?.activatesAt, day + 60_000)
})

test('following nextKey for years, there is always a key that seals, and its tokens open for their whole life', () => {
  let keys: RingKey[] = []
  const issued: { token: string; until: number }[] = []
  for (let now = 0; now < 1000 * day; now += day) {
    const next = nextKey(keys, now, rotation)
    if (next) {
      const retiresAt = new Map(next.retirements.map((retirement) => [retirement.id, retirement.retiresAt]))
      keys = keys.map((key) => ({ ...key, retiresAt: retiresAt.get(key.id) ?? key.retiresAt }))
      keys.push({ ...newRootKey(), createdAt: now, activatesAt: next.activatesAt, retiresAt: null, revokedAt: null })
    }
    const ring = createKeyRing(keys)
    issued.push({ token: seal(ring.sealing(now), 'access', 'text'), until: now + 30 * day })
    for (const { token } of issued.filter(({ until }) => now < until))
      assert.ok(open((id) => ring.find(id, now), 'access', token))
  }
  assert.equal(keys.length, 11)
})

test('where only keys that retire are left, the next one is due, and the one that seals stays until its tokens have expired', () => {
  const keys = [
    ringKey(1, { retiresAt: 20 * day }),
    ringKey(2, { activatesAt: 5 * day, retiresAt: 15 * day }),
    ringKey(3, { activatesAt: 9 * day, revokedAt: 10 * day }),
  ]
  assert.deepEqual(nextKey(keys, 10 * day, rotation), {
    activatesAt: 10 * day + 60_000,
    retirements: [{ id: 2, retiresAt: 40 * day + 60_000 }],
  })
  const next = ringKey(4, { activatesAt: 10 * day + 60_000 })
  assert.equal(nextKey([...keys, next], 10 * day + 1, rotation), null)
  // A key that opens for longer than its successor needs is not shortened.
  const late = [ringKey(1, { retiresAt: 90 * day })]
  assert.deepEqual(nextKey(late, 10 * day, rotation)?.retirements, [])
})

test('whichever keys are revoked meanwhile, there is a key that seals, and tokens of the others open for their whole life', () => {
  let keys: RingKey[] = []
  let issued: { token: string; keyId: number; until: number }[] = []
  for (let now = 0; now < 1000 * day; now += day) {
    if (now % (93 * day) === 92 * day) {
      // The newest key; at first while its predecessor still opens.
      const { id } = keys.at(-1)!
      keys = keys.map((key) => (key.id === id ? { ...key, revokedAt: now } : key))
      issued = issued.filter(({ keyId }) => keyId !== id)
    }
    const next = nextKey(keys, now, rotation)
    if (next) {
      const retiresAt = new Map(next.retirements.map((retirement) => [retirement.id, retirement.retiresAt]))
      keys = keys.map((key) => ({ ...key, retiresAt: retiresAt.get(key.id) ?? key.retiresAt }))
      keys.push({ ...newRootKey(), createdAt: now, activatesAt: next.activatesAt, retiresAt: null, revokedAt: null })
    }
    const ring = createKeyRing(keys)
    const sealing = ring.sealing(now)
    issued.push({ token: seal(sealing, 'access', 'text'), keyId: sealing.id, until: now + 30 * day })
    for (const { token } of issued.filter(({ until }) => now < until))
      assert.ok(open((id) => ring.find(id, now), 'access', token))
  }
})

test('a new root key has 32 random bytes and a random id', () => {
  const made = Array.from({ length: 100 }, newRootKey)
  for (const { id, root } of made) {
    assert.ok(Number.isInteger(id) && id >= 0 && id <= 0xffffffff)
    assert.equal(root.length, 32)
  }
  assert.equal(new Set(made.map(({ root }) => Buffer.from(root).toString('hex'))).size, 100)
  assert.ok(new Set(made.map(({ id }) => id)).size > 95)
})

test('a wrapped root comes back under its secret, as text or bytes', () => {
  const { id, root } = newRootKey()
  const wrapped = wrapRoot(secret, id, root)
  assert.ok(!wrapped.includes(Buffer.from(root)))
  assert.deepEqual(unwrapRoot([secret], id, wrapped), { root, secretIndex: 0 })
  assert.deepEqual(unwrapRoot([Buffer.from(secret)], id, wrapped), { root, secretIndex: 0 })
  assert.notDeepEqual(wrapRoot(secret, id, root), wrapped)
})

test('a root wrapped with the first version still comes back', () => {
  const { wrapped: old } = vectors('tokens.json') as {
    wrapped: { secret: string; id: number; root: string; bytes: string }
  }
  assert.deepEqual(
    unwrapRoot([old.secret], old.id, Buffer.from(old.bytes, 'hex'))?.root,
    Uint8Array.from(Buffer.from(old.root, 'hex')),
  )
})

test('a list of secrets is tried in order, and the result names the one that fitted', () => {
  const { id, root } = newRootKey()
  const wrapped = wrapRoot(secret, id, root)
  assert.equal(unwrapRoot([otherSecret, secret], id, wrapped)?.secretIndex, 1)
  assert.equal(unwrapRoot([secret, otherSecret, secret], id, wrapped)?.secretIndex, 0)
})

test('a wrong secret, none, or one too short unwraps nothing', () => {
  const { id, root } = newRootKey()
  const wrapped = wrapRoot(secret, id, root)
  for (const secrets of [[], [otherSecret], [`${secret} `], [''], ['short'], [Buffer.alloc(0)]])
    assert.equal(unwrapRoot(secrets, id, wrapped), null)
})

test('a wrapped root is bound to its id and to its every bit', () => {
  const id = 1234
  const wrapped = wrapRoot(secret, id, newRootKey().root)
  assert.equal(unwrapRoot([secret], 1235, wrapped), null)
  const moved = Buffer.from(wrapped)
  moved.writeUInt32BE(1235, 2)
  assert.equal(unwrapRoot([secret], 1235, moved), null)
  for (const flipped of byteFlips(wrapped)) assert.equal(unwrapRoot([secret], id, flipped), null)
  for (let length = 0; length < wrapped.length; length++)
    assert.equal(unwrapRoot([secret], id, wrapped.subarray(0, length)), null)
  assert.equal(unwrapRoot([secret], id, Buffer.concat([wrapped, Buffer.alloc(1)])), null)
})

test('a secret of fewer than 32 bytes wraps nothing and makes no static key', () => {
  assert.throws(() => wrapRoot('x'.repeat(31), 1, Buffer.alloc(32)), {
    name: 'TypeError',
    message: 'A secret has at least 32 bytes',
  })
  assert.throws(() => staticKey('main', Buffer.alloc(31)), TypeError)
  assert.ok(wrapRoot('é'.repeat(16), 1, Buffer.alloc(32)))
})

test('a token sealed under the secret itself is not taken for a wrapped root', () => {
  const made = sealingKey(7, Buffer.alloc(32, 7))
  assert.equal(unwrapRoot([Buffer.alloc(32, 7)], 7, sealBytes(made, 'keyWrap', Buffer.alloc(32))), null)
})

test('a static key has the first four bytes of the hash of its name as id, and the same root on every machine', () => {
  const made = staticKey('main', secret)
  assert.equal(made.id, createHash('sha256').update('main').digest().readUInt32BE(0))
  assert.deepEqual(staticKey('main', Buffer.from(secret)), made)
  assert.notDeepEqual(staticKey('main', otherSecret).root, made.root)
  const { static: old } = vectors('tokens.json') as {
    static: { id: string; secret: string; keyId: number; root: string }
  }
  const again = staticKey(old.id, old.secret)
  assert.deepEqual([again.id, Buffer.from(again.root).toString('hex')], [old.keyId, old.root])
})

test('of static keys the first seals and all open', () => {
  const keys = ['2026', '2025', '2024'].map((name, position) => staticKey(name, secret, position))
  const ring = createKeyRing([...keys].reverse())
  assert.equal(ring.sealing(Date.UTC(2026, 0)).id, keys[0]!.id)
  for (const { id } of keys) assert.equal(ring.find(id, Date.UTC(2099, 0))?.id, id)
})

test('without the longest lifetime no key retires; the next instance that knows it retires all that are left', () => {
  const keys = [ringKey(1)]
  const next = nextKey(keys, 1000, { rotationSeconds: 0 })
  assert.deepEqual(next, { activatesAt: 61_000, retirements: [] })
  const later = [...keys, ringKey(2, { createdAt: 1000, activatesAt: 61_000 })]
  assert.deepEqual(
    nextKey(later, 100_000, { ...rotation, rotationSeconds: 0 })?.retirements.map(({ id }) => id),
    later.map(({ id }) => id),
  )
})
