// Where mailed links point: publicUrl and our own prefix, whatever a request says about its host (security EM-01, T07).
import Fastify from 'fastify'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import identity, { type Identity } from '../../src/index.js'
import type { AppOptions } from '../support/app.js'
import { createMailbox } from '../../src/testing/index.js'
import { type Letter, type MailApp, publicUrl, withMailApp } from '../support/mailbox.js'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'

const hostile: Readonly<Record<string, string>>[] = [
  { host: 'evil.example' },
  { host: 'evil.example:8080' },
  { host: 'evil.example/x?' },
  { host: 'id.example.com@evil.example' },
  { 'x-forwarded-host': 'evil.example' },
  { 'x-forwarded-host': 'evil.example, id.example.com', 'x-forwarded-proto': 'http' },
  { 'x-forwarded-proto': 'javascript', 'x-forwarded-port': '666' },
  { forwarded: 'for=127.0.0.1;host=evil.example;proto=http' },
  { 'x-forwarded-prefix': '/evil', 'x-forwarded-path': '/evil', 'x-original-url': '/evil', 'x-rewrite-url': '/evil' },
  { 'x-forwarded-server': 'evil.example', 'x-host': 'evil.example', 'x-original-host': 'evil.example' },
  { origin: 'https://evil.example', referer: 'https://evil.example/reset' },
  {
    host: 'evil.example',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-for': '10.0.0.1',
    'x-forwarded-proto': 'https',
  },
]

/** Every mail that a request can cause, sent with `headers`. */
async function everyMail(app: MailApp, headers: Readonly<Record<string, string>>): Promise<readonly Letter[]> {
  const email = `${Math.floor(performance.now() * 1000)}@example.com`
  const password = 'Correct-Horse-7'
  return app.mailsOf(async () => {
    const call = async (path: string, json: unknown, token?: string) => {
      const answer = await app.call('POST', `/account${path}`, {
        json,
        headers,
        ...(token === undefined ? {} : { token }),
      })
      assert.equal(answer.status, 200, `${path} ${answer.body}`)
      return answer
    }
    await call('/register', { email, password })
    await call('/resendConfirmationEmail', { email })
    await app.sql('update users set email_confirmed = true where email = $1', [email])
    await call('/forgotPassword', { email })
    const { accessToken } = (await call('/login', { email, password })).json() as { accessToken: string }
    await call('/manage/info', { newEmail: `new-${email}` }, accessToken)
  })
}

const oneHop = (_address: string, hop: number) => hop < 1

for (const trustProxy of [false, true, '10.0.0.1', '127.0.0.1', oneHop]) {
  test(`no header moves a mailed link while trustProxy is ${typeof trustProxy === 'function' ? 'one hop' : JSON.stringify(trustProxy)}`, () =>
    withMailApp(
      {
        server: { trustProxy },
        identity: { links: { resetPassword: 'https://app.example.com/reset' } },
      },
      async (app) => {
        // The very first request after the start is a hostile one too.
        for (const headers of hostile) {
          const letters = await everyMail(app, headers)
          assert.deepEqual(letters.map(({ kind }) => kind).sort(), [
            'confirmationLink',
            'confirmationLink',
            'confirmationLink',
            'passwordResetLink',
          ])
          for (const { kind, content } of letters) {
            const start =
              kind === 'passwordResetLink'
                ? 'https://app.example.com/reset?email='
                : `${publicUrl}/account/confirmEmail?userId=`
            assert.ok(content.startsWith(start), content)
            assert.ok(!content.includes('evil'), content)
          }
        }
      },
    ))
}

test('publicUrl keeps its port and its scheme', () =>
  withMailApp({ identity: { publicUrl: 'http://127.0.0.1:3000' } }, async (app) => {
    const letter = await app.mailOf(() => app.register())
    assert.ok(letter.content.startsWith('http://127.0.0.1:3000/account/confirmEmail?userId='))
  }))

test('a link goes to the prefix of the whole path, where the host registers us below one of its own', async () => {
  const mailbox = createMailbox()
  const app = Fastify()
  await app.register(
    async (scope) => {
      await scope.register(identity, {
        prefix: '/account',
        publicUrl,
        email: mailbox,
        database: await databaseUrl(),
        schema: uniqueSchema(),
        password: { hasher: { memoryKiB: 64, iterations: 1 } },
      })
      scope.get('/flush', async () => {
        await scope.identity.mail.flush()
      })
    },
    { prefix: '/api/v1' },
  )
  try {
    await app.inject({
      method: 'POST',
      url: '/api/v1/account/register',
      payload: { email: 'ann@example.com', password: 'Correct-Horse-7' },
    })
    await app.inject('/api/v1/flush')
    const letter = mailbox.letters[0]!
    assert.ok(letter.content.startsWith(`${publicUrl}/api/v1/account/confirmEmail?userId=`), letter.content)
    assert.equal((await app.inject(letter.path)).body, 'Thank you for confirming your email.')
  } finally {
    await app.close()
  }
})

test('two realms under two prefixes: each mails links to its own, and neither takes the code of the other', async () => {
  const staffBox = createMailbox()
  const options: AppOptions = {
    after: async (app) => {
      await app.register(identity, {
        prefix: '/staff',
        decorator: 'staff',
        publicUrl: 'https://staff.example.com',
        email: staffBox,
        database: await databaseUrl(),
        schema: uniqueSchema(),
        password: { hasher: { memoryKiB: 64, iterations: 1 } },
      })
    },
  }
  await withMailApp(options, async (app) => {
    const person = { email: 'ann@example.com', password: 'Correct-Horse-7' }
    const customer = await app.mailOf(() => app.register(person))
    assert.equal((await app.call('POST', '/staff/register', { json: person })).status, 200)
    await (app.app as unknown as { staff: Identity }).staff.mail.flush() // a decorator's name of the host's choice
    const staff = staffBox.letters[0]!
    assert.ok(customer.content.startsWith(`${publicUrl}/account/confirmEmail?`))
    assert.ok(staff.content.startsWith('https://staff.example.com/staff/confirmEmail?'))
    assert.equal((await app.call('GET', customer.path.replace('/account/', '/staff/'))).status, 401)
    assert.equal((await app.call('GET', staff.path.replace('/staff/', '/account/'))).status, 401)
    assert.equal((await app.call('GET', customer.path)).status, 200)
    assert.equal((await app.call('GET', staff.path)).status, 200)
  })
})
