import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import {
  defaultModifier,
  emailModifier,
  phoneModifier,
  stampKey,
  stampStepSeconds,
  stampWindowSteps,
} from '../../src/two-factor/stamp-totp.js'
import { totpCode, totpStep, verifyTotp } from '../../src/two-factor/totp.js'

const stamp = 'VPPG4SKWF7Y2ZGPIQWQT7TSFQVWLTTJH'
const modifier = emailModifier('TwoFactor', 'ann@example.com')
const options = { windowSteps: stampWindowSteps, stepSeconds: stampStepSeconds, modifier }

test('the modifiers bind purpose and address as the reference writes them', () => {
  assert.equal(modifier, 'Email:TwoFactor:ann@example.com')
  assert.equal(phoneModifier('TwoFactor', '+49 30 1'), 'PhoneNumber:TwoFactor:+49 30 1')
  assert.equal(defaultModifier('TwoFactor', '42'), 'Totp:TwoFactor:42')
})

test('the key is the stamp in UTF-16LE', () => {
  assert.deepEqual(Buffer.from(stampKey('A1\u00fc')), Buffer.from([0x41, 0, 0x31, 0, 0xfc, 0]))
})

// Written out with another HMAC implementation, from the description of the format alone.
test('a code is the truncated HMAC-SHA1 of step and modifier under the stamp', () => {
  const message = Buffer.concat([Buffer.from('0000000000989680', 'hex'), Buffer.from(modifier)])
  const mac = createHmac('sha1', Buffer.from(stamp, 'utf16le')).update(message).digest()
  const number = (mac.readUInt32BE(mac[19]! % 16) % 2 ** 31) % 1_000_000
  assert.equal(totpCode(stampKey(stamp), 10_000_000, modifier), String(number).padStart(6, '0'))
})

test('a mailed code lives from two steps before its own to two steps after, to the millisecond', () => {
  const sentMs = 1_800_000_000_000
  const step = totpStep(sentMs, stampStepSeconds)
  assert.equal(step, 10_000_000)
  const code = totpCode(stampKey(stamp), step, modifier)
  assert.equal(verifyTotp(stampKey(stamp), code, sentMs - 360_001, options), null)
  assert.equal(verifyTotp(stampKey(stamp), code, sentMs - 360_000, options), step)
  assert.equal(verifyTotp(stampKey(stamp), code, sentMs + 539_999, options), step)
  assert.equal(verifyTotp(stampKey(stamp), code, sentMs + 540_000, options), null)
})

test('another stamp, purpose or address refuses the code', () => {
  const nowMs = 1_800_000_000_000
  const code = totpCode(stampKey(stamp), totpStep(nowMs, stampStepSeconds), modifier)
  assert.equal(verifyTotp(stampKey(`${stamp}x`), code, nowMs, options), null)
  const others = [
    emailModifier('ResetPassword', 'ann@example.com'),
    emailModifier('TwoFactor', 'bob@example.com'),
    phoneModifier('TwoFactor', 'ann@example.com'),
  ]
  for (const other of others) {
    assert.equal(verifyTotp(stampKey(stamp), code, nowMs, { ...options, modifier: other }), null)
  }
})

test('a user without a stamp has no code', () => {
  assert.equal(verifyTotp(stampKey(''), '123456', 1_800_000_000_000, options), null)
})
