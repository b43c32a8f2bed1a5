// A person and the confirmation mail: the link opened twice, too late, by somebody else, and after a change of address.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Browser, Device } from '../support/browser.js'
import { type Letter, type MailApp, parameterOf, startMailApp } from '../support/mailbox.js'

let server: MailApp
let origin: string
let browser: Browser

before(async () => {
  server = await startMailApp()
  origin = await server.listen()
  browser = new Browser(origin, server.clock)
})

after(() => server.close())

const thanks = 'Thank you for confirming your email.'

async function register(email: string): Promise<Letter> {
  return server.mailOf(() => browser.post('/account/register', { email, password: 'Summer-2030' }))
}

async function isConfirmed(email: string): Promise<boolean> {
  const device = new Device(origin)
  await device.logIn({ email, password: 'Summer-2030' })
  return (await device.get('/account/manage/info')).json<{ isEmailConfirmed: boolean }>().isEmailConfirmed
}

test('a link that a mail scanner has opened first thanks the person too', async () => {
  const letter = await register('ann@example.com')
  assert.equal((await browser.open(letter.content)).body, thanks)
  server.clock.advance(3600)
  assert.equal((await browser.open(letter.content)).body, thanks)
  assert.equal(await isConfirmed('ann@example.com'), true)
})

test('a link that was left for a day is dead, and another one is asked for', async () => {
  const letter = await register('bob@example.com')
  server.clock.advance(86_400)
  const late = await browser.open(letter.content)
  assert.deepEqual([late.status, late.body, late.headers.get('www-authenticate')], [401, '', null])
  assert.equal(await isConfirmed('bob@example.com'), false)
  const another = await server.mailOf(() =>
    browser.post('/account/resendConfirmationEmail', { email: 'bob@example.com' }),
  )
  assert.equal((await browser.open(another.content)).body, thanks)
  assert.equal((await browser.open(letter.content)).status, 401)
  assert.equal(await isConfirmed('bob@example.com'), true)
})

test("a link with somebody else's id or code confirms nobody", async () => {
  const [cyd, dan] = [await register('cyd@example.com'), await register('dan@example.com')]
  const mixed = cyd.content.replace(parameterOf(cyd, 'userId'), parameterOf(dan, 'userId'))
  assert.equal((await browser.open(mixed)).status, 401)
  assert.equal((await browser.open(cyd.content.replace(cyd.code, dan.code))).status, 401)
  assert.deepEqual([await isConfirmed('cyd@example.com'), await isConfirmed('dan@example.com')], [false, false])
})

test('the link of a registration is dead once the address has changed, so that nobody confirms what they no longer have', async () => {
  const welcome = await register('eve@old.example')
  const device = new Device(origin)
  await device.logIn({ email: 'eve@old.example', password: 'Summer-2030' })
  const change = await server.mailOf(() => device.post('/account/manage/info', { newEmail: 'eve@new.example' }))
  assert.equal((await browser.open(change.content)).body, thanks)
  assert.equal((await browser.open(welcome.content)).status, 401)
  assert.equal((await browser.open(change.content)).status, 200)
  assert.equal(await isConfirmed('eve@new.example'), true)
})

test('a link survives a restart of the server', async () => {
  const letter = await register('fay@example.com')
  // Another instance of the same realm: nothing of a link lies in the memory of the one that wrote it.
  const twin = await startMailApp({ identity: { schema: server.schema, clock: server.clock } })
  try {
    assert.equal((await new Browser(await twin.listen(), server.clock).open(letter.content)).body, thanks)
  } finally {
    await twin.close()
  }
})
