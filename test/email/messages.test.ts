import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  confirmationLinkMail,
  confirmEmailLink,
  escapeHtml,
  passwordResetCodeMail,
  passwordResetLinkMail,
  resetPasswordLink,
  withQuery,
} from '../../src/email/messages.js'

const link = "https://api.example.com/confirmEmail?userId=1&code=a+b'c"

test("the confirmation mail is the reference's, to the letter", () => {
  assert.deepEqual(confirmationLinkMail('ann@example.com', link), {
    to: 'ann@example.com',
    subject: 'Confirm your email',
    html: "Please confirm your account by <a href='https://api.example.com/confirmEmail?userId=1&amp;code=a&#x2B;b&#x27;c'>clicking here</a>.",
    text: `Please confirm your account by opening this link:\n\n${link}\n`,
  })
})

test("the mail with a reset link is the reference's, to the letter", () => {
  assert.deepEqual(passwordResetLinkMail('ann@example.com', link), {
    to: 'ann@example.com',
    subject: 'Reset your password',
    html: "Please reset your password by <a href='https://api.example.com/confirmEmail?userId=1&amp;code=a&#x2B;b&#x27;c'>clicking here</a>.",
    text: `Please reset your password by opening this link:\n\n${link}\n`,
  })
})

test("the mail with a reset code is the reference's, to the letter", () => {
  assert.deepEqual(passwordResetCodeMail('ann@example.com', 'Q2ZESjhB-_0'), {
    to: 'ann@example.com',
    subject: 'Reset your password',
    html: 'Please reset your password using the following code: Q2ZESjhB-_0',
    text: 'Please reset your password using the following code:\n\nQ2ZESjhB-_0\n',
  })
})

test('a hostile link or code stays text in the html', () => {
  const evil = '\'><script>alert("1")</script>'
  const escaped = '&#x27;&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;'
  assert.equal(
    confirmationLinkMail('a@b', evil).html,
    `Please confirm your account by <a href='${escaped}'>clicking here</a>.`,
  )
  assert.equal(
    passwordResetLinkMail('a@b', evil).html,
    `Please reset your password by <a href='${escaped}'>clicking here</a>.`,
  )
  assert.equal(
    passwordResetCodeMail('a@b', evil).html,
    `Please reset your password using the following code: ${escaped}`,
  )
})

test('of printable ASCII only six characters are escaped', () => {
  const printable = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i))
  const escaped = printable.filter((character) => escapeHtml(character) !== character)
  assert.deepEqual(escaped, ['"', '&', "'", '+', '<', '>'])
  assert.equal(escapeHtml(escaped.join('')), '&quot;&amp;&#x27;&#x2B;&lt;&gt;')
})

test('everything else becomes a hexadecimal reference to its code point', () => {
  assert.equal(escapeHtml('ü€\u{1f600}'), '&#xFC;&#x20AC;&#x1F600;')
  assert.equal(escapeHtml('\u0000\n\u007f\u00a0\u2028'), '&#x0;&#xA;&#x7F;&#xA0;&#x2028;')
  assert.equal(escapeHtml('\ud800x'), '&#xFFFD;x')
})

test('a confirmation link carries userId, code and changedEmail in this order, percent-encoded', () => {
  const base = 'https://api.example.com/account/confirmEmail'
  assert.equal(confirmEmailLink(base, { userId: '0199-1', code: 'QQ-_' }), `${base}?userId=0199-1&code=QQ-_`)
  assert.equal(
    confirmEmailLink(base, { code: 'QQ-_', changedEmail: "o'n+x&code=1@example.com", userId: 'a b#ü' }),
    `${base}?userId=a%20b%23%C3%BC&code=QQ-_&changedEmail=o%27n%2Bx%26code%3D1%40example.com`,
  )
})

test('a reset link carries email and code in this order', () => {
  assert.equal(
    resetPasswordLink('https://app.example.com/reset', { email: 'a+b@example.com', code: 'QQ' }),
    'https://app.example.com/reset?email=a%2Bb%40example.com&code=QQ',
  )
})

test("every query parser reads a link's values back unchanged", () => {
  const value = '-._~!\'()*;:@&=+$,/?#[]% "<>\\^`{|}\u00fc\u{1f600}'
  const url = withQuery('https://app.example.com/', [
    ['v', value],
    ['w', ''],
  ])
  assert.equal(new URL(url).searchParams.get('v'), value)
  assert.equal(decodeURIComponent(/[?&]v=([^&]*)/.exec(url)![1]!), value)
  assert.match(url, /^[!-~]+&w=$/)
})

test('a query or fragment of the base is kept', () => {
  const pairs = [
    ['a', '1'],
    ['b', '2'],
  ] as const
  assert.equal(withQuery('https://app.example.com/x?lang=de', pairs), 'https://app.example.com/x?lang=de&a=1&b=2')
  assert.equal(
    withQuery('https://app.example.com/x?lang=de%2Fat&', pairs),
    'https://app.example.com/x?lang=de%2Fat&a=1&b=2',
  )
  assert.equal(withQuery('https://app.example.com/x?', pairs), 'https://app.example.com/x?a=1&b=2')
  assert.equal(withQuery('https://app.example.com', pairs), 'https://app.example.com/?a=1&b=2')
  assert.equal(withQuery('https://app.example.com/#/confirm', pairs), 'https://app.example.com/?a=1&b=2#/confirm')
  assert.equal(withQuery('app.example:/confirm', pairs), 'app.example:/confirm?a=1&b=2')
  assert.equal(withQuery('https://app.example.com/x?lang=de', []), 'https://app.example.com/x?lang=de')
})

test('a base that is no absolute URL makes no link', () => {
  for (const base of ['', '/confirmEmail', 'app.example.com/x', 'https://'])
    assert.throws(() => withQuery(base, []), TypeError)
})
