import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClock } from '../../src/testing/index.js'

test('a clock stands still on a whole second until it is moved, by seconds and their parts, also back', () => {
  const clock = createClock()
  const start = clock()
  assert.equal(start % 1000, 0)
  assert.ok(Math.abs(Date.now() - start) < 10_000)
  clock.advance(1.5)
  assert.equal(clock(), start + 1500)
  clock.advance(-2)
  assert.equal(clock(), start - 500)
})

test('a clock starts where its argument says, independently of others', () => {
  const one = createClock(5000)
  const other = createClock(5000)
  one.advance(10)
  assert.deepEqual([one(), other()], [15_000, 5000])
})
