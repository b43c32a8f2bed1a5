// Speed by number of users: login and refresh with a thousand users in the table, and with a million, in the same
// rounds.
import { startChild } from './support/child.js'
import { type Measured, measure } from './support/loads.js'
import { fill, loginBodies } from './support/people.js'
import { type Finding, median, type Report, spread } from './support/report.js'
import { beside, inRounds, type Runner, type Settings } from './support/rounds.js'
import { contenderOf, type Server, startServer } from './support/servers.js'

const few = 1_000
const connections = 16

export async function growth(settings: Settings): Promise<Report> {
  const { database, isQuick } = settings
  const many = isQuick ? 20_000 : 1_000_000
  const argon2 = startChild(import.meta.resolve('./support/argon2.js'))
  const servers: Server[] = []
  try {
    const hash = (await argon2.ask('hash')) as string
    const runners: Runner<Measured>[] = []
    for (const count of [few, many]) {
      const schema = `bench_growth_${count}`
      const server = await startServer(contenderOf('identity'), { database, schema })
      servers.push(server)
      await fill(database, schema, count, hash)
      runners.push(
        {
          name: `login, ${count} users`,
          run: (seconds) =>
            measure(server, {
              kind: 'post',
              url: `${server.url}/account/login`,
              connections,
              seconds,
              bodies: loginBodies(few, count),
            }),
        },
        {
          name: `refresh, ${count} users`,
          async run(seconds) {
            const tokens = await server.refreshTokens(connections)
            return measure(server, {
              kind: 'refresh',
              url: `${server.url}/account/refresh`,
              connections,
              seconds,
              bodies: tokens.map((refreshToken) => ({ refreshToken })),
            })
          },
        },
      )
    }
    return report(await inRounds(runners, settings), many)
  } finally {
    await Promise.all([argon2, ...servers].map((one) => one.stop()))
  }
}

function report(results: Map<string, Measured[]>, many: number): Report {
  const finding = (what: string): Finding => {
    const shares = beside(
      results,
      `${what}, ${many} users`,
      `${what}, ${few} users`,
      (one, other) => (one.perSecond / other.perSecond) * 100,
    )
    return {
      what: `${what} with ${many.toLocaleString('en')} users, of its rate with ${few.toLocaleString('en')}`,
      target: '≥ 90 %',
      measured: spread(shares, 0, ' %'),
      isMet: median(shares) >= 90,
    }
  }
  return {
    title: 'Many users',
    table: [
      [`${connections} connections`, 'per second', 'p50 ms', 'p99 ms'],
      ...[...results].map(([name, list]) => [
        name,
        spread(
          list.map((one) => one.perSecond),
          0,
        ),
        median(list.map((one) => one.p50)).toFixed(1),
        median(list.map((one) => one.p99)).toFixed(1),
      ]),
    ],
    findings: [finding('login'), finding('refresh')],
  }
}
