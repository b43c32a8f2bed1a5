// What an instance remembers of changed claims.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClaimChanges } from '../../src/revocation/claim-changes.js'

const change = (subject: string, mark: string, at: number) => ({ subject, mark, at })

test('a change moves the sequence once, however often it is learned', () => {
  const changes = createClaimChanges()
  changes.add([change('u:a', '1', 100)], 1)
  changes.add([change('u:a', '1', 100)], 2)
  assert.equal(changes.sequence, 1)
  changes.add([change('u:a', '2', 100)], 2)
  assert.equal(changes.sequence, 2)
})

test('a change concerns its user, and of a role the users who have it, if it is no older than asked for', () => {
  const changes = createClaimChanges()
  changes.add([change('u:a', '1', 100), change('r:clerk', '2', 200)], 1)
  assert.equal(changes.latest('a', [], 100), 1)
  assert.equal(changes.latest('a', [], 101), 0)
  assert.equal(changes.latest('b', [], 0), 0)
  assert.equal(changes.latest('b', ['clerk'], 200), 2)
  assert.equal(changes.latest('b', ['Clerk'], 0), 0)
  assert.equal(changes.latest('a', ['clerk'], 0), 2)
})

test('a change that is learned late does not replace a newer one', () => {
  const changes = createClaimChanges()
  changes.add([change('u:a', '2', 200)], 1)
  changes.add([change('u:a', '1', 100)], 1)
  assert.equal(changes.sequence, 1)
  assert.equal(changes.latest('a', [], 150), 1)
})

test('changes are forgotten when their time is over', () => {
  const changes = createClaimChanges()
  changes.add([change('u:a', '1', 100), change('r:clerk', '1', 100)], 10)
  changes.add([change('u:a', '1', 100)], 20)
  changes.purge(10)
  assert.deepEqual([changes.size, changes.latest('a', ['clerk'], 0)], [1, 1])
  changes.purge(20)
  assert.deepEqual([changes.size, changes.latest('a', ['clerk'], 0)], [0, 0])
})
