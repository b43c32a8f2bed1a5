import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateRecoveryCodes, isRecoveryCodeShaped, readRecoveryCode } from '../../src/two-factor/recovery-codes.js'

const alphabet = '23456789BCDFGHJKMNPQRTVWXY'

test('ten codes are ten different codes of the shape XXXXX-XXXXX', () => {
  const codes = generateRecoveryCodes(10)
  assert.equal(new Set(codes).size, 10)
  for (const code of codes) assert.match(code, new RegExp(`^[${alphabet}]{5}-[${alphabet}]{5}$`))
})

test('every letter stands for equally many bytes, and the surplus bytes are drawn again', () => {
  const seen = new Map<string, number>()
  for (let byte = 0; byte < 256; byte++) {
    // The byte under test leads; if it is drawn again, the letter that follows it is from 0, 1, 2 …
    const letters = generateRecoveryCodes(1, leading(byte))[0]!.replace('-', '')
    const first = letters.charAt(0)
    if (byte >= 234) assert.equal(letters, alphabet.slice(0, 10), `byte ${byte}`)
    else seen.set(first, (seen.get(first) ?? 0) + 1)
  }
  assert.deepEqual([...seen.keys()].sort(), Array.from(alphabet).sort())
  for (const count of seen.values()) assert.equal(count, 9)
})

test('a code drawn twice is drawn again', () => {
  const drawn = [0, 0, 0, 1]
  const codes = generateRecoveryCodes(2, (n) => new Uint8Array(n).fill(drawn.shift() ?? 2))
  assert.deepEqual(codes, ['22222-22222', '33333-33333'])
})

test('a count of 0 makes no codes', () => {
  assert.deepEqual(generateRecoveryCodes(0), [])
})

test('codes of the current and of older imported formats may be looked up', () => {
  for (const text of [...generateRecoveryCodes(3), '1a2b3c4d', 'x', 'x'.repeat(64)])
    assert.equal(isRecoveryCodeShaped(text), true, text)
})

test('a text that cannot be a code is not looked up', () => {
  for (const text of ['', 'x'.repeat(65), 'ABCDE\u0000FGHI', 'ABCDE\n', '\u007f', '\u0085', '\ud800', 'a\udc00']) {
    assert.equal(isRecoveryCodeShaped(text), false, JSON.stringify(text))
  }
})

function leading(first: number): (n: number) => Uint8Array {
  let asked = 0
  let next = 0
  return (n) => Uint8Array.from({ length: n }, () => (asked++ === 0 ? first : next++))
}

test('a code is read as people type it: small letters, blanks, with or without the hyphen', () => {
  for (const text of [
    'BCDFG-23456',
    'bcdfg-23456',
    'BCDFG23456',
    'bcdfg 23456',
    ' BCDFG-23456\n',
    'b c d f g - 2 3 4 5 6',
    'Bcdfg--23456',
  ])
    assert.equal(readRecoveryCode(text), 'BCDFG-23456', text)
  // Of another shape: as it is.
  for (const text of ['0a1b2c3d', 'BCDFG-2345', 'BCDFG-234567', 'ACDFG-23456', 'ßCDFG-23456', ''])
    assert.equal(readRecoveryCode(` ${text} `), text)
})
