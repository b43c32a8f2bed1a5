import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { DeliveryFailed } from '../../src/email/delivery-failed.js'
import { smtpLimits, smtpSender } from '../../src/email/smtp.js'
import { readSmtpUrl } from '../../src/email/smtp-url.js'
import { SmtpServer } from '../support/smtp-server.js'

const server = new SmtpServer()
const message = { to: 'ann@example.com', subject: 'Hello', html: '<p>Hello</p>', text: 'Hello\n' }

before(() => server.start())
after(() => server.stop())
afterEach(() => {
  Object.assign(server, { mode: 'accept', rejection: '550 5.1.1 no such mailbox', contentRejection: null })
  server.mails.length = 0
  server.commands.length = 0
})

test('a mail reaches the server with exactly one recipient, both bodies and the sender of the URL', async () => {
  const link = `https://api.example.com/confirmEmail?userId=1&code=${'Q2ZE-_'.repeat(100)}`
  const bodies = { html: `<a href='${link}'>ü</a>`, text: `Open:\n\n${link}\n` }
  await smtpSender(readSmtpUrl(server.url)).send({ to: 'a+b@example.com', subject: 'Confirm your email', ...bodies })

  const [mail, ...others] = server.mails
  assert.deepEqual(others, [])
  assert.deepEqual(mail!.to, ['a+b@example.com'])
  assert.equal(mail!.from, 'no-reply@example.com')
  assert.deepEqual(mail!.headers.get('to'), ['a+b@example.com'])
  assert.deepEqual(mail!.headers.get('from'), ['no-reply@example.com'])
  assert.deepEqual(mail!.headers.get('auto-submitted'), ['auto-generated'])
  assert.equal(mail!.subject, 'Confirm your email')
  assert.equal(mail!.html.trimEnd(), bodies.html)
  assert.equal(mail!.text, bodies.text)
})

test('a sender with a name is written with it, and alone into the envelope', async () => {
  const settings = readSmtpUrl(server.url, 'Müller, Ann <ann@example.org>')
  assert.deepEqual(settings.from, { name: 'Müller, Ann', address: 'ann@example.org' })
  await smtpSender(settings).send(message)
  assert.equal(server.mails[0]!.from, 'ann@example.org')
  assert.match(server.mails[0]!.headers.get('from')![0]!, /^=\?UTF-8\?.* <ann@example\.org>$/)
})

test('a recipient that reads as two, or as another, is refused for good before the server is asked', async () => {
  const sender = smtpSender(readSmtpUrl(server.url))
  for (const to of [
    'attacker@x.com,victim@y.com',
    '"e@attacker.com"@victim.com',
    'Victim <victim@y.com>',
    'a@x.com\r\nRCPT TO:<b@x.com>',
    '',
  ]) {
    await assert.rejects(sender.send({ ...message, to }), failure(/not an address that mail can be sent to$/, true))
  }
  assert.deepEqual(server.commands, [])
})

test('every address that may be sent to arrives as the same mailbox', async () => {
  const sender = smtpSender(readSmtpUrl(server.url))
  const arrives: readonly (readonly [to: string, asWhat: string])[] = [
    ...[
      'a@b',
      "o'neil@example.com",
      'a/b=c@example.com',
      '!#$%&*?^`{|}~@example.com',
      '-x@example.com',
      'j\u00fcrgen@example.de',
    ].map((to) => [to, to] as const),
    ['.a..b.@example.com', '".a..b."@example.com'], // quoted as RFC 5321 §4.1.2 asks, the mailbox is the same
    ['Ann@EXAMPLE.com', 'Ann@example.com'],
    ['ann@m\u00fcnchen.example', 'ann@xn--mnchen-3ya.example'], // RFC 5891
  ]
  for (const [to] of arrives) await sender.send({ ...message, to })
  assert.deepEqual(
    server.mails.map((mail) => mail.to),
    arrives.map(([, asWhat]) => [asWhat]),
  )
})

test('line breaks in subject and bodies add no header and end no mail', async () => {
  const text = 'one\r\n.\r\nQUIT\r\n..two\r\n'
  await smtpSender(readSmtpUrl(server.url)).send({
    ...message,
    subject: 'x\r\nBcc: evil@example.com\r\n\r\nbody',
    text,
  })
  assert.equal(server.mails.length, 1)
  assert.deepEqual(server.mails[0]!.to, ['ann@example.com'])
  assert.equal(server.mails[0]!.headers.has('bcc'), false)
  assert.equal(server.mails[0]!.text, 'one\n.\nQUIT\n..two\n')
})

test('bodies that look like references to files and URLs are sent as they are', async () => {
  const html = JSON.stringify({ path: '/etc/passwd', href: server.url })
  await smtpSender(readSmtpUrl(server.url)).send({ ...message, html, text: '/etc/passwd' })
  assert.equal(server.mails[0]!.html.trimEnd(), html)
  assert.equal(server.mails[0]!.text.trimEnd(), '/etc/passwd')
})

test('user and password of the URL are decoded and presented', async () => {
  await smtpSender(readSmtpUrl(server.url.replace('//', '//ann%40example.com:p%3Ass%2F%40@'))).send(message)
  const credentials = server.commands.find((line) => line.startsWith('AUTH PLAIN '))!.slice('AUTH PLAIN '.length)
  assert.equal(Buffer.from(credentials, 'base64').toString(), '\u0000ann@example.com\u0000p:ss/@')
  assert.equal(server.mails.length, 1)
})

test('a server without STARTTLS sees neither password nor mail when TLS is required', async () => {
  const sender = smtpSender(readSmtpUrl(server.url.replace('//', '//ann:secret@') + '&requireTLS=true'))
  await assert.rejects(sender.send(message), DeliveryFailed)
  assert.deepEqual(server.mails, [])
  assert.equal(
    server.commands.some((line) => line.startsWith('AUTH') || line.startsWith('MAIL')),
    false,
  )
})

test('a server that is down rejects the mail, and accepts it once it is back on its port', async () => {
  const sender = smtpSender(readSmtpUrl(server.url))
  await server.stop()
  await assert.rejects(sender.send(message), failure(/ECONNREFUSED/, false))
  await server.start()
  await sender.send(message)
  assert.equal(server.mails.length, 1)
})

test('a server that says nothing is given up after the greeting limit', async () => {
  server.mode = 'hang'
  const sender = smtpSender(readSmtpUrl(server.url), { ...smtpLimits, greetingMs: 50 })
  await assert.rejects(sender.send(message), failure(/Greeting/, false))
})

test('a server that sends its answers too slowly is given up after the total limit', async () => {
  Object.assign(server, { mode: 'slow', delayMs: 100 })
  const sender = smtpSender(readSmtpUrl(server.url), { ...smtpLimits, totalMs: 150 })
  await assert.rejects(sender.send(message), failure(/within 150 ms/, false))
  assert.deepEqual(server.mails, [])
})

test('a slow server still gets the mail', async () => {
  Object.assign(server, { mode: 'slow', delayMs: 20 })
  await smtpSender(readSmtpUrl(server.url)).send(message)
  assert.equal(server.mails.length, 1)
})

test('a connection that the server closes rejects the mail', async () => {
  server.mode = 'drop'
  await assert.rejects(smtpSender(readSmtpUrl(server.url)).send(message), failure(/closed/, false))
  assert.deepEqual(server.mails, [])
})

test('a mail whose answer is lost is rejected although the server has it', async () => {
  server.mode = 'lose-answer'
  await assert.rejects(smtpSender(readSmtpUrl(server.url)).send(message), failure(/closed/, false))
  assert.equal(server.mails.length, 1)
})

test('a busy server causes a temporary failure', async () => {
  server.mode = 'refuse'
  await assert.rejects(smtpSender(readSmtpUrl(server.url)).send(message), failure(/421/, false))
})

test('only an unknown mailbox is refused for good', async () => {
  const forGood = [
    '550 5.1.1 no such user',
    '550 no such user',
    '551 not here',
    '553 bad name',
    '554 5.1.2 no such domain',
    '556 5.1.10 no mail here',
  ]
  const forNow = [
    '450 4.2.1 later',
    '451 later',
    '503 5.5.1 out of order',
    '550 5.1.8 sender rejected',
    '550 5.7.1 no relaying',
    '552 5.2.2 full',
    '554 5.7.1 relay access denied',
    '554 denied',
  ]
  server.mode = 'reject'
  for (const rejection of [...forGood, ...forNow]) {
    server.rejection = rejection
    const refused = failure(new RegExp(`at RCPT TO: ${rejection}$`), forGood.includes(rejection))
    await assert.rejects(smtpSender(readSmtpUrl(server.url)).send(message), refused)
  }
})

test('a server that quotes the mail in its refusal is not quoted', async () => {
  for (const rejection of ['554 5.6.0 your link code=hunter2 is spam', 'code=hunter2 what?', '421 4.3.0 hunter2']) {
    server.contentRejection = rejection
    await assert.rejects(
      smtpSender(readSmtpUrl(server.url)).send({ ...message, text: 'code=hunter2' }),
      (error: unknown) => {
        assert.ok(error instanceof DeliveryFailed)
        assert.doesNotMatch(`${error.message}${String(error.stack)}${JSON.stringify(error)}`, /hunter2/)
        assert.equal(error.cause, undefined)
        // The message is refused, and a retry would send the same one. A server that speaks no SMTP may be mended.
        assert.equal(error.permanent, rejection.startsWith('554'))
        return true
      },
    )
  }
})

test('closing aborts deliveries in progress and refuses new ones', async () => {
  server.mode = 'hang'
  const sender = smtpSender(readSmtpUrl(server.url))
  const connected = server.connected()
  const refused = assert.rejects(sender.send(message), failure(/closed/, false))
  await connected
  sender.close()
  await refused
  server.mode = 'accept'
  await assert.rejects(sender.send(message), failure(/closed/, false))
  assert.deepEqual(server.mails, [])
})

function failure(message: RegExp, permanent: boolean): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof DeliveryFailed, String(error))
    assert.match(error.message, message)
    assert.equal(error.permanent, permanent, error.message)
    return true
  }
}
