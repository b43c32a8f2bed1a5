// The duration of a start, from `register` to `ready` on a migrated database, each time in a new process.
import { startChild } from './support/child.js'
import { median, type Report, spread } from './support/report.js'
import type { Settings } from './support/rounds.js'

export async function startUp({ database, isQuick }: Settings): Promise<Report> {
  const milliseconds: number[] = []
  for (let run = 0; run <= (isQuick ? 2 : 15); run++) {
    const child = startChild(import.meta.resolve('./support/start.js'), null, {
      DATABASE_URL: database,
      IDENTITY_SECRET: 'of no use to anybody outside a bench',
    })
    const took = (await child.ask('took')) as number
    await child.stop()
    // The first one migrates.
    if (run > 0) milliseconds.push(took)
  }
  return {
    title: 'Starting',
    table: [
      ['', 'ms'],
      ['register to ready, database migrated', spread(milliseconds, 0)],
    ],
    findings: [
      {
        what: '`register` to ready on a migrated database',
        target: '< 300 ms',
        measured: spread(milliseconds, 0, ' ms'),
        isMet: median(milliseconds) < 300,
      },
    ],
  }
}
