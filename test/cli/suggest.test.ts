import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearest } from '../../src/cli/suggest.js'

const names = ['migrate', 'keys list', 'keys revoke', 'keys revoke-all', 'users list', 'users lock', 'users delete']

const meant: readonly (readonly [string, string | null])[] = [
  ['user list', 'users list'],
  ['users lsit', 'users list'],
  ['list users', 'users list'],
  ['USERS LIST', 'users list'],
  ['key list', 'keys list'],
  ['keys revokeall', 'keys revoke-all'],
  ['migrations', null],
  ['migrat', 'migrate'],
  ['nonsense', null],
  ['', null],
]
for (const [typed, name] of meant) {
  test(`'${typed}' is ${name === null ? 'near no command' : `nearest to '${name}'`}`, () =>
    assert.equal(nearest(typed, names), name))
}
