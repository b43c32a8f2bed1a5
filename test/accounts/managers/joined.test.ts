// The parts of a manager in one object; two parts with a name in common do not compile.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { joined } from '../../../src/accounts/managers/joined.js'

const names = { find: (name: string) => name.length, list: () => ['a'] }
const locks = { lock: (until?: Date) => until ?? null }

test('parts are joined with all their members and types', () => {
  const both = joined([names, locks])
  const found: number = both.find('ada')
  const locked: Date | null = both.lock()
  assert.deepEqual([found, locked, Object.keys(both)], [3, null, ['find', 'list', 'lock']])
  assert.deepEqual(Object.keys(names), ['find', 'list'], 'the parts stay as they are')
})

test('two parts with a name in common are a type error', () => {
  // @ts-expect-error -- both have `lock`
  const clash: object = joined([names, locks, { lock: () => null }])
  assert.ok('lock' in clash)
  interface Listed {
    list(): string[]
  }
  const listed: Listed = { list: () => [] }
  // @ts-expect-error -- both have `list`, with the same type too
  const same: object = joined([listed, names])
  assert.ok('list' in same)
})
