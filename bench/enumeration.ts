// Does the response time reveal which addresses have an account? npm run bench:enumeration [-- --pairs 300]. Sends
// known and unknown addresses in random order over one connection to the example's application, and prints how well
// the time separates them: the AUC, 0.5 for not at all, 1 for always (Mann-Whitney; a value below 0.5 is mirrored).
// Ends with 1 when one is above 0.6.
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { startPostgres } from '../src/development/postgres.js'
import { createHasher } from '../src/passwords/hasher.js'
import { startChild } from './support/child.js'
import { fill } from './support/people.js'
import { columns, median } from './support/report.js'

const most = 0.6
const { values } = parseArgs({ options: { pairs: { type: 'string', default: '300' } } })
const pairs = Number(values.pairs)
const warmUp = 30
const schema = 'identity'

interface Question {
  readonly what: string
  readonly path: string
  /** The body for the nth address of either kind; each is asked about once, so that no lock comes in between. */
  readonly known: (index: number) => object
  readonly unknown: (index: number) => object
  /** Shows that a difference would be seen. */
  readonly isControl?: boolean
}

const password = 'Wrong-Horse-7'
const address = (index: number) => ({ email: `person-${index}@example.com` })
const stranger = (index: number) => ({ email: `nobody-${index}@example.com` })
const locked = { email: 'locked@example.com', password }

const questions: readonly Question[] = [
  {
    what: '/login',
    path: '/account/login',
    known: (index) => ({ ...address(index), password }),
    unknown: (index) => ({ ...stranger(index), password }),
  },
  { what: '/forgotPassword', path: '/account/forgotPassword', known: address, unknown: stranger },
  { what: '/resendConfirmationEmail', path: '/account/resendConfirmationEmail', known: address, unknown: stranger },
  {
    what: 'control: /login of a locked name',
    path: '/account/login',
    isControl: true,
    known: (index) => ({ email: `another-${index}@example.com`, password }),
    unknown: () => locked,
  },
]

const agent = new Agent({ keepAlive: true, maxSockets: 1 })
const postgres = process.env.DATABASE_URL === undefined ? await startPostgres({ persistent: false }) : null
const database = postgres?.url ?? process.env.DATABASE_URL!
const server = startChild(import.meta.resolve('./enumeration-server.js'), null, {
  DATABASE_URL: database,
  NODE_ENV: 'development',
})
try {
  const url = (await server.ask('url')) as string // what enumeration-server.ts sends
  await settle()
  for (let attempt = 0; attempt < 5; attempt++) await send(url, '/account/login', locked)
  const rows: string[][] = [['', 'AUC', 'known ms', 'unknown ms']]
  let isRevealed = false
  for (const question of questions) {
    const { known, unknown } = await measure(url, question)
    const auc = apart(known, unknown)
    isRevealed ||= question.isControl === true ? auc < 0.9 : auc > most
    rows.push([question.what, auc.toFixed(3), median(known).toFixed(2), median(unknown).toFixed(2)])
  }
  console.log(
    `${columns(rows)}\n\n${pairs} pairs each, medians; at most ${most}, the control at least 0.9. ` +
      `${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}`,
  )
  process.exitCode = isRevealed ? 1 : 0
} finally {
  agent.destroy()
  await server.stop()
  await postgres?.stop()
}

/** As many people as there are questions, with confirmed addresses and a password under today's parameters. */
async function settle(): Promise<void> {
  const hasher = createHasher()
  await fill(database, schema, pairs + warmUp, await hasher.hash('Correct-Horse-7'))
  await hasher.close()
  const client = new pg.Client(database)
  await client.connect()
  await client.query(`update ${schema}.users set email_confirmed = true`)
  await client.end()
}

async function measure(
  url: string,
  { path, known, unknown }: Question,
): Promise<{ known: number[]; unknown: number[] }> {
  const times = { known: [] as number[], unknown: [] as number[] }
  for (let index = 1; index <= pairs + warmUp; index++) {
    const order = randomInt(2) === 0 ? (['known', 'unknown'] as const) : (['unknown', 'known'] as const)
    for (const kind of order) {
      const took = await send(url, path, kind === 'known' ? known(index) : unknown(index))
      if (index > warmUp) times[kind].push(took)
    }
  }
  return times
}

/** Milliseconds from the first byte sent to the last one read. */
async function send(url: string, path: string, json: object): Promise<number> {
  const body = JSON.stringify(json)
  const begin = performance.now()
  const sent = request(url + path, {
    method: 'POST',
    agent,
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
  })
  sent.end(body)
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  answer.resume()
  await once(answer, 'end')
  const took = performance.now() - begin
  if (answer.statusCode !== 200 && answer.statusCode !== 401)
    throw new Error(`${path} answered ${answer.statusCode ?? 'nothing'}`)
  return took
}

/** How often a known one took longer than an unknown one, folded at 0.5. */
function apart(known: readonly number[], unknown: readonly number[]): number {
  let longer = 0
  for (const one of known) for (const other of unknown) longer += one > other ? 1 : one === other ? 0.5 : 0
  const auc = longer / (known.length * unknown.length)
  return Math.max(auc, 1 - auc)
}
