// A person moves to another address: mistypes it first, follows the right link, and is the same person under the new
// name.
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

interface Info {
  readonly email: string
  readonly isEmailConfirmed: boolean
}

test('a user who moves to another address keeps the old one until the link is followed, and is known by the new one from then on', async () => {
  const person = { email: 'ann@old.example', password: 'Summer-2030' }
  const browser = new Browser(origin, server.clock)
  const welcome = await server.mailOf(() => browser.post('/account/register', person))
  await browser.open(welcome.content)
  await browser.post('/account/login?useCookies=true', person)
  const info = async () => (await browser.get('/account/manage/info')).json<Info>()

  // Mistyped: somebody else gets the mail, and nothing happens.
  const mistyped = await server.mailOf(() => browser.post('/account/manage/info', { newEmail: 'ann@nwe.example' }))
  assert.equal(mistyped.to, 'ann@nwe.example')
  assert.deepEqual(await info(), { email: 'ann@old.example', isEmailConfirmed: true })

  const letter = await server.mailOf(async () => {
    const answer = await browser.post('/account/manage/info', { newEmail: 'ann@new.example' })
    assert.deepEqual(answer.json<Info>(), { email: 'ann@old.example', isEmailConfirmed: true })
  })
  assert.equal(letter.to, 'ann@new.example')
  assert.equal((await new Device(origin).logIn(person)).status, 200)
  assert.equal(reasonOf(await new Device(origin).logIn({ ...person, email: 'ann@new.example' })), 'Failed')

  // The link is opened on the phone, where nobody is signed in. The one that went astray is dead by now.
  const phone = new Browser(origin, server.clock)
  assert.equal((await phone.open(mistyped.content)).status, 401)
  const opened = await phone.open(letter.content)
  assert.deepEqual([opened.status, opened.body, phone.cookies.size], [200, 'Thank you for confirming your email.', 0])
  assert.deepEqual(await info(), { email: 'ann@new.example', isEmailConfirmed: true })

  // Known by the new address from now on; the password is the same, the old name is free, and the links of before are
  // dead.
  assert.equal(reasonOf(await new Device(origin).logIn(person)), 'Failed')
  assert.equal((await new Device(origin).logIn({ ...person, email: 'Ann@New.Example' })).status, 200)
  assert.equal((await phone.open(letter.content)).status, 200)
  for (const { content } of [mistyped, welcome]) assert.equal((await phone.open(content)).status, 401)
  assert.deepEqual(await info(), { email: 'ann@new.example', isEmailConfirmed: true })
  const letters = await server.mailsOf(async () => {
    await phone.post('/account/forgotPassword', { email: 'ann@old.example' })
    await phone.post('/account/forgotPassword', { email: 'ann@new.example' })
  })
  assert.deepEqual(
    letters.map(({ to }) => to),
    ['ann@new.example'],
  )
  assert.equal(
    (await phone.post('/account/register', { email: 'ann@old.example', password: 'Winter-2030' })).status,
    200,
  )

  // Another address is no other way to sign in: the session goes on when its cookie is validated next.
  server.clock.advance(1800)
  assert.equal((await browser.get('/account/manage/info')).status, 200)
  assert.ok(browser.cookies.size > 0)
})

test('an address that somebody else takes meanwhile stays theirs', async () => {
  const person = { email: 'bob@old.example', password: 'Summer-2030' }
  const device = new Device(origin)
  await device.post('/account/register', person)
  await device.logIn(person)
  await server.app.identity.mail.flush()
  const letter = await server.mailOf(() => device.post('/account/manage/info', { newEmail: 'wanted@example.com' }))
  const rival = new Device(origin)
  await rival.post('/account/register', { email: 'Wanted@example.com', password: 'Winter-2030' })
  assert.equal((await new Browser(origin, server.clock).open(letter.content)).status, 401)
  assert.deepEqual((await device.get('/account/manage/info')).json(), {
    email: 'bob@old.example',
    isEmailConfirmed: false,
  })
  assert.equal((await device.refresh()).status, 200)
  assert.equal((await rival.logIn({ email: 'wanted@example.com', password: 'Winter-2030' })).status, 200)
})

test('a day later the link is worth nothing', async () => {
  const person = { email: 'cyd@old.example', password: 'Summer-2030' }
  const device = new Device(origin)
  await device.post('/account/register', person)
  await device.logIn(person)
  await server.app.identity.mail.flush()
  const letter = await server.mailOf(() => device.post('/account/manage/info', { newEmail: 'cyd@new.example' }))
  server.clock.advance(86_400)
  assert.equal((await new Browser(origin, server.clock).open(letter.content)).status, 401)
  assert.equal((await new Device(origin).logIn(person)).status, 200)
})
