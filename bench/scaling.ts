// The size of a large installation: npm run bench:scaling [-- --users 200000]. Fills a Postgres with rows copied from
// real ones, measures their size and the cost of each request, and computes from that the needs of 100 million users
// and 100,000 logins a minute. Prints the tables of docs/scaling.md. It starts a Postgres of its own unless
// DATABASE_URL names one, as a superuser and empty: it fills it.
import Fastify, { type FastifyInstance } from 'fastify'
import { rm } from 'node:fs/promises'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import pg from 'pg'
import { startPostgres } from '../src/development/postgres.js'
import identity, { requireAuthorization } from '../src/index.js'
import { createHasher } from '../src/passwords/hasher.js'
import { createDenyList } from '../src/revocation/deny-list.js'
import { connect } from '../src/store/connect.js'
import { findNotes, oldestWriterSeconds } from '../src/store/notes.js'
import { gather, nameOf, revoke, type TableWeight, weigh } from './support/crowd.js'
import { expected, type Habits, simulated } from './support/population.js'

const { values } = parseArgs({ options: { users: { type: 'string', default: '200000' } } })
const users = Number(values.users)
const schema = 'identity'
const password = 'Forecast-42'
const model = 'somebody@example.com'
const browser =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36'
const times = 200

const aim = { users: 100_000_000, loginsPerMinute: 100_000, secondFactorShare: 0.1 }
// Said in the document beside the table: assumptions, not measurements.
const habits: Habits = {
  loginsPerMinute: aim.loginsPerMinute,
  logoutShare: 0.3,
  logoutMinutes: 30,
  usedHours: 4,
  absoluteMinutes: 30 * 1440,
  noteMinutes: 120,
  attemptMinutes: 1.5,
}

interface Cost {
  readonly what: string
  readonly statements: number
  readonly written: string
  readonly walBytes: number
  readonly pageBytes: number
}

const began = performance.now()
// One that flushes and writes whole pages, as a real one does.
const postgres = process.env.DATABASE_URL === undefined ? await startPostgres({ persistent: true }) : null
const database = postgres?.url ?? process.env.DATABASE_URL!
const client = new pg.Client(database)
try {
  await client.connect()
  for (const name of ['pageinspect', 'pg_walinspect']) await client.query(`create extension if not exists ${name}`)
  await report()
} finally {
  await client.end()
  if (postgres !== null) {
    await postgres.stop()
    await rm(postgres.dataDir, { recursive: true, force: true })
  }
}

async function report(): Promise<void> {
  await withApp([], becomeModel)
  await gather(client, schema, model, users)

  const weights = await weigh(client, schema)
  print(
    ['table', 'rows', 'bytes a row', 'indexes, bytes a row', 'levels'],
    weights.map(({ table, rows, row, indexes }) => [
      `\`${table}\``,
      whole(rows),
      row.toFixed(0),
      indexes
        .map(({ name, bytesPerRow }) => `\`${name.replace(`${table}_`, '')}\` ${bytesPerRow.toFixed(0)}`)
        .join(', '),
      indexes.map(({ levels }) => levels).join(', '),
    ]),
  )

  // Tidying comes a minute after an instance's start, and vacuum when it likes: neither is the requests' cost.
  await client.query(`alter table ${schema}.attempts set (autovacuum_enabled = off)`)
  const sent: string[] = []
  const costs: Cost[] = []
  await withApp(sent, async (app) => {
    costs.push(...(await requests(app, sent)))
  })
  print(
    ['request', 'statements', 'rows written', 'WAL, bytes', 'and page images'],
    costs.map(({ what, statements, written, walBytes, pageBytes }) => [
      what,
      statements.toFixed(1),
      written,
      whole(walBytes),
      whole(pageBytes),
    ]),
  )

  const polls = await revocations()
  const hash = await hashMilliseconds()
  const bytesOfDenied = deniedBytes()
  print(
    ['what', 'measured'],
    [
      ...polls.map(({ notes, seconds, milliseconds }) => [
        seconds > 60
          ? `the first question of an instance, with ${whole(notes)} sessions ended in the last hour`
          : `one question, with ${whole(notes)} sessions ended in the last 15 s`,
        `${milliseconds.toFixed(1)} ms`,
      ]),
      ['a session in the deny list', `${bytesOfDenied.toFixed(0)} bytes`],
      ['one argon2id hash of the default parameters', `${hash.toFixed(1)} ms of one core`],
    ],
  )
  arithmetic(weights, costs, hash, bytesOfDenied)
  const {
    rows: [server],
  } = await client.query<{ server_version: string }>('show server_version')
  console.log(
    `\n${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.versions.node}, Postgres ${server!.server_version.split(' ')[0]!}, ` +
      `${whole(users)} users, ${new Date().toISOString().slice(0, 10)}, in ${((performance.now() - began) / 1000).toFixed(0)} s`,
  )
}

/** @param sent where the statements go that requests cause */
async function withApp(sent: string[], work: (app: FastifyInstance) => Promise<void>): Promise<void> {
  const pool = new pg.Pool({ connectionString: database, max: 1 })
  pool.on('connect', (one) => count(one, sent))
  const app = Fastify()
  await app.register(identity, { prefix: '/account', database: pool, schema })
  app.get('/guarded', { onRequest: requireAuthorization() }, () => ({}))
  await work(app)
  await app.close()
  await pool.end()
}

function count(one: pg.PoolClient, sent: string[]): void {
  const query = one.query.bind(one) as (...given: unknown[]) => unknown
  one.query = ((...given: unknown[]) => {
    const [first] = given as [string | pg.QueryConfig]
    const text = typeof first === 'string' ? first : first.text
    // The plugin's own periodic statements.
    if (
      !/from .*"keys"|^\s*select string_agg\(session_id|pg_stat_activity|^\s*delete from .* = any\(array\(/.test(text)
    )
      sent.push(text)
    return query(...given)
  }) as typeof one.query // one of its many forms, the one that a promise is asked of
}

/** Somebody real, whose rows the crowd's are copies of. */
async function becomeModel(app: FastifyInstance): Promise<void> {
  await post(app, '/account/register', { email: model, password })
  await post(app, '/account/login', { email: model, password })
  const user = await app.identity.users.findByName(model)
  await app.identity.users.resetAuthenticatorKey(user!)
  await app.identity.users.generateNewTwoFactorRecoveryCodes(user!, 10)
}

async function post(
  app: FastifyInstance,
  url: string,
  payload: object,
  token?: string,
): Promise<Record<string, string>> {
  const headers = { 'user-agent': browser, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) }
  const { statusCode, body } = await app.inject({ method: 'POST', url, payload, headers })
  if (statusCode !== 200) throw new Error(`${url} answered ${statusCode}`)
  return body === '' ? {} : (JSON.parse(body) as Record<string, string>) // texts and one number
}

async function requests(app: FastifyInstance, sent: string[]): Promise<Cost[]> {
  const { rows } = await client.query<{ email: string }>(
    `select ${nameOf(`(${users} / ${times}::int * n + 1)`)} as email from generate_series(0, ${times - 1}) n`,
  )
  // Tokens of the end, newest last.
  const pairs: Record<string, string>[] = []
  const costs: Cost[] = []
  const measure = async (what: string, act: (index: number) => Promise<unknown>) => {
    costs.push(await costOf(what, sent, act))
  }
  await measure('registration', (index) =>
    post(app, '/account/register', { email: `new-${index}@example.com`, password }),
  )
  await measure('login', async (index) => {
    pairs[index] = await post(app, '/account/login', { email: rows[index]!.email, password })
  })
  await measure('authenticated request', (index) =>
    app.inject({ url: '/guarded', headers: { authorization: `Bearer ${pairs[index]!.accessToken!}` } }),
  )
  await measure('refresh', async (index) => {
    pairs[index] = await post(app, '/account/refresh', { refreshToken: pairs[index]!.refreshToken })
  })
  await measure('logout', (index) => post(app, '/account/logout', {}, pairs[index]!.accessToken))
  return costs
}

/** What `act` costs the database; the WAL right after a checkpoint, when each page that is touched goes there whole once. */
async function costOf(what: string, sent: string[], act: (index: number) => Promise<unknown>): Promise<Cost> {
  await client.query('checkpoint')
  const before = await written()
  const {
    rows: [start],
  } = await client.query<{ lsn: string }>('select pg_current_wal_insert_lsn() as lsn')
  sent.length = 0
  for (let index = 0; index < times; index++) await act(index)
  const statements = sent.length / times
  const after = await written()
  const {
    rows: [end],
  } = await client.query<{ lsn: string; isLater: boolean }>(
    'select pg_current_wal_flush_lsn() as lsn, pg_current_wal_flush_lsn() > $1::pg_lsn as "isLater"',
    [start!.lsn],
  )
  // When nothing was written there is nothing to inspect.
  const {
    rows: [wal],
  } = end!.isLater
    ? await client.query<{ records: number; pages: number }>(
        `
    select sum(record_size)::float as records, sum(fpi_size)::float as pages from pg_get_wal_stats($1::pg_lsn, $2::pg_lsn)`,
        [start!.lsn, end!.lsn],
      )
    : { rows: [] }
  const kinds = Array.from(after.keys()).filter((kind) => after.get(kind)! - (before.get(kind) ?? 0) >= times / 2)
  return {
    what,
    statements,
    written:
      kinds
        .map((kind) => `${kind}${repeated(Math.round((after.get(kind)! - (before.get(kind) ?? 0)) / times))}`)
        .join(', ') || 'none',
    walBytes: (wal?.records ?? 0) / times,
    pageBytes: (wal?.pages ?? 0) / times,
  }
}

/** Rows written so far, by table and what was done. The plugin's one connection reports its figures once a second, while it polls. */
async function written(): Promise<Map<string, number>> {
  await new Promise((resolve) => setTimeout(resolve, 2500))
  await client.query('select pg_stat_clear_snapshot()')
  const { rows } = await client.query<{ name: string; ins: string; upd: string; del: string }>(
    'select relname as name, n_tup_ins as ins, n_tup_upd as upd, n_tup_del as del from pg_stat_user_tables where schemaname = $1',
    [schema],
  )
  return new Map(
    rows.flatMap(
      ({ name, ins, upd, del }) =>
        [
          [`+ \`${name}\``, Number(ins)],
          [`~ \`${name}\``, Number(upd)],
          [`− \`${name}\``, Number(del)],
        ] as [string, number][],
    ),
  )
}

/** The least of several times: what else the machine does is not the question's. */
async function revocations(): Promise<{ notes: number; seconds: number; milliseconds: number }[]> {
  const db = connect(database, schema, undefined, {}, () => undefined)
  const results: { notes: number; seconds: number; milliseconds: number }[] = []
  for (const [notes, seconds] of [
    [0, 15],
    [1_000, 15],
    [10_000, 15],
    [1_000_000, 3600],
  ] as const) {
    await client.query(`truncate ${schema}.revocations`)
    await revoke(client, schema, notes, seconds)
    await client.query(`vacuum analyze ${schema}.revocations`)
    const milliseconds: number[] = []
    for (let time = 0; time < (seconds > 60 ? 3 : 50); time++) {
      const asked = performance.now()
      await oldestWriterSeconds(db)
      await findNotes(db, seconds + 60, () => undefined)
      milliseconds.push(performance.now() - asked)
    }
    results.push({ notes, seconds, milliseconds: Math.min(...milliseconds) })
  }
  await db.close()
  return results
}

/** The time of a core, so that a busy machine does not look slow. */
async function hashMilliseconds(): Promise<number> {
  const hasher = createHasher()
  const hash = await hasher.hash(password)
  const before = process.cpuUsage()
  for (let time = 0; time < 100; time++) await hasher.verify(hash, password)
  const { user, system } = process.cpuUsage(before)
  await hasher.close()
  return (user + system) / 1000 / 100
}

function deniedBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void // what the flag gives
  const list = createDenyList()
  collect()
  const before = process.memoryUsage().heapUsed
  for (let page = 0; page < 25; page++) {
    // Parts of one text, as they come from the database.
    const text = Array.from({ length: 20_000 }, (_, index) => `${page * 20_000 + index}`.padStart(36, '0')).join(',')
    list.add(Buffer.from(text).toString('latin1').split(','), Date.now())
  }
  collect()
  return (process.memoryUsage().heapUsed - before) / list.size
}

function arithmetic(
  weights: readonly TableWeight[],
  costs: readonly Cost[],
  hash: number,
  bytesOfDenied: number,
): void {
  const byHand = expected(habits)
  const lived = simulated(habits)
  const bytesOf = (table: string) => {
    const { row, indexes } = weights.find((one) => one.table === table)!
    return row + indexes.reduce((sum, { bytesPerRow }) => sum + bytesPerRow, 0)
  }
  const [login, refresh, logout] = ['login', 'refresh', 'logout'].map((name) =>
    costs.find(({ what }) => what === name)!,
  ) as [Cost, Cost, Cost]
  const perSecond = aim.loginsPerMinute / 60
  const logouts = perSecond * habits.logoutShare
  const factors = aim.users * aim.secondFactorShare
  print(
    ['what', 'by arithmetic', 'simulated', 'bytes'],
    [
      ['`users`', million(aim.users), '', giga(aim.users * bytesOf('users'))],
      [
        '`user_tokens`, `recovery_codes`',
        `${million(factors)}, ${million(factors * 10)}`,
        '',
        giga(factors * bytesOf('user_tokens') + factors * 10 * bytesOf('recovery_codes')),
      ],
      ['`sessions`', million(byHand.sessions), million(lived.sessions), giga(lived.sessions * bytesOf('sessions'))],
      [
        '`revocations`',
        million(byHand.revocations),
        million(lived.revocations),
        giga(lived.revocations * bytesOf('revocations')),
      ],
      ['`attempts`', million(byHand.attempts), million(lived.attempts), giga(lived.attempts * bytesOf('attempts'))],
    ],
  )
  const refreshes = lived.refreshesPerSecond
  const rate = (of: (cost: Cost) => number) => of(login) * perSecond + of(refresh) * refreshes + of(logout) * logouts
  print(
    ['what', 'a second'],
    [
      ['logins', whole(perSecond)],
      ['refreshes, by arithmetic and simulated', `${whole(byHand.refreshesPerSecond)}, ${whole(refreshes)}`],
      ['logouts', whole(logouts)],
      ['statements', whole(rate(({ statements }) => statements))],
      ['WAL without page images', `${(rate(({ walBytes }) => walBytes) / 1e6).toFixed(1)} MB`],
      ['cores that hash', ((perSecond * hash) / 1000).toFixed(0)],
      [
        'deny list of each instance',
        `${((habits.logoutShare * aim.loginsPerMinute * 61 * bytesOfDenied) / 1e6).toFixed(0)} MB`,
      ],
    ],
  )
}

function print(head: readonly string[], rows: readonly (readonly string[])[]): void {
  console.log(
    ['', head, head.map(() => '---'), ...rows]
      .map((row) => (typeof row === 'string' ? row : `| ${row.join(' | ')} |`))
      .join('\n'),
  )
}

function repeated(count: number): string {
  return count === 1 ? '' : ` × ${count}`
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en')
}

function million(value: number): string {
  return `${(value / 1e6).toLocaleString('en', { maximumSignificantDigits: 3 })} M`
}

function giga(value: number): string {
  return value > 1e12
    ? `${(value / 1e12).toFixed(2)} TB`
    : `${(value / 1e9).toLocaleString('en', { maximumSignificantDigits: 3 })} GB`
}
