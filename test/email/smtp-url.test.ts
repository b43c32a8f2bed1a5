import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readSmtpUrl } from '../../src/email/smtp-url.js'

test('TLS is required when a password goes to another machine, unless the URL says otherwise', () => {
  const requires = (url: string) => readSmtpUrl(`${url}?from=a@b`).requireTLS
  assert.equal(requires('smtp://ann:secret@mail.example.com'), true)
  assert.equal(requires('smtp://ann:secret@127.example.com'), true)
  assert.equal(requires('smtp://mail.example.com'), false)
  for (const host of ['localhost', '127.0.0.1', '127.1.2.3', '[::1]'])
    assert.equal(requires(`smtp://ann:secret@${host}`), false, host)
  assert.equal(readSmtpUrl('smtp://ann:secret@mail.example.com?from=a@b&requireTLS=false').requireTLS, false)
  assert.equal(readSmtpUrl('smtp://mail.example.com?from=a@b&requireTLS=true').requireTLS, true)
})

test('scheme and port of the URL decide how the server is reached', () => {
  const settings = { requireTLS: false, auth: null, from: { name: '', address: 'a@b' } }
  assert.deepEqual(readSmtpUrl('smtp://mail.example.com?from=a@b'), {
    ...settings,
    host: 'mail.example.com',
    port: 587,
    secure: false,
  })
  assert.deepEqual(readSmtpUrl('smtps://mail.example.com/?from=a%40b'), {
    ...settings,
    host: 'mail.example.com',
    port: 465,
    secure: true,
  })
  assert.deepEqual(readSmtpUrl('smtp://[::1]:2525?from=a@b'), { ...settings, host: '::1', port: 2525, secure: false })
})

test('a sender given beside the URL overrides the one within', () => {
  assert.equal(readSmtpUrl('smtp://localhost?from=a@b', 'c@d').from.address, 'c@d')
  assert.equal(readSmtpUrl('smtp://localhost', 'c@d').from.address, 'c@d')
})

test('a wrong URL stops the start with an error that names the remedy and shows no part of the URL', () => {
  const wrong: readonly (readonly [url: string, problem: RegExp])[] = [
    ['', /is not an SMTP URL\. Set it to/],
    ['hunter2', /is not an SMTP URL/],
    ['mail.example.com:hunter2', /is not an SMTP URL/],
    ['hunter2://localhost', /is not an SMTP URL/],
    ['https://ann:hunter2@mail.example.com?from=a@b', /is not an SMTP URL/],
    ['smtp://ann:hunter2@mail.example.com:99999?from=a@b', /is not an SMTP URL/],
    ['smtp:?from=a@b', /without a host/],
    ['smtp://ann:hunter2@mail.example.com', /names no sender address\. Set it to a URL such as smtps:.*from=/],
    ['smtp://ann:hunter2@mail.example.com?from=', /names no sender address/],
    ['smtp://ann:hunter2@mail.example.com?from=hunter2', /sender that is not an e-mail address\. Write from as/],
    ['smtp://ann:hunter2@mail.example.com?from=a@b,c@d', /sender that is not/],
    ['smtp://ann:hunter2@mail.example.com?from=hunter2%0D%0ABcc:<a@b>', /sender that is not/],
    ['smtp://ann@mail.example.com?from=a@b', /half of its credentials/],
    ['smtp://:hunter2@mail.example.com?from=a@b', /half of its credentials/],
    [
      'smtp://ann:hunter2%@mail.example.com?from=a@b',
      /broken percent-encoding\. Write a '%' in user or password as %25$/,
    ],
    [
      'smtp://ann:12#hunter2@mail.example.com?from=a@b',
      /unknown parts\. Percent-encode user and password; the parameters are from and requireTLS/,
    ],
    ['smtp://ann:12?hunter2@mail.example.com&from=a@b', /unknown parts/],
    ['smtp://ann:12/hunter2@mail.example.com?from=a@b', /unknown parts/],
    ['smtp://mail.example.com?from=a@b&tls.rejectUnauthorized=false', /unknown parts/],
    ['smtp://mail.example.com?from=a@b&requireTLS=hunter2', /requireTLS is neither true nor false/],
  ]
  for (const [url, problem] of wrong) {
    assert.throws(
      () => readSmtpUrl(url),
      (error: NodeJS.ErrnoException) => {
        assert.equal(error.code, 'FST_IDENTITY_INVALID_OPTION')
        assert.match(error.message, /^Option 'email' /)
        assert.match(error.message, problem, url)
        assert.doesNotMatch(`${error.message}${String(error.stack)}`, /hunter2|mail\.example\.com:/)
        return true
      },
    )
  }
})
