import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jsonLine, list, printable, table, when } from '../../src/cli/table.js'

// Characters that a terminal or a reader takes for more than text: escape, bell, C1, soft hyphen, right-to-left, line
// separator, a tag outside the BMP.
const hostile = 'a\u001B[2J\u0007\u009B\u00AD\u202E\u2028\u{E0041}b'

test('columns are as wide as their widest cell, and no line ends in blanks', () => {
  assert.equal(
    table(
      ['id', 'name'],
      [
        ['1', 'Ada Lovelace'],
        ['200', ''],
      ],
    ),
    'ID   NAME\n1    Ada Lovelace\n200',
  )
  assert.equal(
    list([
      ['id', '1'],
      ['email', '-'],
    ]),
    'id     1\nemail  -',
  )
})

test('a cell cannot send commands to a terminal or imitate another line', () => {
  assert.equal(printable(hostile), 'a�[2J������b')
  assert.equal(table(['name'], [['one\ntwo\r\tthree']]).split('\n').length, 2)
  assert.equal(printable('half a pair \uD800, Zoë, 名前, 👩'), 'half a pair \uFFFD, Zoë, 名前, 👩')
})

test('JSON is one line of text without such characters, and parses back unchanged', () => {
  const value = { name: hostile, list: ['名前', '👩', '\n'] }
  const line = jsonLine(value)
  assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
  assert.deepEqual(JSON.parse(line), value)
})

test('a time is printed to the second in UTC; none is a dash', () => {
  assert.deepEqual([when(0), when(new Date(1500)), when(null)], ['1970-01-01 00:00:00', '1970-01-01 00:00:01', '-'])
})
