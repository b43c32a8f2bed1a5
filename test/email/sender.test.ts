import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { DeliveryFailed } from '../../src/email/delivery-failed.js'
import {
  createSender,
  type EmailOption,
  type EmailSender,
  type MailMessage,
  type MailUser,
} from '../../src/email/sender.js'
import { SmtpServer } from '../support/smtp-server.js'

const user: MailUser = { id: '1', userName: 'ann@example.com', email: 'ann@example.com' }
const server = new SmtpServer()
const hostile = [
  '"e@attacker.com"@victim.com',
  'attacker@x.com,victim@y.com',
  'a@x.com\r\nBcc: b@x.com',
  'Ann <ann@example.com>',
  'ann',
  '',
]

before(() => server.start())
after(() => server.stop())

test('a sender of messages gets the default texts, links and codes raw in the text and escaped in the html', async () => {
  const messages: MailMessage[] = []
  const sender = createSender({
    send: (message) => {
      messages.push(message)
      return Promise.resolve()
    },
  })
  await sender.sendConfirmationLink(user, 'new@example.com', 'https://x.example/?a=1&b=2')
  await sender.sendPasswordResetLink(user, 'new@example.com', 'https://x.example/?a=1&b=2')
  await sender.sendPasswordResetCode(user, 'new@example.com', 'QQ-_')
  await sender.sendSecurityNotice(user, 'new@example.com', 'recoveryCodeUsed')
  assert.deepEqual(
    messages.map(({ to, subject, html }) => [to, subject, html]),
    [
      [
        'new@example.com',
        'Confirm your email',
        "Please confirm your account by <a href='https://x.example/?a=1&amp;b=2'>clicking here</a>.",
      ],
      [
        'new@example.com',
        'Reset your password',
        "Please reset your password by <a href='https://x.example/?a=1&amp;b=2'>clicking here</a>.",
      ],
      ['new@example.com', 'Reset your password', 'Please reset your password using the following code: QQ-_'],
      ['new@example.com', 'Security notice', messages[3]!.text.trimEnd()],
    ],
  )
  assert.match(messages[3]!.text, /^A recovery code of your account was used\. /)
  assert.ok(messages[0]!.text.split('\n').includes('https://x.example/?a=1&b=2'))
})

test('a sender of messages never gets an address that reads as more than one mailbox', async () => {
  const messages: MailMessage[] = []
  const sender = createSender({
    send: (message) => {
      messages.push(message)
      return Promise.resolve()
    },
  })
  for (const email of hostile) {
    const sending = [
      () => sender.sendConfirmationLink(user, email, 'QQ'),
      () => sender.sendPasswordResetLink(user, email, 'QQ'),
      () => sender.sendPasswordResetCode(user, email, 'QQ'),
      () => sender.sendSecurityNotice(user, email, 'passwordChanged'),
    ]
    for (const send of sending) {
      await assert.rejects(send, (error: unknown) => {
        assert.ok(error instanceof DeliveryFailed && error.permanent)
        assert.equal(error.message, 'The recipient is not an address that mail can be sent to')
        return true
      })
    }
  }
  assert.deepEqual(messages, [])
})

test("a host's own sender gets user, address and the raw link, keeps its this, and is never closed", async () => {
  class Own implements EmailSender {
    readonly calls: unknown[][] = []
    closed = false
    sendConfirmationLink(...call: unknown[]) {
      return this.#keep('confirm', call)
    }
    sendPasswordResetLink(...call: unknown[]) {
      return this.#keep('link', call)
    }
    sendPasswordResetCode(...call: unknown[]) {
      return this.#keep('code', call)
    }
    close() {
      this.closed = true
    }
    #keep(kind: string, call: unknown[]) {
      this.calls.push([kind, ...call])
      return Promise.resolve()
    }
  }
  const own = new Own()
  const sender = createSender(own)
  await sender.sendConfirmationLink(user, 'a@b', 'https://x.example/?a&b')
  await sender.sendPasswordResetLink(user, 'a@b', 'https://x.example/?c')
  await sender.sendPasswordResetCode(user, 'a@b', 'QQ')
  sender.close?.()
  assert.deepEqual(own.calls, [
    ['confirm', user, 'a@b', 'https://x.example/?a&b'],
    ['link', user, 'a@b', 'https://x.example/?c'],
    ['code', user, 'a@b', 'QQ'],
  ])
  assert.equal(own.closed, false)
})

test('a sender that throws at once rejects', async () => {
  const broken = () => {
    throw new Error('out of paper')
  }
  await assert.rejects(createSender({ send: broken }).sendPasswordResetCode(user, 'a@b', 'QQ'), /out of paper/)
  const sender = createSender({
    sendConfirmationLink: broken,
    sendPasswordResetLink: broken,
    sendPasswordResetCode: broken,
  })
  await assert.rejects(sender.sendPasswordResetCode(user, 'a@b', 'QQ'), /out of paper/)
  // Written by an instance that has option `notices`: only such an instance can send it.
  await assert.rejects(sender.sendSecurityNotice(user, 'a@b', 'passwordChanged'), /has no sendSecurityNotice/)
})

test('an SMTP URL delivers the default texts to exactly the address', async () => {
  const sender = createSender(server.url)
  await sender.sendConfirmationLink(user, 'ann+new@example.com', 'https://x.example/?a=1&b=2')
  for (const email of hostile) await assert.rejects(sender.sendConfirmationLink(user, email, 'l'), DeliveryFailed)
  sender.close?.()
  assert.equal(server.mails.length, 1)
  assert.deepEqual(server.mails[0]!.to, ['ann+new@example.com'])
  assert.equal(server.mails[0]!.subject, 'Confirm your email')
  assert.equal(
    server.mails[0]!.html.trimEnd(),
    "Please confirm your account by <a href='https://x.example/?a=1&amp;b=2'>clicking here</a>.",
  )
  assert.equal(
    server.mails[0]!.text,
    'Please confirm your account by opening this link:\n\nhttps://x.example/?a=1&b=2\n',
  )
  await assert.rejects(sender.sendConfirmationLink(user, 'ann@example.com', 'l'), /closed/)
})

test('a value of none of the three kinds stops the start, and the error names all three', () => {
  const wrong: readonly unknown[] = [
    null,
    undefined,
    42,
    true,
    {},
    [],
    { send: 'x' },
    { sendConfirmationLink: () => undefined },
    () => undefined,
  ]
  for (const option of wrong) {
    // A JavaScript host may pass anything.
    assert.throws(() => createSender(option as EmailOption), {
      code: 'FST_IDENTITY_INVALID_OPTION',
      message:
        /^Option 'email' is no sender\. Pass an object with sendConfirmationLink, .* send\(message\), or an SMTP URL$/,
    })
  }
})
