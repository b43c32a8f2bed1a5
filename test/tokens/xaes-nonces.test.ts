import { test } from 'node:test'
import assert from 'node:assert/strict'
import { nonceSource } from '../../src/tokens/xaes.js'

test('nonces are the pool in order, and no byte of it is used twice', () => {
  let next = 0
  let pool: Buffer | undefined
  const take = nonceSource((bytes) => {
    pool = bytes
    for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32BE(++next, at)
  })
  let expected = 0
  for (let n = 0; n < 1000; n++) {
    const nonce = take()
    assert.equal(nonce.length, 24)
    for (let at = 0; at < 24; at += 4) assert.equal(nonce.readUInt32BE(at), ++expected)
  }
  assert.ok(pool && pool.length <= 4096)
})

test('a returned nonce is erased from the pool, and later fills do not touch it', () => {
  let pool: Buffer = Buffer.alloc(0)
  const take = nonceSource((bytes) => {
    pool = bytes.fill(0xaa)
  })
  const nonces = Array.from({ length: 3 }, take)
  assert.deepEqual(pool.subarray(0, 72), Buffer.alloc(72))
  assert.equal(pool[72], 0xaa)
  while (pool[pool.length - 1] !== 0) take()
  take()
  for (const nonce of nonces) assert.deepEqual(nonce, Buffer.alloc(24, 0xaa))
})

test('a source of randomness that fails gives no nonce', () => {
  let works = false
  const take = nonceSource((bytes) => {
    if (!works) throw new Error('no entropy')
    bytes.fill(1)
  })
  assert.throws(take, /no entropy/)
  works = true
  assert.deepEqual(take(), Buffer.alloc(24, 1))
})
