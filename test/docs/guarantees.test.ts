// The table of guarantees in SECURITY.md: each names tests, and each of them exists.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const project = join(import.meta.dirname, '../../..')

test('each guarantee of SECURITY.md names a test that exists', () => {
  const lines = readFileSync(join(project, 'SECURITY.md'), 'utf8').split('\n')
  const start = lines.indexOf('| guarantee | test |')
  assert.ok(start > 0)
  const end = lines.findIndex((line, index) => index > start && !line.startsWith('|'))
  const rows = lines
    .slice(start + 2, end)
    .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()))
    .map(([, guarantee, tests]) => ({ guarantee: guarantee!, tests: tests!.match(/(?<=`)test\/[^`]+(?=`)/g) ?? [] }))
    // The name of a group.
    .filter(({ guarantee }) => !guarantee.startsWith('**'))
  assert.ok(rows.length > 40, `${rows.length} rows`)
  assert.deepEqual(
    rows.filter(({ tests }) => tests.length === 0).map(({ guarantee }) => guarantee),
    [],
  )
  assert.deepEqual(
    rows.flatMap(({ tests }) => tests).filter((file) => !existsSync(join(project, file))),
    [],
  )
})
