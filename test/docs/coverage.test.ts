// Every export of every entry point has a doc comment, and at least 95 % of the members of exported types have one.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { coverageOf } from '../../scripts/docs/coverage.js'
import { openPackage } from '../../scripts/docs/program.js'

const { exports, members } = coverageOf(openPackage())
const shareOf = ({ count, missing }: typeof exports) => (count - missing.length) / count
const shown = (share: number) => `${(share * 100).toFixed(1)} %`

test('every export has a doc comment', (t) => {
  t.diagnostic(`${shown(shareOf(exports))} of ${exports.count} exports have a doc comment`)
  assert.ok(exports.count > 100)
  assert.deepEqual(exports.missing, [], 'write a doc comment for each of these exports')
})

test('at least 95 % of the members of exported types have a doc comment', (t) => {
  t.diagnostic(`${shown(shareOf(members))} of ${members.count} members have a doc comment`)
  assert.ok(members.count > 500)
  assert.ok(
    shareOf(members) >= 0.95,
    `only ${shown(shareOf(members))} have one. Write it for:\n${members.missing.join('\n')}`,
  )
})
