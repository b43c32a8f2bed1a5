import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultMaxAgeSeconds, nextAttemptSeconds } from '../../src/email/backoff.js'

test('the delay doubles from one second and stays at a quarter of an hour', () => {
  const delays = Array.from({ length: 13 }, (_, failures) => nextAttemptSeconds(failures + 1, 0))
  assert.deepEqual(delays, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900])
  assert.equal(nextAttemptSeconds(5000, 0), 900)
})

test('a mail is given up at exactly its greatest age, whatever the number of attempts', () => {
  assert.equal(nextAttemptSeconds(3, 86_399), 4)
  assert.equal(nextAttemptSeconds(3, 86_400), null)
  assert.equal(nextAttemptSeconds(1, 86_401), null)
  assert.equal(nextAttemptSeconds(1, 3599, 3600), 1)
  assert.equal(nextAttemptSeconds(1, 3600, 3600), null)
})

test('a mail server that is away for just under a day loses no mail', () => {
  let ageSeconds = 0
  for (let failures = 1; ageSeconds < defaultMaxAgeSeconds - 1; failures++) {
    const delay = nextAttemptSeconds(failures, ageSeconds)
    assert.ok(delay !== null, `given up after ${ageSeconds} s`)
    ageSeconds += delay
  }
})

test('a clock that ran backwards does not stop the attempts', () => {
  assert.equal(nextAttemptSeconds(0, -5), 1)
})
