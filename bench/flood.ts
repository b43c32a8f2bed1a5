// The effect of a flood: 200 clients log in as fast as they can. A guarded GET idle and during the flood, the
// accepted logins beside those of 16 clients, the refusals, and the memory used.
import { startChild } from './support/child.js'
import { credentialFiles, load, measure } from './support/loads.js'
import type { Loaded } from './support/wrk.js'
import { fill, loginBodies } from './support/people.js'
import { median, type Report, spread } from './support/report.js'
import { beside, inRounds, type Runner, type Settings } from './support/rounds.js'
import { contenderOf, startServer } from './support/servers.js'

const clients = 200
const people = 1_000
const schema = 'bench_flood'
const names = {
  idle: 'GET idle, 10 connections',
  one: 'GET idle, 1 connection',
  calm: 'login, 16 clients',
  flood: `login, ${clients} clients`,
  during: 'GET during the flood, 10 connections',
  oneDuring: 'GET during the flood, 1 connection',
}

type Figures = Loaded & { readonly mostRss?: number; readonly bystanders?: Loaded }

export async function flood(settings: Settings): Promise<Report> {
  const { database } = settings
  const argon2 = startChild(import.meta.resolve('./support/argon2.js'))
  const server = await startServer(contenderOf('identity'), { database, schema })
  const files = await credentialFiles()
  try {
    await fill(database, schema, people, (await argon2.ask('hash')) as string)
    const file = await files.write(await server.credentials(10))
    const get = (connections: number, seconds: number) =>
      load({ kind: 'get', url: `${server.url}/guarded`, connections, seconds, file })
    const logIn = (connections: number, seconds: number) =>
      measure(
        server,
        { kind: 'post', url: `${server.url}/account/login`, connections, seconds, bodies: loginBodies(people, people) },
        'autocannon',
        null,
        true,
      )
    const beforeRss = (await server.usage()).rss
    const during = async (connections: number, seconds: number): Promise<Figures> => {
      let mostRss = 0
      const watch = setInterval(
        () =>
          void server.usage().then(({ rss }) => {
            mostRss = Math.max(mostRss, rss)
          }),
        200,
      )
      const flooding = logIn(clients, seconds + 1)
      await new Promise((resolve) => setTimeout(resolve, 1000))
      const bystanders = await get(connections, seconds)
      const flooded = await flooding
      clearInterval(watch)
      return { ...flooded, mostRss, bystanders }
    }
    const runners: Runner<Figures>[] = [
      { name: names.idle, run: (seconds) => get(10, seconds) },
      { name: names.one, run: (seconds) => get(1, seconds) },
      { name: names.calm, run: (seconds) => logIn(16, seconds) },
      { name: names.flood, run: (seconds) => during(10, seconds) },
      { name: names.oneDuring, run: (seconds) => during(1, seconds) },
    ]
    const results = await inRounds(runners, settings)
    results.set(
      names.during,
      results.get(names.flood)!.map((one) => one.bystanders!),
    )
    results.set(
      names.oneDuring,
      results.get(names.oneDuring)!.map((one) => one.bystanders!),
    )
    return report(results, beforeRss)
  } finally {
    await Promise.all([server.stop(), argon2.stop(), files.remove()])
  }
}

function report(results: Map<string, Figures[]>, beforeRss: number): Report {
  const accepted = (one: Figures) => (one.perSecond * (one.statuses[200] ?? 0)) / one.requests
  const floods = results.get(names.flood)!
  const slower = beside(results, names.during, names.idle, (one, other) => one.p99 / other.p99)
  const slowerOne = beside(results, names.oneDuring, names.one, (one, other) => one.p99 / other.p99)
  const share = beside(results, names.flood, names.calm, (one, other) => accepted(one) / accepted(other))
  const unclean = floods.map(
    ({ statuses, unanswered, requests }) => requests - (statuses[200] ?? 0) - (statuses[503] ?? 0) + unanswered,
  )
  const growth = Math.max(...floods.map((one) => one.mostRss!)) - beforeRss
  return {
    title: `A flood of ${clients} clients at /login`,
    table: [
      ['', 'answered 200/s', '503/s', 'p50 ms', 'p99 ms'],
      ...[...results].map(([name, list]) => [
        name,
        median(list.map(accepted)).toFixed(0),
        median(list.map((one) => (one.perSecond * (one.statuses[503] ?? 0)) / one.requests)).toFixed(0),
        median(list.map((one) => one.p50)).toFixed(2),
        median(list.map((one) => one.p99)).toFixed(2),
      ]),
    ],
    findings: [
      {
        what: 'guarded GET during the flood: p99, of its idle p99 (10 connections)',
        target: '≤ 5 times',
        measured: spread(slower, 1, ' times'),
        isMet: median(slower) <= 5,
      },
      { what: '… by one connection', target: '', measured: spread(slowerOne, 1, ' times'), isMet: null },
      {
        what: 'logins accepted in the flood, of capacity',
        target: '≥ 80 %',
        measured: spread(
          share.map((one) => one * 100),
          0,
          ' %',
        ),
        isMet: median(share) >= 0.8,
      },
      {
        what: 'answers that are neither 200 nor a 503',
        target: '0',
        measured: String(Math.max(...unclean)),
        isMet: Math.max(...unclean) === 0,
      },
      {
        what: 'memory: most RSS during the flood above idle',
        target: 'bounded (≤ 80 MB)',
        measured: `${(growth / 1e6).toFixed(0)} MB`,
        isMet: growth <= 80e6,
      },
    ],
  }
}
