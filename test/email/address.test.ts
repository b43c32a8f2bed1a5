import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeliverable, isEmail } from '../../src/email/address.js'

const hostile = [
  '"e@attacker.com"@victim.com',
  'attacker@x.com,victim@y.com',
  'attacker@x.com;victim@y.com',
  '"e"@victim.com',
  'a b@c.com',
  'a@b c.com',
  'Name <a@b.com>',
  '<a@b.com>',
  'a@b.com>',
  'a(comment)@b.com',
  'a@[127.0.0.1]',
  'a\\@b.com',
  'a:b@c.com',
  'group:a@b.com',
  '\ta@b.com',
  'a@b.com ',
]

test("the reference's rule takes exactly one '@' that is neither first nor last", () => {
  for (const text of ['a@b', 'ann@example.com', 'ann+tag@example.com', 'a b@c', '.@.', 'ü@ü', '"a"@b'])
    assert.equal(isEmail(text), true, text)
  for (const text of ['', '@', 'a', 'a@', '@b', 'a@b@c', 'a@@b', '"a@b"@c', 'a@b@'])
    assert.equal(isEmail(text), false, text)
})

test("the reference's rule takes no line break", () => {
  for (const text of ['a@b\n', 'a@b\r', '\r\na@b', 'a\n@b', 'a@b\r\nBcc: c@d'])
    assert.equal(isEmail(text), false, JSON.stringify(text))
})

test('ordinary addresses are deliverable', () => {
  const texts = [
    'ann@example.com',
    'ann+tag@example.com',
    'a.b-c_d@sub.example.co.uk',
    'a@b',
    "o'neil@example.com",
    'a/b=c@example.com',
    '!#$%&*?^`{|}~@example.com',
    'jürgen@example.de',
    'ann@münchen.example',
    '用户@例子.广告',
  ]
  for (const text of texts) assert.equal(isDeliverable(text), true, text)
})

test('addresses that programs read as different mailboxes are not deliverable', () => {
  for (const text of hostile) assert.equal(isDeliverable(text), false, JSON.stringify(text))
})

test('every separator, quote, bracket, blank and control character makes an address undeliverable, on either side', () => {
  for (const character of '\r\n\u0000\u0001\u001f\u007f\u0085\t\u000b\u000c <>,;:"()[]\\@\u00a0\u2003\u2028\u3000\ufeff\u200b\u200e\u202e\ud800') {
    assert.equal(isDeliverable(`a${character}b@example.com`), false, JSON.stringify(character))
    assert.equal(isDeliverable(`ann@exa${character}mple.com`), false, JSON.stringify(character))
  }
})

test('characters that Unicode compatibility maps to others are not deliverable', () => {
  for (const text of [
    'a\uff20x@b.com',
    'a\ufe6bx@b.com',
    'a@b.com\uff0cc',
    'mi\u212ae@b.com',
    'a@\ufb01sh.com',
    '\uff41@b.com',
    'u\u0308@b.com',
  ]) {
    assert.equal(isDeliverable(text), false, text)
  }
})

test('a text that a mail program might decode is not deliverable', () => {
  for (const text of ['=?utf-8?q?x=40y.com?=@z.com', 'a@=?utf-8?q?x?=', '=?x@b.com', 'a@%61b.com', 'a@b=2ecom']) {
    assert.equal(isDeliverable(text), false, text)
  }
})

test('a domain is labels of letters, digits, hyphens and underscores between single dots', () => {
  for (const text of ['a@localhost', 'a@b_c.example', 'a@127.0.0.1', 'a@xn--mnchen-3ya.example', 'a@हिन्दी.example']) {
    assert.equal(isDeliverable(text), true, text)
  }
  for (const text of [
    'a@b/c',
    'a@b?c',
    'a@b#c',
    'a@b!c',
    "a@b'c",
    'a@b{c}',
    'a@b`c',
    'a@.b.com',
    'a@b..com',
    'a@b.com.',
    'a@.',
    'a@b\u3002com',
  ]) {
    assert.equal(isDeliverable(text), false, text)
  }
})

test('the limits are 254 bytes, and 64 before the @', () => {
  const host = `${'h'.repeat(60)}.${'h'.repeat(60)}.${'h'.repeat(63)}.example` // 193 bytes
  const longest = `${'a'.repeat(60)}@${host}`
  assert.equal(longest.length, 254)
  assert.equal(isDeliverable(longest), true)
  assert.equal(isDeliverable(`${longest}x`), false)
  assert.equal(isDeliverable(`ü${longest.slice(1)}`), false)
  assert.equal(isDeliverable(`${'a'.repeat(64)}@b.com`), true)
  assert.equal(isDeliverable(`${'a'.repeat(65)}@b.com`), false)
  assert.equal(isDeliverable(`${'ü'.repeat(32)}@b.com`), true)
  assert.equal(isDeliverable(`${'ü'.repeat(32)}a@b.com`), false)
})
