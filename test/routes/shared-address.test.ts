// Several users with one address: possible as long as option user.requireUniqueEmail is off, as in the reference, whose
// endpoints then fail.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { expectEmpty, goodPassword } from '../support/app.js'
import { type MailApp, startMailApp } from '../support/mailbox.js'

let server: MailApp
let families = 0

before(async () => {
  server = await startMailApp({ identity: { user: { userNameIsEmail: false } } })
})
after(() => server.close())

/** Three users of one address; the first two have confirmed it. */
async function family(): Promise<{ readonly email: string; readonly names: readonly string[] }> {
  const email = `family${++families}@example.com`
  const names = ['ann', 'bob', 'cyd'].map((name) => `${name}${families}`)
  for (const userName of names) {
    expectEmpty(
      await server.call('POST', '/account/register', { json: { userName, email, password: goodPassword } }),
      200,
    )
  }
  await server.sql('update users set email_confirmed = true where user_name = any($1)', [names.slice(0, 2)])
  return { email, names }
}

const statusOfLogin = async (userName: string, password: string) =>
  (await server.call('POST', '/account/login', { json: { userName, email: '', password } })).status

test('a forgotten password of a shared address brings a code for each user who has confirmed it', async () => {
  const { email, names } = await family()
  const letters = await server.mailsOf(async () =>
    expectEmpty(await server.call('POST', '/account/forgotPassword', { json: { email } }), 200),
  )
  assert.deepEqual(letters.map(({ user }) => user.userName).sort(), names.slice(0, 2))
  assert.deepEqual(new Set(letters.map(({ to }) => to)), new Set([email]))
})

test('a code resets the password of the user it was made for, and of nobody else', async () => {
  const { email, names } = await family()
  const letters = await server.mailsOf(() => server.call('POST', '/account/forgotPassword', { json: { email } }))
  const { content } = letters.find(({ user }) => user.userName === names[1])!
  const reset = () =>
    server.call('POST', '/account/resetPassword', {
      json: { email, resetCode: content, newPassword: 'Another-Horse-8' },
    })
  expectEmpty(await reset(), 200)
  assert.deepEqual(
    [await statusOfLogin(names[1]!, 'Another-Horse-8'), await statusOfLogin(names[0]!, goodPassword)],
    [200, 200],
  )
  const again = await reset()
  assert.deepEqual((again.json() as { errors: object }).errors, { InvalidToken: ['Invalid token.'] })
})

test('another confirmation of a shared address is mailed to each of its users', async () => {
  const { email, names } = await family()
  const letters = await server.mailsOf(async () =>
    expectEmpty(await server.call('POST', '/account/resendConfirmationEmail', { json: { email } }), 200),
  )
  assert.deepEqual(letters.map(({ user }) => user.userName).sort(), names)
})

test('strangers who register with an address keep nobody from resetting the password, and cause no flood of mails', async () => {
  const email = 'victim@example.com'
  expectEmpty(
    await server.call('POST', '/account/register', { json: { userName: 'victim', email, password: goodPassword } }),
    200,
  )
  await server.sql("update users set email_confirmed = true where user_name = 'victim'")
  for (let index = 0; index < 30; index++) {
    await server.call('POST', '/account/register', {
      json: { userName: `stranger${index}`, email, password: goodPassword },
    })
  }
  const letter = await server.mailOf(async () =>
    expectEmpty(await server.call('POST', '/account/forgotPassword', { json: { email } }), 200),
  )
  assert.equal(letter.user.userName, 'victim')
  expectEmpty(
    await server.call('POST', '/account/resetPassword', {
      json: { email, resetCode: letter.content, newPassword: 'Another-Horse-8' },
    }),
    200,
  )
  const letters = await server.mailsOf(() =>
    server.call('POST', '/account/resendConfirmationEmail', { json: { email } }),
  )
  assert.equal(letters.length, 10)
})
