// A person has forgotten the password, is locked out by guessing, and gets in again by a mailed code.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Browser, Device, reasonOf } from '../support/browser.js'
import { type MailApp, startMailApp } from '../support/mailbox.js'

let server: MailApp
let origin: string

before(async () => {
  server = await startMailApp()
  origin = await server.listen()
})

after(() => server.close())

/** Registered, and the link of the mail opened. */
async function welcome(email: string): Promise<{ readonly email: string; readonly password: string }> {
  const person = { email, password: 'Summer-2030' }
  const browser = new Browser(origin, server.clock)
  const letter = await server.mailOf(() => browser.post('/account/register', person))
  assert.equal((await browser.open(letter.content)).body, 'Thank you for confirming your email.')
  return person
}

test('a user who has forgotten the password resets it by mail; the lock is gone, and every other device is out', async () => {
  const person = await welcome('ann@example.com')
  const phone = new Device(origin)
  const tablet = new Browser(origin, server.clock)
  await phone.logIn(person)
  await tablet.post('/account/login?useCookies=true', person)

  const laptop = new Device(origin)
  for (let guess = 1; guess < 5; guess++)
    assert.equal(reasonOf(await laptop.logIn({ ...person, password: `Autumn-203${guess}` })), 'Failed')
  assert.equal(reasonOf(await laptop.logIn({ ...person, password: 'Winter-2030' })), 'LockedOut')
  assert.equal(reasonOf(await laptop.logIn(person)), 'LockedOut')
  // Guesses do not lock out a user who is signed in already.
  assert.equal((await phone.get('/account/manage/info')).status, 200)
  assert.equal((await phone.refresh()).status, 200)
  assert.equal((await tablet.get('/account/manage/info')).status, 200)

  const letter = await server.mailOf(async () => {
    const answer = await laptop.post('/account/forgotPassword', { email: 'Ann@Example.com' })
    assert.deepEqual([answer.status, answer.body], [200, ''])
  })
  assert.deepEqual([letter.kind, letter.to], ['passwordResetCode', 'ann@example.com'])
  const reset = (newPassword: string) =>
    laptop.post('/account/resetPassword', { email: person.email, resetCode: letter.content, newPassword })

  // Half an hour later, after one attempt at too weak a password.
  server.clock.advance(1800)
  const weak = await reset('autumn')
  assert.equal(weak.status, 400)
  assert.deepEqual(Object.keys(weak.json<{ errors: object }>().errors), [
    'PasswordRequiresNonAlphanumeric',
    'PasswordRequiresDigit',
    'PasswordRequiresUpper',
  ])
  const done = await reset('Autumn-2031')
  assert.deepEqual([done.status, done.body], [200, ''])

  assert.equal((await phone.get('/account/manage/info')).status, 401)
  assert.equal((await phone.refresh()).status, 401)
  assert.equal((await tablet.get('/account/manage/info')).status, 401)
  assert.equal(reasonOf(await laptop.logIn(person)), 'Failed')
  assert.equal((await laptop.logIn({ ...person, password: 'Autumn-2031' })).status, 200)
  // Who finds the mail later can do nothing with it.
  const later = await reset('Winter-2032')
  assert.deepEqual(later.json<{ errors: object }>().errors, { InvalidToken: ['Invalid token.'] })
})

test('a reset clears a lock that has just begun', async () => {
  const person = await welcome('bob@example.com')
  const device = new Device(origin)
  for (let guess = 0; guess < 5; guess++) await device.logIn({ ...person, password: 'Autumn-2030' })
  assert.equal(reasonOf(await device.logIn(person)), 'LockedOut')
  const letter = await server.mailOf(() => device.post('/account/forgotPassword', { email: person.email }))
  assert.equal(
    (
      await device.post('/account/resetPassword', {
        email: person.email,
        resetCode: letter.content,
        newPassword: 'Autumn-2031',
      })
    ).status,
    200,
  )
  assert.equal((await device.logIn({ ...person, password: 'Autumn-2031' })).status, 200)
})

test('repeated locks last longer, the hundredth wrong guess for good, and a reset opens even that', async () => {
  const person = await welcome('cyd@example.com')
  const device = new Device(origin)
  let guesses = 0
  for (let seconds = 300; guesses < 100; seconds = Math.min(seconds * 2, 86_400)) {
    for (let guess = 1; guess <= 5; guess++)
      assert.equal(
        reasonOf(await device.logIn({ ...person, password: 'Autumn-2030' })),
        guess < 5 ? 'Failed' : 'LockedOut',
      )
    guesses += 5
    if (guesses === 100) break
    server.clock.advance(seconds - 1)
    assert.equal(reasonOf(await device.logIn(person)), 'LockedOut')
    server.clock.advance(1)
  }
  server.clock.advance(365 * 86_400)
  assert.equal(reasonOf(await device.logIn(person)), 'LockedOut')
  const letter = await server.mailOf(() => device.post('/account/forgotPassword', { email: person.email }))
  assert.equal(
    (
      await device.post('/account/resetPassword', {
        email: person.email,
        resetCode: letter.content,
        newPassword: 'Autumn-2031',
      })
    ).status,
    200,
  )
  assert.equal((await device.logIn({ ...person, password: 'Autumn-2031' })).status, 200)
})

test('a user who remembers the old password after all simply logs in, and the code stays good for its hour', async () => {
  const person = await welcome('dan@example.com')
  const device = new Device(origin)
  const letter = await server.mailOf(() => device.post('/account/forgotPassword', { email: person.email }))
  assert.equal((await device.logIn(person)).status, 200)
  server.clock.advance(3599)
  assert.equal(
    (
      await device.post('/account/resetPassword', {
        email: person.email,
        resetCode: letter.content,
        newPassword: 'Autumn-2031',
      })
    ).status,
    200,
  )
})
