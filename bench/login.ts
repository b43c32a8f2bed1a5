// The rate of logins: POST /account/login beside the argon2id rate of this machine without other work, and beside
// better-auth's logins. Every login is right, and users alternate, so that no lock and no throttle interferes.
import { availableParallelism } from 'node:os'
import { startChild } from './support/child.js'
import { measure, type Measured } from './support/loads.js'
import { fill, loginBodies } from './support/people.js'
import { type Finding, median, type Report, spread } from './support/report.js'
import { beside, inRounds, type Runner, type Settings } from './support/rounds.js'
import { contenderOf, rivalOf, type Server, startServer } from './support/servers.js'

const connections = 16
const people = 1_000
// The slowest answers twenty in a second: in less time none of 16 clients would have an answer.
const leastSeconds = 3
const cores = availableParallelism()
// hasher-options.ts: half the cores, and two threads of libuv's four stay free.
const inFlight = Math.max(1, Math.min(Math.floor(cores / 2), 2))

const hashing = `argon2id alone, ${inFlight} in flight`
const hashingAll = 'argon2id alone, 8 in flight'
const logins = `POST /login (${inFlight} in flight, the default)`
const loginsAll = `POST /login (${cores} in flight)`
const rival = 'better-auth POST /sign-in/email'

type Figures = Pick<Measured, 'perSecond'> & Partial<Measured>

export async function login(settings: Settings): Promise<Report> {
  const { database } = settings
  const schema = 'bench_login'
  const argon2 = startChild(import.meta.resolve('./support/argon2.js'), null, { UV_THREADPOOL_SIZE: '8' })
  const servers: Server[] = []
  const start = async (...args: Parameters<typeof startServer>) => {
    const server = await startServer(...args)
    servers.push(server)
    return server
  }
  try {
    const ours = await start(contenderOf('identity'), { database, schema })
    const oursAll = await start(contenderOf('identity'), { database, schema, variant: 'all cores' }, null, {
      UV_THREADPOOL_SIZE: String(cores + 2),
    })
    const other = await start(rivalOf('better-auth'), { database })
    await fill(database, schema, people, (await argon2.ask('hash')) as string)
    const others = (await other.credentials(connections)).map((credential) => credential.login!)
    const rate = (name: string, count: number): Runner<Figures> => ({
      name,
      run: async (seconds) => ({ perSecond: (await argon2.ask('rate', { inFlight: count, seconds })) as number }),
    })
    const load = (name: string, server: Server, path: string, bodies: readonly object[]): Runner<Figures> => ({
      name,
      run: (seconds) =>
        measure(server, {
          kind: 'post',
          url: server.url + path,
          connections,
          seconds: Math.max(seconds, leastSeconds),
          bodies,
        }),
    })
    const results = await inRounds(
      [
        rate(hashing, inFlight),
        load(logins, ours, '/account/login', loginBodies(people, people)),
        rate(hashingAll, 8),
        load(loginsAll, oursAll, '/account/login', loginBodies(people, people)),
        load(rival, other, '/api/auth/sign-in/email', others),
      ],
      settings,
    )
    return report(results)
  } finally {
    await Promise.all([argon2, ...servers].map((one) => one.stop()))
  }
}

function report(results: Map<string, Figures[]>): Report {
  const share = (name: string, other: string) =>
    beside(results, name, other, (one, two) => one.perSecond / two.perSecond)
  const figure = (list: Figures[], key: 'p50' | 'p99' | 'cpuMicros', digits: number) =>
    list[0]?.[key] === undefined ? '' : median(list.map((one) => one[key]!)).toFixed(digits)
  const table = [
    [`${connections} connections`, 'per second', 'p50 ms', 'p99 ms', 'CPU µs'],
    ...[...results].map(([name, list]) => [
      name,
      spread(
        list.map((one) => one.perSecond),
        1,
      ),
      figure(list, 'p50', 0),
      figure(list, 'p99', 0),
      figure(list, 'cpuMicros', 0),
    ]),
  ]
  const finding = (what: string, values: readonly number[], least: number, asShare: boolean): Finding => ({
    what,
    target: asShare ? `≥ ${least * 100} %` : `≥ ${least} times`,
    measured: asShare
      ? spread(
          values.map((value) => value * 100),
          0,
          ' %',
        )
      : spread(values, 1, ' times'),
    isMet: median(values) >= least,
  })
  return {
    title: 'Logging in',
    table,
    findings: [
      finding(`logins, of ${hashing}`, share(logins, hashing), 0.85, true),
      finding(`logins with ${cores} in flight, of ${hashingAll}`, share(loginsAll, hashingAll), 0.85, true),
      finding("logins, beside better-auth's", share(logins, rival), 5, false),
    ],
    charts: [
      {
        title: 'Logins per second (longer is better)',
        unit: '/s',
        bars: [logins, loginsAll, rival].map((name) => ({
          name,
          value: median(results.get(name)!.map((one) => one.perSecond)),
          isOurs: name !== rival,
        })),
      },
    ],
  }
}
