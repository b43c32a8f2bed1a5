import { isMarkOf, stampMark } from '../../src/tokens/fields.js'
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { newConcurrencyStamp, newStamp, newUuidV7, uuidV7 } from '../../src/tokens/stamp.js'

test('a stamp is 32 characters of base32, never the same twice', () => {
  const stamps = Array.from({ length: 1000 }, newStamp)
  for (const stamp of stamps) assert.match(stamp, /^[A-Z2-7]{32}$/)
  assert.equal(new Set(stamps).size, 1000)
})

test('a concurrency stamp is a random UUID, never the same twice', () => {
  const stamps = Array.from({ length: 1000 }, newConcurrencyStamp)
  for (const stamp of stamps)
    assert.match(stamp, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.equal(new Set(stamps).size, 1000)
})

test('UUIDv7 gives the example of RFC 9562 appendix A.6', () => {
  assert.equal(
    uuidV7(0x017f22e279b0, Buffer.from('0cc318c4dc0c0c07398f', 'hex')),
    '017f22e2-79b0-7cc3-98c4-dc0c0c07398f',
  )
  assert.equal(
    uuidV7(0x017f22e279b0, Buffer.from('fcc3d8c4dc0c0c07398f', 'hex')),
    '017f22e2-79b0-7cc3-98c4-dc0c0c07398f',
  )
})

test('a new id sorts after those of earlier milliseconds and is never the same twice', () => {
  const ids = Array.from({ length: 1000 }, (_, n) => newUuidV7(1_700_000_000_000 + n))
  assert.deepEqual([...ids].sort(), ids)
  assert.equal(new Set(Array.from({ length: 1000 }, () => newUuidV7(0))).size, 1000)
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
})

test('the mark of a stamp is the beginning of its SHA-256', () => {
  const stamp = newStamp()
  assert.equal(stampMark(stamp), createHash('sha256').update(stamp).digest().subarray(0, 8).toString('base64url'))
  assert.match(stampMark(''), /^[A-Za-z0-9_-]{11}$/)
})

test('a mark belongs to its own stamp only', () => {
  const stamp = newStamp()
  assert.ok(isMarkOf(stampMark(stamp), stamp))
  for (const other of ['', `${stampMark(stamp)}=`, stampMark(newStamp()), stamp, '\u0100'.repeat(11)])
    assert.ok(!isMarkOf(other, stamp))
})
