// npm run bench [-- [--quick] [--svg FILE] [authenticate login refresh seal …]]: runs all benches, or the named ones,
// and prints the targets beside the figures. A run takes about half an hour on a quiet machine; --quick takes two
// minutes and only shows that all of it runs. It starts a Postgres of its own unless DATABASE_URL names one (an empty
// one: it fills it), and installs the rival packages when they are missing.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startPostgres } from '../src/development/postgres.js'
import { authenticate } from './authenticate.js'
import { flood } from './flood.js'
import { growth } from './growth.js'
import { login } from './login.js'
import { memory } from './memory.js'
import { refresh } from './refresh.js'
import { seal } from './seal.js'
import { startUp } from './start-up.js'
import { chart } from './support/chart.js'
import { columns, type Report, targets } from './support/report.js'
import type { Settings } from './support/rounds.js'
import { hasWrk } from './support/wrk.js'

const questions: Readonly<Record<string, (settings: Settings) => Promise<Report>>> = {
  authenticate,
  login,
  flood,
  refresh,
  growth,
  memory,
  'start-up': startUp,
  seal,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    svg: { type: 'string' },
  },
})
const names = positionals.length === 0 ? Object.keys(questions) : positionals
const unknown = names.filter((name) => questions[name] === undefined)
if (unknown.length > 0)
  throw new Error(`There is no bench ${unknown.join(', ')}; there are ${Object.keys(questions).join(', ')}`)

installRivals(join(import.meta.dirname, '../../bench/rivals'))
if (!hasWrk)
  console.log(
    'wrk is not installed: autocannon alone, which is near its own limit against a bare route and flatters ratios there.',
  )
const postgres = process.env.DATABASE_URL === undefined ? await startPostgres({ persistent: false }) : null
const reports: Report[] = []
try {
  const settings: Settings = {
    database: postgres?.url ?? process.env.DATABASE_URL!,
    isQuick: values.quick,
    rounds: Number(values.rounds ?? (values.quick ? 1 : 5)),
    seconds: Number(values.seconds ?? (values.quick ? 1 : 4)),
  }
  for (const name of names) {
    const report = await questions[name]!(settings)
    reports.push(report)
    console.log(`\n${report.title}\n\n${columns(report.table)}`)
  }
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}`
  const how = `Medians of ${settings.rounds} interleaved rounds of ${settings.seconds} s (least to most). ${machine}.${settings.isQuick ? ' A quick run: not for quoting.' : ''}`
  console.log(`\n${targets(reports.flatMap(({ findings }) => findings))}\n\n${how}`)
  if (values.svg !== undefined)
    await writeFile(
      values.svg,
      chart(
        reports.flatMap(({ charts = [] }) => charts),
        machine,
      ),
    )
} finally {
  await postgres?.stop()
}

// A package of their own: their dependencies never enter our tree. Installed when the lock file has changed since the
// last installation.
function installRivals(folder: string): void {
  const installed = join(folder, 'node_modules/.package-lock.json')
  const versions = (file: string) =>
    (
      JSON.parse(readFileSync(file, 'utf8')) as {
        packages: Record<string, { version?: string; optional?: boolean; peer?: boolean }>
      }
    ).packages
  const isCurrent =
    existsSync(installed) &&
    Object.entries(versions(join(folder, 'package-lock.json'))).every(
      ([path, { version, optional }]) =>
        path === '' || optional === true || versions(installed)[path]?.version === version,
    )
  if (isCurrent) return
  const { status } = spawnSync('npm', ['ci', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund'], {
    stdio: 'inherit',
  })
  if (status !== 0) throw new Error('The rivals could not be installed')
}
