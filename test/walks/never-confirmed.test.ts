// A person who never follows the link, on hosts that do not ask for it and on hosts that do.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Browser, Device, reasonOf } from '../support/browser.js'
import { type MailApp, withMailApp } from '../support/mailbox.js'

const person = { email: 'ann@example.com', password: 'Summer-2030' }

async function registered(
  server: MailApp,
): Promise<{ readonly origin: string; readonly device: Device; readonly link: string }> {
  const origin = await server.listen()
  const device = new Device(origin)
  const letter = await server.mailOf(() => device.post('/account/register', person))
  return { origin, device, link: letter.content }
}

test('where nobody asks for it an address need not be confirmed to log in, but it must be to reset a password', () =>
  withMailApp({}, async (server) => {
    const { origin, device, link } = await registered(server)
    assert.equal((await device.logIn(person)).status, 200)
    assert.equal((await device.refresh()).status, 200)
    const mails = await server.mailsOf(async () => {
      const answer = await device.post('/account/forgotPassword', { email: person.email })
      assert.deepEqual([answer.status, answer.body], [200, ''])
    })
    assert.deepEqual(mails, [])
    await new Browser(origin, server.clock).open(link)
    assert.equal(
      (await server.mailOf(() => device.post('/account/forgotPassword', { email: person.email }))).kind,
      'passwordResetCode',
    )
  }))

for (const signIn of [{ requireConfirmedEmail: true }, { requireConfirmedAccount: true }]) {
  test(`with ${Object.keys(signIn).join()} only the right password learns that the address is not confirmed`, () =>
    withMailApp({ identity: { signIn } }, async (server) => {
      const { origin, device, link } = await registered(server)
      assert.equal(reasonOf(await device.logIn(person)), 'NotAllowed')
      assert.equal(reasonOf(await device.logIn({ ...person, password: 'Winter-2030' })), 'Failed')
      assert.equal(reasonOf(await device.logIn({ ...person, email: 'nobody@example.com' })), 'Failed')
      assert.equal(reasonOf(await device.logIn(person)), 'NotAllowed')

      const again = await server.mailOf(() => device.post('/account/resendConfirmationEmail', { email: person.email }))
      assert.notEqual(again.content, link)
      assert.equal((await new Browser(origin, server.clock).open(again.content)).status, 200)
      assert.equal((await device.logIn(person)).status, 200)
      assert.deepEqual((await device.get('/account/manage/info')).json(), {
        email: person.email,
        isEmailConfirmed: true,
      })
    }))
}

test('a right password on an account that is not allowed counts neither for nor against it', () =>
  withMailApp({ identity: { signIn: { requireConfirmedEmail: true } } }, async (server) => {
    const { device } = await registered(server)
    for (let time = 0; time < 10; time++) assert.equal(reasonOf(await device.logIn(person)), 'NotAllowed')
    for (let guess = 1; guess < 5; guess++) {
      assert.equal(reasonOf(await device.logIn({ ...person, password: 'Winter-2030' })), 'Failed')
      assert.equal(reasonOf(await device.logIn(person)), 'NotAllowed')
    }
    assert.equal(reasonOf(await device.logIn({ ...person, password: 'Winter-2030' })), 'LockedOut')
    assert.equal(reasonOf(await device.logIn(person)), 'LockedOut')
  }))

test('with requireConfirmedPhoneNumber a confirmed address is not enough', () =>
  withMailApp({ identity: { signIn: { requireConfirmedPhoneNumber: true } } }, async (server) => {
    const { origin, device, link } = await registered(server)
    await new Browser(origin, server.clock).open(link)
    assert.equal(reasonOf(await device.logIn(person)), 'NotAllowed')
    await server.sql("update users set phone_number = '+491701234567', phone_number_confirmed = true")
    assert.equal((await device.logIn(person)).status, 200)
  }))
