import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createDenyList } from '../../src/revocation/deny-list.js'

test('an ended session is refused until its time is over, and then forgotten', () => {
  const list = createDenyList()
  list.add(['a', 'b'], 1000)
  assert.deepEqual([list.has('a'), list.has('b'), list.has('c')], [true, true, false])
  list.purge(999)
  assert.equal(list.size, 2)
  list.purge(1000)
  assert.deepEqual([list.has('a'), list.size], [false, 0])
})

test('a session that is added again is kept for the longer of both times', () => {
  const list = createDenyList()
  list.add(['a'], 2000)
  list.add(['a'], 1000)
  list.purge(1999)
  assert.equal(list.has('a'), true)
  list.add(['a'], 3000)
  list.purge(2999)
  assert.equal(list.has('a'), true)
})
