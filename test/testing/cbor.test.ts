// Encodings of RFC 8949 appendix A, as far as an authenticator needs them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Cbor, encodeCbor } from '../../src/testing/cbor.js'

const examples: readonly (readonly [Cbor, string])[] = [
  [0, '00'],
  [23, '17'],
  [24, '1818'],
  [100, '1864'],
  [255, '18ff'],
  [256, '190100'],
  [1000, '1903e8'],
  [1000000, '1a000f4240'],
  [-1, '20'],
  [-100, '3863'],
  [-1000, '3903e7'],
  ['', '60'],
  ['IETF', '6449455446'],
  ['ü', '62c3bc'],
  [Buffer.from('01020304', 'hex'), '4401020304'],
  [new Map(), 'a0'],
  [
    new Map([
      [1, 2],
      [3, 4],
    ]),
    'a201020304',
  ],
  [new Map([['a', new Map([[-7, 'b']])]]), 'a16161a1266162'],
]

test('numbers, texts, bytes and maps are encoded as in the examples of the RFC', () => {
  assert.deepEqual(
    examples.map(([value]) => encodeCbor(value).toString('hex')),
    examples.map(([, hex]) => hex),
  )
})

test('a number of more than 32 bits is an error', () => {
  assert.throws(() => encodeCbor(2 ** 32), RangeError)
})
