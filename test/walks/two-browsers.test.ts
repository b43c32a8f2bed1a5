// A person with a second factor and two browsers: the one at home is remembered, the one in the library is not.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { requireAuthorization } from '../../src/index.js'
import { type Authenticator, authenticatorOf } from '../support/authenticator.js'
import { Browser, Device, reasonOf } from '../support/browser.js'
import { type MailApp, startMailApp } from '../support/mailbox.js'

let server: MailApp
let origin: string

before(async () => {
  server = await startMailApp({
    after: (app) =>
      app.get('/who', { onRequest: requireAuthorization() }, ({ identity }) => ({
        name: identity?.userName,
        amr: identity?.amr,
      })),
  })
  origin = await server.listen()
})

after(() => server.close())

const day = 86_400
const session = '__Host-identity'
const machine = '__Host-identity-machine'

interface Secured {
  readonly person: { readonly email: string; readonly password: string }
  readonly phone: Authenticator
}

/** Somebody with a second factor. */
async function secured(email: string): Promise<Secured> {
  const person = { email, password: 'Summer-2030' }
  const device = new Device(origin)
  await device.post('/account/register', person)
  await device.logIn(person)
  const { sharedKey } = (await device.post('/account/manage/2fa', {})).json<{ sharedKey: string }>()
  const phone = authenticatorOf(sharedKey, server.clock)
  assert.equal((await device.post('/account/manage/2fa', { enable: true, twoFactorCode: phone.code() })).status, 200)
  // That code is used up.
  server.clock.advance(30)
  return { person, phone }
}

const machineIsRemembered = async (browser: Browser) =>
  (await browser.post('/account/manage/2fa', {})).json<{ isMachineRemembered: boolean }>().isMachineRemembered

test('a machine is remembered by a lasting login with a code, and needs none until it is forgotten', async () => {
  const { person, phone } = await secured('ann@example.com')
  const home = new Browser(origin, server.clock)
  assert.equal(reasonOf(await home.post('/account/login?useCookies=true', person)), 'RequiresTwoFactor')
  assert.equal(home.cookies.size, 0)
  assert.equal(
    (await home.post('/account/login?useCookies=true', { ...person, twoFactorCode: phone.code() })).status,
    200,
  )
  assert.deepEqual([...home.cookies.keys()].sort(), [session, machine])
  assert.equal(home.cookies.get(machine)!.expiresAt, server.clock() + 14 * day * 1000)
  assert.deepEqual((await home.get('/who')).json(), { name: 'ann@example.com', amr: ['mfa'] })

  // Signed out and in again: no code needed here, and a bearer login from here needs none either.
  assert.equal((await home.post('/account/logout')).status, 200)
  assert.deepEqual([...home.cookies.keys()], [machine])
  assert.equal((await home.get('/who')).status, 401)
  assert.equal((await home.post('/account/login?useSessionCookies=true', person)).status, 200)
  assert.deepEqual((await home.get('/who')).json(), { name: 'ann@example.com', amr: ['pwd'] })
  assert.equal((await home.post('/account/login', person)).status, 200)
  assert.equal(await machineIsRemembered(home), true)
  // A wrong password is a wrong password here too.
  assert.equal(reasonOf(await home.post('/account/login', { ...person, password: 'Winter-2030' })), 'Failed')

  // Elsewhere the code is asked for.
  assert.equal(reasonOf(await new Browser(origin, server.clock).post('/account/login', person)), 'RequiresTwoFactor')

  // The answer still speaks of the cookie that came with this very request.
  const forgotten = await home.post('/account/manage/2fa', { forgetMachine: true })
  assert.equal(forgotten.json<{ isMachineRemembered: boolean }>().isMachineRemembered, true)
  assert.equal(home.cookies.has(machine), false)
  assert.equal(await machineIsRemembered(home), false)
  await home.post('/account/logout')
  assert.equal(reasonOf(await home.post('/account/login?useCookies=true', person)), 'RequiresTwoFactor')
})

test('session cookies remember nothing, and end with the browser', async () => {
  const { person, phone } = await secured('bob@example.com')
  for (const query of ['useSessionCookies=true', 'useCookies=true&useSessionCookies=true']) {
    server.clock.advance(60)
    const library = new Browser(origin, server.clock)
    assert.equal(
      (await library.post(`/account/login?${query}`, { ...person, twoFactorCode: phone.code() })).status,
      200,
    )
    assert.deepEqual([...library.cookies], [[session, { ...library.cookies.get(session)!, expiresAt: null }]])
    assert.equal((await library.get('/who')).status, 200)
    library.close()
    assert.equal((await library.get('/who')).status, 401)
    assert.equal(reasonOf(await library.post('/account/login?useCookies=true', person)), 'RequiresTwoFactor')
  }
})

test('a bearer login remembers nothing', async () => {
  const { person, phone } = await secured('cyd@example.com')
  const browser = new Browser(origin, server.clock)
  assert.equal(
    (await browser.post('/account/login', { ...person, twoFactorCode: phone.code() })).headers.get('set-cookie'),
    null,
  )
  assert.equal(reasonOf(await browser.post('/account/login', person)), 'RequiresTwoFactor')
})

test('a recovery code gives a cookie for the session only and remembers nothing', async () => {
  const { person, phone } = await secured('dan@example.com')
  const device = new Device(origin)
  await device.logIn({ ...person, twoFactorCode: phone.code() })
  const { recoveryCodes } = (await device.post('/account/manage/2fa', { resetRecoveryCodes: true })).json<{
    recoveryCodes: string[]
  }>()
  const browser = new Browser(origin, server.clock)
  assert.equal(
    (await browser.post('/account/login?useCookies=true', { ...person, twoFactorRecoveryCode: recoveryCodes[0]! }))
      .status,
    200,
  )
  assert.deepEqual(
    [...browser.cookies].map(([name, { expiresAt }]) => [name, expiresAt]),
    [[session, null]],
  )
})

test('a machine is remembered for fourteen days, to the second', async () => {
  const { person, phone } = await secured('eve@example.com')
  const home = new Browser(origin, server.clock)
  await home.post('/account/login?useCookies=true', { ...person, twoFactorCode: phone.code() })
  const { value } = home.cookies.get(machine)!
  const late = () => server.call('POST', '/account/login', { json: person, cookie: `${machine}=${value}` })
  server.clock.advance(14 * day - 1)
  assert.equal((await late()).status, 200)
  server.clock.advance(1)
  // Even in a browser that kept it longer than it should.
  assert.equal((await late()).status, 401)
})

test('a machine is remembered for one person, and that cookie signs nobody in', async () => {
  const [fay, gus] = [await secured('fay@example.com'), await secured('gus@example.com')]
  const shared = new Browser(origin, server.clock)
  await shared.post('/account/login?useCookies=true', { ...fay.person, twoFactorCode: fay.phone.code() })
  const cookie = `${machine}=${shared.cookies.get(machine)!.value}`
  assert.equal((await server.call('POST', '/account/login', { json: gus.person, cookie })).status, 401)
  assert.equal((await server.call('GET', '/who', { cookie })).status, 401)
  assert.equal((await server.call('GET', '/who', { cookie: cookie.replace(machine, session) })).status, 401)
  // Nor does the cookie that signs in pass for a machine.
  const other = `${machine}=${shared.cookies.get(session)!.value}`
  assert.equal((await server.call('POST', '/account/login', { json: fay.person, cookie: other })).status, 401)
})

test('another password, and another second factor, make every machine a stranger', async () => {
  const { person, phone } = await secured('hal@example.com')
  const home = new Browser(origin, server.clock)
  await home.post('/account/login?useCookies=true', { ...person, twoFactorCode: phone.code() })
  await home.post('/account/manage/info', { oldPassword: person.password, newPassword: 'Winter-2031' })
  assert.equal(await machineIsRemembered(home), false)
  const changed = { ...person, password: 'Winter-2031' }
  assert.equal(reasonOf(await home.post('/account/login?useCookies=true', changed)), 'RequiresTwoFactor')

  server.clock.advance(60)
  await home.post('/account/login?useCookies=true', { ...changed, twoFactorCode: phone.code() })
  assert.equal(await machineIsRemembered(home), true)
  await home.post('/account/manage/2fa', { resetSharedKey: true })
  assert.equal(await machineIsRemembered(home), false)
})

test('two people in two browsers never see each other', async () => {
  const [one, two] = [new Browser(origin, server.clock), new Browser(origin, server.clock)]
  const [ida, jon] = [
    { email: 'ida@example.com', password: 'Summer-2030' },
    { email: 'jon@example.com', password: 'Summer-2031' },
  ]
  for (const person of [ida, jon]) assert.equal((await one.post('/account/register', person)).status, 200)
  await one.post('/account/login?useCookies=true', ida)
  await two.post('/account/login?useCookies=true', jon)
  assert.equal((await one.get('/who')).json<{ name: string }>().name, ida.email)
  assert.equal((await two.get('/who')).json<{ name: string }>().name, jon.email)
  // Ida logs in as Jon in her own browser: it is his from then on, and hers is another session that goes on where it is
  // kept.
  const kept = one.cookies.get(session)!.value
  await one.post('/account/login?useCookies=true', jon)
  assert.equal((await one.get('/who')).json<{ name: string }>().name, jon.email)
  assert.notEqual(one.cookies.get(session)!.value, kept)
  assert.equal((await one.post('/account/logout')).status, 200)
  assert.equal((await two.get('/who')).status, 200)
})
