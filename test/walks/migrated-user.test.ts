// A person whose account came from ASP.NET Core Identity, with its hash: the password goes on, the hash becomes one of
// ours.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Browser, Device, reasonOf } from '../support/browser.js'
import { type MailApp, startMailApp } from '../support/mailbox.js'
import { vectors } from '../support/vectors.js'

// The file's shape.
const { password, valid, invalid } = vectors('aspnet-password-hashes.json') as {
  readonly password: string
  readonly valid: readonly { readonly hash: string; readonly format: string }[]
  readonly invalid: readonly string[]
}

let server: MailApp
let origin: string
let people = 0

before(async () => {
  server = await startMailApp()
  origin = await server.listen()
})

after(() => server.close())

/** Written as a host's import does: through the manager, with the hash as it is. */
async function imported(passwordHash: string): Promise<{ readonly email: string; readonly password: string }> {
  const email = `imported${++people}@example.com`
  const created = await server.app.identity.users.create({ userName: email, email, emailConfirmed: true, passwordHash })
  assert.ok(created.succeeded)
  return { email, password }
}

async function stored(email: string): Promise<Record<string, unknown>> {
  const [user] = await server.sql('select password_hash, security_stamp from users where email = $1', [email])
  return user!
}

for (const { hash, format } of valid) {
  test(`a password with a hash of ${format} logs in, and is stored under today's parameters from then on`, async () => {
    const person = await imported(hash)
    const before = await stored(person.email)
    assert.equal(reasonOf(await new Device(origin).logIn({ ...person, password: 'another password' })), 'Failed')
    assert.deepEqual(await stored(person.email), before)

    // The password is weaker than today's rules, which nobody asks at a login.
    const device = new Device(origin)
    assert.equal((await device.logIn(person)).status, 200)
    const after = await stored(person.email)
    assert.match(String(after.password_hash), /^\$argon2id\$v=19\$/)
    assert.notEqual(after.security_stamp, before.security_stamp)

    // What was handed out with the rehash is of the new stamp, and a second login changes nothing more.
    assert.equal((await device.refresh()).status, 200)
    assert.equal((await new Device(origin).logIn(person)).status, 200)
    assert.deepEqual(await stored(person.email), after)
  })
}

test('a hash that is none, or is cut, is a wrong password and stays as it is', async () => {
  for (const hash of invalid) {
    const person = await imported(hash)
    assert.equal(reasonOf(await new Device(origin).logIn(person)), 'Failed')
    assert.equal((await stored(person.email)).password_hash, hash)
  }
})

test('the first login of a migrated person ends what was issued before: a code that was mailed, a machine that was remembered', async () => {
  const person = await imported(valid[6]!.hash)
  const device = new Device(origin)
  const letter = await server.mailOf(() => device.post('/account/forgotPassword', { email: person.email }))
  assert.equal((await device.logIn(person)).status, 200)
  const late = await device.post('/account/resetPassword', {
    email: person.email,
    resetCode: letter.content,
    newPassword: 'Autumn-2031',
  })
  assert.deepEqual(late.json<{ errors: object }>().errors, { InvalidToken: ['Invalid token.'] })
})

test('twenty first logins at once all get in, and every token they got is good', async () => {
  const person = await imported(valid[5]!.hash)
  const devices = Array.from({ length: 20 }, () => new Device(origin))
  const answers = await Promise.all(devices.map((device) => device.logIn(person)))
  assert.deepEqual(
    answers.map(({ status }) => status),
    answers.map(() => 200),
  )
  const refreshed = await Promise.all(devices.map((device) => device.refresh()))
  assert.deepEqual(
    refreshed.map(({ status }) => status),
    refreshed.map(() => 200),
  )
})

test('a migrated person changes the password with the old one at hand, and resets it without', async () => {
  const person = await imported(valid[0]!.hash)
  const browser = new Browser(origin, server.clock)
  await browser.post('/account/login?useCookies=true', person)
  assert.equal(
    (await browser.post('/account/manage/info', { oldPassword: password, newPassword: 'Autumn-2031' })).status,
    200,
  )
  const letter = await server.mailOf(() => browser.post('/account/forgotPassword', { email: person.email }))
  assert.equal(
    (
      await browser.post('/account/resetPassword', {
        email: person.email,
        resetCode: letter.content,
        newPassword: 'Winter-2032',
      })
    ).status,
    200,
  )
  assert.equal((await new Device(origin).logIn({ ...person, password: 'Winter-2032' })).status, 200)
})
