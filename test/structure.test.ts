// The sizes that keep a file readable, and the order of what lies beside src/: tests, benches and scripts import the
// package, and nothing of the package imports them. The layers of src/ itself are test/architecture.test.ts.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  circlesOf,
  deepestChain,
  filesBelow,
  functionsOf,
  type Import,
  importsOf,
  project,
} from '../scripts/sources.js'
import { testedElsewhere } from './tested-elsewhere.js'

const sources = filesBelow('src')
const all = [...sources, ...['migrations', 'bench', 'examples', 'scripts', 'test'].flatMap(filesBelow)]
const imports = all.flatMap(importsOf)
const within = (list: readonly Import[]) => list.filter(({ to }) => all.includes(to))
const listed = (list: readonly Import[]) => list.map(({ from, to }) => `${from} imports ${to}`)
const topOf = (file: string) => file.split('/')[0]

test('no file has more than 400 lines: split a longer one by subject', () => {
  const linesOf = (file: string) => readFileSync(join(project, file), 'utf8').trimEnd().split('\n').length
  assert.deepEqual(
    sources.filter((file) => linesOf(file) > 400).map((file) => `${file}: ${linesOf(file)} lines`),
    [],
  )
})

test('no function has more than 100 lines: take a part with a name of its own out of a longer one', () => {
  assert.deepEqual(
    sources
      .flatMap(functionsOf)
      .filter(({ lines }) => lines > 100)
      .map(({ name, file, lines }) => `${name} in ${file}: ${lines} lines`),
    [],
  )
})

test('no chain of imports is longer than 11 files, types aside: import from below what is only passed through', () => {
  const isRun = ({ from, to, isOfTypes }: Import) => !isOfTypes && from.startsWith('src/') && to.startsWith('src/')
  const chain = deepestChain(within(imports).filter(isRun))
  assert.ok(chain.length <= 11, `${chain.length} files: ${chain.join(' → ')}`)
})

test('nothing imports in a circle, in tests, benches, examples and scripts as in the package', () => {
  assert.deepEqual(listed(circlesOf(within(imports))), [])
})

test('the package imports its own files and migrations only; what lies beside it imports it', () => {
  const isUpward = ({ from, to }: Import) =>
    (topOf(from) === 'src' && !['src', 'migrations'].includes(topOf(to)!)) ||
    (topOf(from) === 'migrations' && topOf(to) !== 'migrations') ||
    (topOf(from) === 'scripts' && ['test', 'bench', 'examples'].includes(topOf(to)!)) ||
    (topOf(from) === 'examples' && ['test', 'bench', 'scripts'].includes(topOf(to)!))
  assert.deepEqual(listed(within(imports).filter(isUpward)), [])
})

test('support for tests and benches imports no test and no bench', () => {
  const isUpward = ({ from, to }: Import) =>
    (from.startsWith('test/support/') && topOf(to) === 'test' && !to.startsWith('test/support/')) ||
    (from.startsWith('bench/support/') && topOf(to) === 'bench' && !to.startsWith('bench/support/'))
  assert.deepEqual(listed(within(imports).filter(isUpward)), [])
})

test('every source has a test at the mirrored path, or a line in test/tested-elsewhere.ts', () => {
  const mirrored = (file: string) => file.replace(/^src\//, 'test/').replace(/\.ts$/, '.test.ts')
  const alone = sources.filter((file) => !all.includes(mirrored(file)))
  assert.deepEqual(
    alone.filter((file) => testedElsewhere[file] === undefined),
    [],
    'write the test, or the line that names another one',
  )
  assert.deepEqual(
    Object.entries(testedElsewhere).filter(([file, where]) => !alone.includes(file) || !all.includes(where)),
    [],
    'strike what has a test of its own or is gone; name a test that exists',
  )
})
