// The cost of a refresh: POST /account/refresh with rotation, beside a bare route that runs one UPDATE … RETURNING of
// a session through the same pool, and beside a plain one: open, one such statement through Kysely, two seals.
import { startChild } from './support/child.js'
import { type Measured, measure } from './support/loads.js'
import { fill, sessionIds } from './support/people.js'
import { type Finding, median, type Report, spread } from './support/report.js'
import { beside, inRounds, type Runner, type Settings } from './support/rounds.js'
import { contenderOf, type Server, startServer } from './support/servers.js'

const connections = 32
const people = 1_000
const schema = 'bench_refresh'
const update = 'one UPDATE … RETURNING, unnamed'
const named = 'one UPDATE … RETURNING, named'
const refreshing = 'POST /refresh'
const plain = 'plain refresh over Kysely, unnamed'

export async function refresh(settings: Settings): Promise<Report> {
  const { database } = settings
  const argon2 = startChild(import.meta.resolve('./support/argon2.js'))
  const servers: Server[] = []
  try {
    const ours = await startServer(contenderOf('identity'), { database, schema, variant: 'pool' })
    servers.push(ours)
    await fill(database, schema, people, (await argon2.ask('hash')) as string)
    const bodies = (await sessionIds(database, schema, people / 2)).map((id) => ({ id }))
    const post = (name: string, path: string): Runner<Measured> => ({
      name,
      run: (seconds) => measure(ours, { kind: 'post', url: ours.url + path, connections, seconds, bodies }),
    })
    const refreshes = (name: string, path: string): Runner<Measured> => ({
      name,
      async run(seconds) {
        const tokens = await ours.refreshTokens(connections)
        return measure(ours, {
          kind: 'refresh',
          url: ours.url + path,
          connections,
          seconds,
          bodies: tokens.map((refreshToken) => ({ refreshToken })),
        })
      },
    })
    return report(
      await inRounds(
        [
          post(update, '/update/unnamed'),
          refreshes(refreshing, '/account/refresh'),
          post(named, '/update/named'),
          refreshes(plain, '/refresh/plain'),
        ],
        settings,
      ),
    )
  } finally {
    await Promise.all([argon2, ...servers].map((one) => one.stop()))
  }
}

function report(results: Map<string, Measured[]>): Report {
  const share = (other: string) => beside(results, refreshing, other, (one, two) => one.perSecond / two.perSecond)
  const figure = (name: string, key: 'perSecond' | 'p50' | 'p99' | 'cpuMicros', digits: number) =>
    median(results.get(name)!.map((one) => one[key])).toFixed(digits)
  const finding = (what: string, values: readonly number[], least: number): Finding => ({
    what,
    target: `≥ ${least}`,
    measured: spread(values, 2),
    isMet: median(values) >= least,
  })
  return {
    title: 'Refreshing a pair of tokens',
    table: [
      [`POST, ${connections} connections`, 'per second', 'p50 ms', 'p99 ms', 'CPU µs', 'of one UPDATE'],
      ...[...results.keys()].map((name) => [
        name,
        figure(name, 'perSecond', 0),
        figure(name, 'p50', 2),
        figure(name, 'p99', 2),
        figure(name, 'cpuMicros', 0),
        spread(
          beside(results, name, update, (one, two) => one.perSecond / two.perSecond),
          2,
        ),
      ]),
    ],
    findings: [
      finding('refresh with rotation, of a bare route with one UPDATE … RETURNING', share(update), 0.8),
      { what: '… where that statement has a name', target: '', measured: spread(share(named), 2), isMet: null },
      finding('refresh, of a plain one over Kysely and unnamed statements (stretch)', share(plain), 2),
    ],
    charts: [
      {
        title: 'Refreshes per second (longer is better)',
        unit: '/s',
        bars: [...results].map(([name, list]) => ({
          name,
          value: median(list.map((one) => one.perSecond)),
          isOurs: name.startsWith('POST /refresh'),
        })),
      },
    ],
  }
}
