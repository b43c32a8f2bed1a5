// Runs the fault experiments and the attacks: npm run faults [-- [--long] part-of-a-file-name …]. One line for each:
// whether it held, its title, its figures. One after the other, so that the figures of one are not those of its
// neighbour.
import { readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { finished } from 'node:stream/promises'
import { run } from 'node:test'
import { startPostgres } from '../src/development/postgres.js'

const folder = import.meta.dirname
const given = process.argv.slice(2)
const parts = given.filter((word) => !word.startsWith('--'))
const unknown = given.filter((word) => word.startsWith('--') && word !== '--long')

interface Line {
  readonly file: string
  readonly outcome: 'held' | 'FAILED' | 'skipped'
  readonly title: string
  readonly seconds: number
  readonly cause: string
}

const files = await experiments()
if (unknown.length > 0 || files.length === 0) {
  console.error(unknown.length > 0 ? `There is no option ${unknown.join(', ')}.` : 'There are no such experiments.')
  process.exit(1)
}
if (given.includes('--long')) process.env.FAULTS_LONG = '1'
const postgres = process.env.DATABASE_URL === undefined ? await startPostgres({ persistent: false }) : null
if (postgres) process.env.DATABASE_URL = postgres.url
const { held, failed } = await runAll()
await postgres?.stop()
console.log(`${held} experiments held, ${failed} failed.`)
process.exitCode = failed === 0 && held > 0 ? 0 : 1

async function experiments(): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => /^(faults|attacks)\/.*\.test\.js$/.test(relative(folder, file)))
    .filter((file) => parts.length === 0 || parts.some((part) => relative(folder, file).includes(part)))
    .sort()
}

async function runAll(): Promise<{ held: number; failed: number }> {
  const count = { held: 0, failed: 0 }
  let last: Line | null = null
  let figures: string[] = []
  // The figures of an experiment arrive after its outcome.
  const print = () => {
    if (last === null) return
    const details = figures.length === 0 ? '' : `: ${figures.join('; ')}`
    console.log(
      `${last.outcome.padEnd(7)} ${last.file}  ${last.title}${details} (${last.seconds.toFixed(1)} s)${last.cause}`,
    )
    last = null
    figures = []
  }
  const ended = (line: Line) => {
    print()
    last = line
    if (line.outcome === 'held') count.held++
    if (line.outcome === 'FAILED') count.failed++
  }
  const stream = run({ files, concurrency: 1 })
  stream.on('test:pass', ({ name, file, nesting, skip, details }) => {
    if (name === file || nesting > 0) return
    const outcome = skip === undefined || skip === false ? 'held' : 'skipped'
    ended({ ...placeOf(file), outcome, title: name, seconds: details.duration_ms / 1000, cause: '' })
  })
  stream.on('test:fail', ({ name, file, nesting, details }) => {
    if (nesting > 0) return
    const { error } = details
    const cause = `\n        ${String(error.cause)}`
    ended({ ...placeOf(file), outcome: 'FAILED', title: name, seconds: details.duration_ms / 1000, cause })
  })
  stream.on('test:diagnostic', ({ message, file }) => {
    if (file !== undefined && last?.file === placeOf(file).file) figures.push(message)
  })
  stream.resume()
  await finished(stream)
  print()
  return count
}

// With source maps the path is that of the source.
function placeOf(file: string | undefined): { file: string } {
  return { file: /(?:faults|attacks)\/.*(?=\.test\.[jt]s$)/.exec(file ?? '')?.[0] ?? String(file) }
}
