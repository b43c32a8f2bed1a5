// Every route that mails × addresses that some reader takes for another mailbox (security EM-02, IN-07;
// GHSA-7rqj-j65f-68wh, GHSA-5jpx-9hw9-2fx4, GHSA-mm7p-fcc7-pg87, CVE-2022-35924). Delivered to a real SMTP server: what
// counts is who is named in the envelope and in the header.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { domainToASCII } from 'node:url'
import { goodPassword, startApp, type TestApp } from '../support/app.js'
import { publicUrl } from '../support/mailbox.js'
import { SmtpServer } from '../support/smtp-server.js'

const victim = 'mike.knight@example.com'
const thief = 'eve@evil.example'

const separated = [',', ';', ' ', ', ', '\t', '\r\n', '\n', '\0', ':', '|', '%2c', '%0d%0a'].flatMap((between) => [
  `${victim}${between}${thief}`,
  `${thief}${between}${victim}`,
  `eve${between}${victim}`,
  `${victim}${between}eve`,
])

const quoted = [
  `"${thief}"@example.com`,
  `"${thief} x"@example.com`,
  `"${thief}\\"@example.com`,
  `"eve\\@evil.example"@example.com`,
  `(${thief})${victim}`,
  `${victim}(${thief})`,
  `<${thief}>${victim}`,
  `${victim}<${thief}>`,
  `<${thief}>`,
  `Mike <${thief}>`,
  `"${victim}" <${thief}>`,
  `${victim} <${thief}>`,
  `eve@[evil.example]`,
  `@evil.example:${victim}`,
  `eve%evil.example@example.com`,
  `evil.example!eve@example.com`,
  `${thief}>`,
  `<${thief}`,
  `eve@evil.example#@example.com`,
  `"mike.knight"@example.com`,
  `mike.knight@"example.com"`,
  `mike.knight@example.com.`,
  `mike.knight@example.com@evil.example`,
  `mike.knight@evil.example@example.com`,
]

const headers = [
  `${victim}\r\nBcc: ${thief}`,
  `${victim}\nBcc: ${thief}`,
  `${victim}\rBcc: ${thief}`,
  `${victim}\r\n\r\nBcc: ${thief}`,
  `${victim}%0ABcc:${thief}`,
  `${victim}\u2028Bcc: ${thief}`,
  `${victim}\u0085Bcc: ${thief}`,
  `${victim}>\r\nRCPT TO:<${thief}`,
  `${victim}> NOTIFY=SUCCESS`,
  `=?utf-8?q?=40?=${thief}`,
  `=?utf-8?b?${Buffer.from(thief).toString('base64')}?=@example.com`,
]

// Letters that some folding or normalising makes others of.
const lookalike = [
  'mıke.knight@example.com',
  'mİke.knight@example.com',
  'mike.\u212Anight@example.com',
  'mike.knight@\u0435xample.com',
  'mike.kni\u{1D4F0}ht@example.com',
  'ｍike.knight@example.com',
  'mike.knight＠example.com',
  'mike.knight﹫example.com',
  `mike.knight@example.com＠evil.example`,
  `eve＠evil.example@example.com`,
  'mike.knight@example。com',
  'mike.knight@example．com',
  'mike.knight@ex\u00ADample.com',
  'mike.knight@example.com\u200B',
  '\u202Emike.knight@example.com',
  'mike\u0307.knight@example.com',
  'mike.knight@exa\uFB01ple.com',
  'mike.knight@xn--exmple-cua.com',
  'ＭIKE.KNIGHT@EXAMPLE.COM',
  'mike.knightß@example.com',
  'ſike.knight@example.com',
]

const respelled = [
  victim.toUpperCase(),
  'Mike.Knight@Example.com',
  ` ${victim}`,
  `${victim} `,
  `\t${victim}`,
  `mailto:${victim}`,
  'mike.knight+x@example.com',
  'mikeknight@example.com',
  `${victim}\0`,
  `\ufeff${victim}`,
]

const hostile = [...separated, ...quoted, ...headers, ...lookalike, ...respelled]

/** As it travels: a host name of other letters in its ASCII form (RFC 5890). */
function mailbox(email: string): string {
  const at = email.indexOf('@')
  return `${email.slice(0, at)}@${domainToASCII(email.slice(at + 1))}`
}

async function startAll(): Promise<TestApp[]> {
  const options = { publicUrl, email: smtp.url, links: { resetPassword: 'https://app.example.com/reset' } }
  return [
    await startApp({ identity: options }),
    // A host that lets any character be part of a name has not said that any text is an address.
    await startApp({ identity: { ...options, user: { allowedUserNameCharacters: null } } }),
    await startApp({ identity: { ...options, user: { userNameIsEmail: false, allowedUserNameCharacters: '' } } }),
  ]
}

let smtp: SmtpServer
let apps: TestApp[]

before(async () => {
  smtp = await new SmtpServer().start()
  apps = await startAll()
})

after(async () => {
  for (const app of apps) await app.close()
  await smtp.stop()
})

/** Where mails went since the last look: each to one mailbox, which its header names too. */
async function recipients(app: TestApp): Promise<string[]> {
  await app.app.identity.mail.flush()
  return smtp.mails.splice(0).map((mail) => {
    assert.equal(mail.to.length, 1, mail.raw)
    assert.deepEqual(mail.headers.get('to'), [mail.to[0]], mail.raw)
    for (const name of ['cc', 'bcc', 'reply-to']) assert.equal(mail.headers.get(name), undefined, mail.raw)
    return mail.to[0]!
  })
}

test('no address makes a mail of a user go anywhere but to the stored address', async () => {
  for (const app of apps) {
    assert.equal(
      (await app.call('POST', '/account/register', { json: { email: victim, password: goodPassword } })).status,
      200,
    )
    await app.sql('update users set email_confirmed = true')
    assert.deepEqual(await recipients(app), [victim])
    await Promise.all(
      hostile.flatMap((email) =>
        ['/forgotPassword', '/resendConfirmationEmail'].map(async (path) => {
          assert.equal(
            (await app.call('POST', `/account${path}`, { json: { email } })).status,
            200,
            `${path} ${JSON.stringify(email)}`,
          )
        }),
      ),
    )
    // Two mails for each spelling in letters of another case or with blanks around it; the Kelvin sign is no K.
    const own = hostile.filter(
      (email) => email.replace(/^[ \t]+|[ \t]+$/g, '').toLowerCase() === victim && !/[\u212A\ufeff]/.test(email),
    )
    assert.ok(own.length >= 5)
    assert.deepEqual(
      await recipients(app),
      Array.from({ length: 2 * own.length }, () => victim),
    )
  }
})

/** The victim has an account, whose address gets no link for another user where it is the user name too. */
const isTaken = (email: string) => /^[ -~]+$/.test(email.trim()) && email.trim().toLowerCase() === victim

// In this order: what has been registered is taken.
for (const path of ['/manage/info', '/register']) {
  test(`${path} mails to nobody but the one mailbox that was typed`, async () => {
    for (const app of apps) {
      const refusesTaken = path === '/manage/info' && app !== apps[2]
      const { accessToken } = await app.signIn()
      await recipients(app)
      const mailed = await Promise.all(
        hostile.map(async (email) => {
          const json = path === '/register' ? { email, userName: email, password: goodPassword } : { newEmail: email }
          const { status } = await app.call('POST', `/account${path}`, { token: accessToken, json })
          assert.ok([200, 400].includes(status), `${status} ${JSON.stringify(email)}`)
          // Blanks around an address are not part of it.
          const isMailed = status === 200 && !(refusesTaken && isTaken(email))
          return isMailed ? [mailbox(email.trim())] : []
        }),
      )
      assert.deepEqual((await recipients(app)).sort(), mailed.flat().sort())
    }
  })
}

test('neither the thief nor a mail server on the way was ever named', () => {
  const named = smtp.commands.filter((line) => /^(RCPT|MAIL)/i.test(line))
  assert.ok(named.length > 10)
  assert.deepEqual(
    named.filter((line) => line.includes(thief) || /^RCPT TO:<[^<>]*[,;:"()[\]\\\s][^<>]*>/i.test(line)),
    [],
  )
})

test('what was refused is in no row, and nothing waits to be sent', async () => {
  for (const app of apps) {
    assert.deepEqual(await app.sql('select kind from outbox'), [])
    for (const { email } of await app.sql('select email from users'))
      assert.ok(/^[^\s,;:"()<>[\]\\\p{C}]+@[^\s,;:"()<>[\]\\\p{C}@]+$/u.test(String(email)), String(email))
  }
})
