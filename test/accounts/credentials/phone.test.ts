import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emailModifier, phoneModifier, stampKey } from '../../../src/two-factor/stamp-totp.js'
import { totpCode, totpStep } from '../../../src/two-factor/totp.js'
import { codesOf, startHost } from '../../support/managers.js'

const host = await startHost()
const { users, clock } = host
const number = '+43 660 1234567'

test('setPhoneNumber sets a number that is not confirmed', async () => {
  const user = await host.newUser({ phoneNumber: '+43 1', phoneNumberConfirmed: true })
  assert.deepEqual([users.getPhoneNumber(user), users.isPhoneNumberConfirmed(user)], ['+43 1', true])
  assert.deepEqual(await users.setPhoneNumber(user, number), { succeeded: true })
  assert.deepEqual([users.getPhoneNumber(user), users.isPhoneNumberConfirmed(user)], [number, false])
  assert.deepEqual(await users.setPhoneNumber(user, null), { succeeded: true })
  assert.equal((await host.reread(user)).phoneNumber, null)
})

test('a number that no row can hold is refused', async () => {
  const user = await host.newUser()
  for (const bad of ['1'.repeat(257), '1\0', '\ud800']) {
    assert.deepEqual(codesOf(await users.setPhoneNumber(user, bad)), ['DefaultError'])
    assert.deepEqual(
      codesOf(await users.changePhoneNumber(user, bad, users.generateChangePhoneNumberToken(user, bad))),
      ['InvalidToken'],
    )
  }
  assert.deepEqual(await users.setPhoneNumber(user, '1'.repeat(256)), { succeeded: true })
})

test("the code is the reference's: of the stamp, the new number and the old one", async () => {
  const user = await host.newUser({ phoneNumber: '+43 1' })
  const step = totpStep(clock(), 180)
  const code = users.generateChangePhoneNumberToken(user, number)
  assert.equal(
    code,
    totpCode(stampKey(user.securityStamp), step, phoneModifier(`ChangePhoneNumber:${number}`, '+43 1')),
  )
  assert.notEqual(
    code,
    totpCode(stampKey(user.securityStamp), step, emailModifier(`ChangePhoneNumber:${number}`, '+43 1')),
  )
})

test('changePhoneNumber sets and confirms the number by its code, once', async () => {
  const user = await host.newUser()
  const code = users.generateChangePhoneNumberToken(user, number)
  assert.equal(users.verifyChangePhoneNumberToken(user, code, number), true)
  assert.deepEqual(await users.changePhoneNumber(user, number, code), { succeeded: true })
  const { phoneNumber, phoneNumberConfirmed } = await host.reread(user)
  assert.deepEqual([phoneNumber, phoneNumberConfirmed], [number, true])
  assert.equal(users.verifyChangePhoneNumberToken(user, code, number), false)
  assert.deepEqual(codesOf(await users.changePhoneNumber(user, number, code)), ['InvalidToken'])
})

test('a code is good for its number and its user only', async () => {
  const [user, other] = [await host.newUser(), await host.newUser()]
  const code = users.generateChangePhoneNumberToken(user, number)
  assert.equal(users.verifyChangePhoneNumberToken(user, code, `${number}8`), false)
  assert.equal(users.verifyChangePhoneNumberToken(other, code, number), false)
  assert.equal(users.verifyChangePhoneNumberToken(user, '', number), false)
  assert.deepEqual(codesOf(await users.changePhoneNumber(user, `${number}8`, code)), ['InvalidToken'])
})

test('a code is good in its step of three minutes and the two after it', async () => {
  const user = await host.newUser()
  clock.advance(180 - ((clock() / 1000) % 180))
  const code = users.generateChangePhoneNumberToken(user, number)
  clock.advance(3 * 180 - 1)
  assert.equal(users.verifyChangePhoneNumberToken(user, code, number), true)
  clock.advance(1)
  assert.equal(users.verifyChangePhoneNumberToken(user, code, number), false)
})

test('the fifth wrong code locks the user out, and then the right one is wrong too', async () => {
  const user = await host.newUser()
  const code = users.generateChangePhoneNumberToken(user, number)
  const wrong = code === '000000' ? '000001' : '000000'
  for (let i = 0; i < 5; i++)
    assert.deepEqual(codesOf(await users.changePhoneNumber(user, number, wrong)), ['InvalidToken'])
  assert.equal(await users.isLockedOut(user), true)
  assert.deepEqual(codesOf(await users.changePhoneNumber(user, number, code)), ['InvalidToken'])
})

test('of many changes by one code at once one succeeds', async () => {
  const user = await host.newUser()
  const code = users.generateChangePhoneNumberToken(user, number)
  const results = await Promise.all(
    Array.from({ length: 20 }, () => users.changePhoneNumber({ ...user }, number, code)),
  )
  assert.equal(results.filter(({ succeeded }) => succeeded).length, 1)
})
