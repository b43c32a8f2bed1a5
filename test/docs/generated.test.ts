// What `npm run docs` writes is up to date: the tables of docs/ and the reports of the public API in api/.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { apiReports } from '../../scripts/api-report.js'
import { generatedPages } from '../../scripts/docs/pages.js'
import { openPackage } from '../../scripts/docs/program.js'
import { withTables } from '../../scripts/docs/tables.js'

const opened = openPackage()
const project = join(import.meta.dirname, '../../..')

function expectWritten(files: ReadonlyMap<string, string>, what: string): void {
  for (const [path, text] of files) {
    const written = existsSync(join(project, path)) ? readFileSync(join(project, path), 'utf8') : ''
    assert.equal(written, text, `${path} is not what ${what}: run npm run docs`)
  }
}

test('the generated tables of docs/ are what the sources say', () => {
  expectWritten(generatedPages(opened), 'the sources say')
})

test('the reports in api/ are the public API', () => {
  const reports = apiReports(opened)
  expectWritten(reports, 'the entry points export')
  assert.deepEqual(
    readdirSync(join(project, 'api')).sort(),
    Array.from(reports.keys(), (path) => path.slice('api/'.length)).sort(),
  )
})

test('a table is written at its marker, and one without a place or a marker without a table is an error', () => {
  const table = { headings: ['a', 'b'], rows: [['one | two', '']] }
  const page = 'before\n<!-- table: x (generated) -->\nold\n<!-- end -->\nafter\n'
  assert.equal(
    withTables(page, { x: table }),
    'before\n<!-- table: x (generated) -->\n\n| a | b |\n| --- | --- |\n| one \\| two |  |\n\n<!-- end -->\nafter\n',
  )
  assert.equal(withTables(withTables(page, { x: table }), { x: table }), withTables(page, { x: table }))
  assert.throws(() => withTables(page, { y: table, x: table }), /no marker for y/)
  assert.throws(() => withTables(page, {}), /no table x/)
})
