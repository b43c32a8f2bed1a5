// Runs the compiled tests against one Postgres: npm test [-- part-of-a-file-name …]. Sets DATABASE_URL for them unless
// it is set. Files run in a random order; the seed is printed and TEST_SEED repeats it. (node --test would sort the
// files by name.)
import { createHash, randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { run } from 'node:test'
import { spec, tap } from 'node:test/reporters'
import { startPostgres } from '../src/development/postgres.js'

const folder = import.meta.dirname
const parts = process.argv.slice(2)
const seed = process.env.TEST_SEED ?? randomBytes(4).toString('hex')

const files = shuffled(await testFiles(), seed)
if (files.length === 0) {
  console.error(parts.length === 0 ? 'There are no test files.' : `No test file is called like ${parts.join(' or ')}.`)
  process.exit(1)
}
console.log(`${files.length} test files, TEST_SEED=${seed}`)

const postgres = process.env.DATABASE_URL === undefined ? await startPostgres({ persistent: false }) : null
if (postgres) process.env.DATABASE_URL = postgres.url
const outcome = await runAll(files)
await postgres?.stop()
if (outcome.empty.length > 0) console.error(`No test ran in ${outcome.empty.join(', ')}.`)
process.exitCode = outcome.failed === 0 && outcome.empty.length === 0 && outcome.ran > 0 ? 0 : 1

async function testFiles(): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => file.endsWith('.test.js') && !relative(folder, file).startsWith('consumer/'))
    .filter((file) => parts.length === 0 || parts.some((part) => relative(folder, file).includes(part)))
}

// Order by hash: the same seed gives the same order, also when files come and go.
function shuffled(names: readonly string[], by: string): string[] {
  const rank = (name: string) => createHash('sha256').update(by).update(relative(folder, name)).digest('hex')
  return names
    .map((name) => ({ name, rank: rank(name) }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1))
    .map(({ name }) => name)
}

async function runAll(names: string[]): Promise<{ ran: number; failed: number; empty: string[] }> {
  const count = { ran: 0, failed: 0, empty: [] as string[] }
  const stream = run({ files: names, concurrency: 2 })
  stream.on('test:pass', ({ name, file }) => {
    // An event that is called like its file stands for the file. It passes when the file ended well without a single
    // test.
    if (name === file) count.empty.push(relative(folder, name))
    else count.ran++
  })
  stream.on('test:fail', () => {
    count.failed++
  })
  // The types ask for a generator where a stream is meant: tap only iterates.
  const report = process.stdout.isTTY
    ? stream.pipe(new spec())
    : Readable.from(tap(stream as unknown as Parameters<typeof tap>[0]))
  report.pipe(process.stdout)
  await finished(report)
  return count
}
