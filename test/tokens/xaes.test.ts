import { test } from 'node:test'
import assert from 'node:assert/strict'
import { shake128 } from '@noble/hashes/sha3.js'
import { xaesKey, xaesOpen, xaesSeal } from '../../src/tokens/xaes.js'
import { byteFlips } from '../support/tampering.js'
import { vectors } from '../support/vectors.js'

interface Vector {
  key: string
  nonceAscii: string
  derivedKey: string
  plaintextAscii: string
  aadAscii: string
  ciphertext: string
}

const published = (vectors('xaes-256-gcm.json') as { vectors: Vector[] }).vectors

test('both published vectors are there', () => assert.equal(published.length, 2))

for (const [index, vector] of published.entries()) {
  const key = xaesKey(Buffer.from(vector.key, 'hex'))
  const nonce = Buffer.from(vector.nonceAscii)
  const aad = Buffer.from(vector.aadAscii)

  test(`vector ${index}: the key derived from the nonce is the published one`, () => {
    assert.equal(key.derive(nonce).export().toString('hex'), vector.derivedKey)
  })

  test(`vector ${index}: sealing gives the published ciphertext, again and again`, () => {
    for (let i = 0; i < 3; i++)
      assert.equal(xaesSeal(key, nonce, Buffer.from(vector.plaintextAscii), aad).toString('hex'), vector.ciphertext)
  })

  test(`vector ${index}: the published ciphertext opens`, () => {
    assert.equal(xaesOpen(key, nonce, Buffer.from(vector.ciphertext, 'hex'), aad)?.toString(), vector.plaintextAscii)
  })
}

// The accumulated test of the specification: keys, nonces, lengths and texts are drawn from one SHAKE-128 stream,
// ciphertexts hashed by another.
test('10,000 messages of the published accumulated test give the published hash, and open', () => {
  const input = shake128.create()
  const output = shake128.create()
  for (let n = 0; n < 10_000; n++) {
    const key = xaesKey(input.xof(32))
    const nonce = input.xof(24)
    const plaintext = input.xof(input.xof(1)[0]!)
    const aad = input.xof(input.xof(1)[0]!)
    const sealed = xaesSeal(key, nonce, plaintext, aad)
    assert.deepEqual(xaesOpen(key, nonce, sealed, aad), Buffer.from(plaintext))
    output.update(sealed)
  }
  assert.equal(
    Buffer.from(output.xof(32)).toString('hex'),
    'e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939',
  )
})

test('a message of no bytes seals and opens', () => {
  const key = xaesKey(Buffer.alloc(32, 5))
  const sealed = xaesSeal(key, Buffer.alloc(24), Buffer.alloc(0), Buffer.from('aad'))
  assert.equal(sealed.length, 16)
  assert.equal(xaesOpen(key, Buffer.alloc(24), sealed, Buffer.from('aad'))?.length, 0)
  assert.equal(xaesOpen(key, Buffer.alloc(24), sealed, Buffer.from('aae')), null)
})

test('no flipped bit of nonce, message or associated data opens', () => {
  const key = xaesKey(Buffer.alloc(32, 5))
  const nonce = Buffer.alloc(24, 6)
  const aad = Buffer.from('header')
  const sealed = xaesSeal(key, nonce, Buffer.from('a message'), aad)
  for (const flipped of byteFlips(nonce)) assert.equal(xaesOpen(key, flipped, sealed, aad), null)
  for (const flipped of byteFlips(sealed)) assert.equal(xaesOpen(key, nonce, flipped, aad), null)
  for (const flipped of byteFlips(aad)) assert.equal(xaesOpen(key, nonce, sealed, flipped), null)
})

test('a tag cut to fewer than 16 bytes does not open', () => {
  const key = xaesKey(Buffer.alloc(32, 5))
  const nonce = Buffer.alloc(24, 6)
  const aad = Buffer.alloc(0)
  for (const plaintext of [Buffer.alloc(0), Buffer.alloc(12, 1), Buffer.alloc(100, 1)]) {
    const sealed = xaesSeal(key, nonce, plaintext, aad)
    for (let tagLength = 0; tagLength < 16; tagLength++) {
      assert.equal(xaesOpen(key, nonce, sealed.subarray(0, plaintext.length + tagLength), aad), null)
    }
  }
})

test('a nonce of another length neither seals nor opens', () => {
  const key = xaesKey(Buffer.alloc(32, 5))
  for (const length of [0, 12, 23, 25]) {
    assert.throws(() => xaesSeal(key, Buffer.alloc(length), Buffer.alloc(1), Buffer.alloc(0)), TypeError)
    assert.equal(xaesOpen(key, Buffer.alloc(length), Buffer.alloc(17), Buffer.alloc(0)), null)
  }
})

test('a key of another length is refused', () => {
  for (const length of [0, 16, 31, 33, 64]) assert.throws(() => xaesKey(Buffer.alloc(length)), TypeError)
})
