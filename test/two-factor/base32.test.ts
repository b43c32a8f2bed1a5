import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeBase32, encodeBase32 } from '../../src/two-factor/base32.js'

// RFC 4648 §10, the padding left out.
const vectors: readonly (readonly [string, string])[] = [
  ['', ''],
  ['f', 'MY'],
  ['fo', 'MZXQ'],
  ['foo', 'MZXW6'],
  ['foob', 'MZXW6YQ'],
  ['fooba', 'MZXW6YTB'],
  ['foobar', 'MZXW6YTBOI'],
]

test('the vectors of RFC 4648 are written without padding', () => {
  for (const [plain, text] of vectors) assert.equal(encodeBase32(Buffer.from(plain)), text)
})

test('the vectors of RFC 4648 are read with and without padding, in either case', () => {
  for (const [plain, text] of vectors) {
    const padded = text.padEnd(Math.ceil(text.length / 8) * 8, '=')
    for (const spelling of [text, padded, text.toLowerCase(), padded.toLowerCase()]) {
      assert.deepEqual(Buffer.from(decodeBase32(spelling)!), Buffer.from(plain), spelling)
    }
  }
})

test('twenty bytes make thirty-two characters', () => {
  assert.equal(encodeBase32(Buffer.from('12345678901234567890')), 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ')
})

test('the digits are A to Z and 2 to 7, in this order', () => {
  const bytes = Buffer.from('00443214c74254b635cf84653a56d7c675be77df', 'hex')
  assert.equal(encodeBase32(bytes), 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567')
})

test('every byte in every position survives encoding and decoding', () => {
  for (let length = 1; length <= 10; length++) {
    for (let value = 0; value < 256; value++) {
      const bytes = Buffer.alloc(length, value)
      bytes[0] = value ^ 0xff
      assert.deepEqual(Buffer.from(decodeBase32(encodeBase32(bytes))!), bytes)
    }
  }
})

test('a character outside the alphabet refuses the whole text', () => {
  for (const text of [
    'MZXW0',
    'MZXW1',
    'MZXW8',
    'MZXW9',
    'MZ XW',
    'MZ-XW',
    'MZ=XW',
    '=MZXW',
    'MZXW\n',
    'MZ\u0000XW',
    'MZXW6\u00e9',
  ]) {
    assert.equal(decodeBase32(text), null, JSON.stringify(text))
  }
})

test('letters that only upper-casing would map into the alphabet are refused', () => {
  for (const text of ['M\u017fXW', 'M\u0131XW', '\uff2dZXW']) assert.equal(decodeBase32(text), null, text)
})

test('bits left over at the end are dropped', () => {
  assert.deepEqual(decodeBase32('MZ'), decodeBase32('MY'))
  assert.deepEqual(decodeBase32('A'), new Uint8Array(0))
})
