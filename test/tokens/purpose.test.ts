import { test } from 'node:test'
import assert from 'node:assert/strict'
import { purposes } from '../../src/tokens/purpose.js'

test('every purpose has a number of its own that fits into a byte', () => {
  const numbers = Object.values(purposes)
  assert.equal(new Set(numbers).size, numbers.length)
  for (const number of numbers) assert.ok(number > 0 && number < 256)
})

test('the numbers of the first version never change', () => {
  assert.deepEqual(Object.entries(purposes).slice(0, 16), [
    ['access', 1],
    ['refresh', 2],
    ['cookie', 3],
    ['rememberMachine', 4],
    ['confirmEmail', 5],
    ['changeEmail', 6],
    ['resetPassword', 7],
    ['changePhoneNumber', 8],
    ['userToken', 9],
    ['authenticatorKey', 10],
    ['recoveryCode', 11],
    ['throttle', 12],
    ['outbox', 13],
    ['keyWrap', 14],
    ['externalToken', 15],
    ['twoFactor', 16],
  ])
})
