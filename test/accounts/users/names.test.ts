import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalizeName } from '../../../src/accounts/users/names.js'

test('letters fold one to one, none into ASCII', () => {
  assert.equal(normalizeName('Mike@GitHub.com'), 'MIKE@GITHUB.COM')
  const ascii = 'MIKE@GITHUB.COM'
  for (const other of [
    'mıke@github.com',
    'mİke@github.com',
    'mi\u212ae@github.com',
    'mike＠github.com',
    'mike﹫github.com',
    'ｍike@github.com',
    'mike@gıthub.com',
  ])
    assert.notEqual(normalizeName(other), ascii, other)
  for (const [one, two] of [
    ['ß', 'SS'],
    ['ß', 'ẞ'],
    ['ſ', 's'],
    ['ﬁ', 'fi'],
    ['\u212a', 'k'],
    ['\u037e', ';'],
    ['\u1fef', '`'],
  ] as const) {
    assert.notEqual(normalizeName(one), normalizeName(two), `${one} ${two}`)
  }
  for (const [one, two] of [
    ['Müller', 'MÜLLER'],
    ['é', 'E\u0301'],
    ['σ', 'ς'],
    ['жук', 'ЖУК'],
    ['𐐨', '𐐀'],
    ['ÿ', 'Ÿ'],
    ['µ', 'Μ'],
  ] as const) {
    assert.equal(normalizeName(one), normalizeName(two), `${one} ${two}`)
  }
})

test('no character outside ASCII becomes one inside', () => {
  const found = []
  for (let code = 0x80; code <= 0x10ffff; code++) {
    const key = normalizeName(String.fromCodePoint(code))
    if (key !== null && /[\0-\x7f]/.test(key)) found.push(code.toString(16))
  }
  assert.deepEqual(found, [])
})

test('composed and decomposed spellings are one name, also beside a character that must stay', () => {
  assert.equal(normalizeName('e\u0301'), 'É')
  assert.equal(normalizeName('e\u0301\u212ae\u0301'), 'É\u212aÉ')
})

test('normalising again changes nothing', () => {
  for (const text of ['Mike', 'e\u0301', '\u212a\u0301', 'İ', '\u0958', 'ǆ']) {
    const once = normalizeName(text)!
    assert.equal(normalizeName(once), once)
  }
})

test('what no row can hold has no key', () => {
  assert.equal(normalizeName('a'.repeat(256))?.length, 256)
  assert.equal(normalizeName('a'.repeat(257)), null)
  // NFC makes two characters of this one.
  assert.equal(normalizeName('\u0958'.repeat(129)), null)
  assert.equal(normalizeName('a\0b'), null)
  assert.equal(normalizeName('a\ud800'), null)
})
