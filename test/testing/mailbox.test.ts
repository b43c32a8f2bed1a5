import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMailbox } from '../../src/testing/index.js'
import { goodPassword, startApp } from '../support/app.js'
import { publicUrl } from '../support/mailbox.js'

const user = { id: 'id', userName: 'ada', email: 'ada@example.com' }

test('as option email it keeps the mails: a link to follow, and a code to type', async (t) => {
  const mailbox = createMailbox()
  const server = await startApp({ identity: { email: mailbox, publicUrl, notices: ['passwordChanged'] } })
  t.after(() => server.close())
  const flush = () => server.app.identity.mail.flush()
  const email = 'ada@example.com'
  await server.call('POST', '/account/register', { json: { email, password: goodPassword } })
  await flush()
  assert.deepEqual(
    [mailbox.last(email).kind, mailbox.last(email).to, mailbox.last(email).user.userName],
    ['confirmationLink', email, email],
  )
  assert.equal(mailbox.last(email).link.origin, publicUrl)
  assert.equal(mailbox.last(email).link.searchParams.get('code'), mailbox.last(email).code)
  assert.equal((await server.call('GET', mailbox.last(email).path)).status, 200)

  await server.call('POST', '/account/forgotPassword', { json: { email } })
  await flush()
  const newPassword = 'Another-Horse-8'
  assert.equal(
    (
      await server.call('POST', '/account/resetPassword', {
        json: { email, resetCode: mailbox.last(email).code, newPassword },
      })
    ).status,
    200,
  )
  assert.equal((await server.call('POST', '/account/login', { json: { email, password: newPassword } })).status, 200)
  await flush()
  assert.deepEqual(
    mailbox.letters.map(({ kind, content }) => (kind === 'securityNotice' ? content : kind)),
    ['confirmationLink', 'passwordResetCode', 'passwordChanged'],
  )
})

test('the last letter is the newest, or the newest to an address; without one there is an error with the remedy', async () => {
  const mailbox = createMailbox()
  assert.throws(() => mailbox.last(), /No mail has come; await app\.identity\.mail\.flush\(\) first/)
  await mailbox.sendPasswordResetCode(user, 'ada@example.com', 'one')
  await mailbox.sendPasswordResetCode(user, 'ada@example.com', 'two')
  await mailbox.sendPasswordResetCode(user, 'bob@example.com', 'three')
  assert.deepEqual(
    [mailbox.last().code, mailbox.last('ada@example.com').code, mailbox.letters.length],
    ['three', 'two', 3],
  )
  assert.throws(() => mailbox.last('eve@example.com'), /to eve@example\.com/)
})

test('a letter without a link or a code throws instead of returning none', async () => {
  const mailbox = createMailbox()
  await mailbox.sendPasswordResetCode(user, 'ada@example.com', 'secret')
  assert.throws(() => mailbox.last().link, /A passwordResetCode has no link/)
  assert.throws(() => mailbox.last().path, /has no link/)
  await mailbox.sendPasswordResetLink(user, 'ada@example.com', 'https://app.example.com/reset?email=a')
  assert.equal(mailbox.last().path, '/reset?email=a')
  assert.throws(() => mailbox.last().code, /This passwordResetLink has no code/)
  await mailbox.sendSecurityNotice(user, 'ada@example.com', 'passwordChanged')
  assert.throws(() => mailbox.last().code, /A securityNotice has no link/)
})
