// A person sets up a second factor, loses the phone, comes in with a recovery code and sets up another phone.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { requireAuthorization } from '../../src/index.js'
import { authenticatorOf } from '../support/authenticator.js'
import { Browser, Device, reasonOf } from '../support/browser.js'
import { type MailApp, startMailApp } from '../support/mailbox.js'

let server: MailApp
let origin: string

before(async () => {
  server = await startMailApp({
    after: (app) =>
      app.get('/who', { onRequest: requireAuthorization() }, ({ identity }) => ({
        amr: identity?.amr,
        claim: identity?.findFirst('amr')?.value,
      })),
  })
  origin = await server.listen()
})

after(() => server.close())

interface TwoFactor {
  readonly sharedKey: string
  readonly recoveryCodesLeft: number
  readonly recoveryCodes: readonly string[] | null
  readonly isTwoFactorEnabled: boolean
}

test('a user who loses the phone comes in with a recovery code, sets up another phone and is as safe as before', async () => {
  const person = { email: 'ann@example.com', password: 'Summer-2030' }
  const device = new Device(origin)
  await device.post('/account/register', person)
  assert.equal((await device.logIn(person)).status, 200)
  assert.deepEqual((await device.get('/who')).json(), { amr: ['pwd'], claim: 'pwd' })

  // The app scans the key and shows its first code; the recovery codes go on paper.
  const { sharedKey } = (await device.post('/account/manage/2fa', {})).json<TwoFactor>()
  const phone = authenticatorOf(sharedKey, server.clock)
  const enabled = (
    await device.post('/account/manage/2fa', { enable: true, twoFactorCode: phone.code() })
  ).json<TwoFactor>()
  assert.equal(enabled.isTwoFactorEnabled, true)
  const paper = [...enabled.recoveryCodes!]
  assert.equal(paper.length, 10)

  // From now on a password alone is not enough, and a code is.
  const laptop = new Device(origin)
  assert.equal(reasonOf(await laptop.logIn(person)), 'RequiresTwoFactor')
  server.clock.advance(30)
  assert.equal(laptop.tokens, null)
  assert.equal((await laptop.logIn({ ...person, twoFactorCode: phone.code() })).status, 200)
  assert.deepEqual((await laptop.get('/who')).json(), { amr: ['mfa'], claim: 'mfa' })

  // The phone is gone. A guessed recovery code does not help, one from the paper does, once.
  server.clock.advance(3600)
  const browser = new Browser(origin, server.clock)
  const logIn = (more: Record<string, string>) => browser.post('/account/login?useCookies=true', { ...person, ...more })
  assert.equal(reasonOf(await logIn({})), 'RequiresTwoFactor')
  assert.equal(reasonOf(await logIn({ twoFactorRecoveryCode: 'BBBBB-BBBBB' })), 'Failed')
  assert.equal(browser.cookies.size, 0)
  // As it is typed from the paper, in small letters.
  const admitted = await logIn({ twoFactorRecoveryCode: paper[0]!.toLowerCase() })
  assert.equal(admitted.status, 200)
  assert.equal(admitted.body, '')
  assert.equal(reasonOf(await logIn({ twoFactorRecoveryCode: paper[0]! })), 'Failed')
  // It was asked for a cookie that stays, but a recovery code is for an emergency on any machine.
  assert.deepEqual(
    [...browser.cookies].map(([name, { expiresAt }]) => [name, expiresAt]),
    [['__Host-identity', null]],
  )
  assert.deepEqual((await browser.get('/who')).json(), { amr: ['mfa'], claim: 'mfa' })

  // Another phone: the key is reset, which switches off until the new app has shown that it works.
  const status = (await browser.post('/account/manage/2fa', {})).json<TwoFactor>()
  assert.deepEqual([status.recoveryCodesLeft, status.recoveryCodes, status.sharedKey], [9, null, sharedKey])
  const reset = (await browser.post('/account/manage/2fa', { resetSharedKey: true })).json<TwoFactor>()
  assert.equal(reset.isTwoFactorEnabled, false)
  assert.notEqual(reset.sharedKey, sharedKey)
  assert.equal((await browser.post('/account/manage/2fa', { enable: true, twoFactorCode: phone.code() })).status, 400)
  const newPhone = authenticatorOf(reset.sharedKey, server.clock)
  const again = (
    await browser.post('/account/manage/2fa', {
      enable: true,
      twoFactorCode: newPhone.code(),
      resetRecoveryCodes: true,
    })
  ).json<TwoFactor>()
  assert.deepEqual([again.isTwoFactorEnabled, again.recoveryCodesLeft, again.recoveryCodes?.length], [true, 10, 10])

  // The finder of the phone and every earlier session are out: the old codes and recovery codes are void.
  assert.equal((await laptop.get('/who')).status, 401)
  assert.equal((await laptop.refresh()).status, 401)
  server.clock.advance(30)
  assert.equal(reasonOf(await new Device(origin).logIn({ ...person, twoFactorCode: phone.code() })), 'Failed')
  assert.equal(reasonOf(await new Device(origin).logIn({ ...person, twoFactorRecoveryCode: paper[1]! })), 'Failed')
  assert.equal((await new Device(origin).logIn({ ...person, twoFactorCode: newPhone.code() })).status, 200)
  assert.equal(
    (await new Device(origin).logIn({ ...person, twoFactorRecoveryCode: again.recoveryCodes![0]! })).status,
    200,
  )
})

test('a user who no longer wants a second factor switches it off and logs in with the password alone', async () => {
  const person = { email: 'bob@example.com', password: 'Summer-2030' }
  const device = new Device(origin)
  await device.post('/account/register', person)
  await device.logIn(person)
  const { sharedKey } = (await device.post('/account/manage/2fa', {})).json<TwoFactor>()
  const phone = authenticatorOf(sharedKey, server.clock)
  await device.post('/account/manage/2fa', { enable: true, twoFactorCode: phone.code() })
  assert.equal(reasonOf(await new Device(origin).logIn(person)), 'RequiresTwoFactor')
  assert.equal(
    (await device.post('/account/manage/2fa', { enable: false })).json<TwoFactor>().isTwoFactorEnabled,
    false,
  )
  const laptop = new Device(origin)
  assert.equal((await laptop.logIn(person)).status, 200)
  assert.deepEqual((await laptop.get('/who')).json(), { amr: ['pwd'], claim: 'pwd' })
})
