// Guards the connections behind Kysely, of any pool: every wait has a timeout, every connection has an error
// listener, and one that stopped answering is not used again. The meaning of errors is in sql-errors.ts.
import { hideRows } from './hide-rows.js'
import type pg from 'pg'
import type { Resolved } from '../option-schema.js'
import type { timeoutOptions } from './options.js'

/** Option `databaseTimeouts`, complete. */
export type DatabaseTimeouts = Resolved<typeof timeoutOptions.properties>

/** How much longer we wait than the server, in case it does not report its own timeout. */
const graceMilliseconds = 500

/** The settings of a pool that bound every wait of a request (OP-05). */
export function limitsOf(timeouts: DatabaseTimeouts) {
  const statementMilliseconds = Math.round(timeouts.statementSeconds * 1000)
  return {
    connectionTimeoutMillis: Math.round(timeouts.connectSeconds * 1000),
    statement_timeout: statementMilliseconds,
    query_timeout: statementMilliseconds + graceMilliseconds,
    idle_in_transaction_session_timeout: Math.round(timeouts.idleTransactionSeconds * 1000),
    keepAlive: true,
  } satisfies pg.PoolConfig
}

/** For migrations, which wait for each other and have no time limit. */
export const noLimits = {
  statement_timeout: 0,
  query_timeout: 0,
  idle_in_transaction_session_timeout: 0,
} satisfies pg.PoolConfig

/** The part of a pool that Kysely's dialect uses. */
export interface GuardedPool {
  connect(): Promise<GuardedConnection>
}

export interface GuardedConnection {
  /** @param name prepared statement name, used from the second time on */
  query(text: string, values: unknown[], name?: string): Promise<pg.QueryResult>
  release(): void
}

export interface GuardOptions {
  /** Timeouts for the waits that the pool itself does not bound. */
  readonly timeouts: DatabaseTimeouts
  /** Milliseconds that an answer may take; 0 for ever. Default: what the pool says, else half a second more than a statement may take. */
  readonly queryTimeout?: number
  /** Whether the pool is ours: its limits are then set again by each transaction, and not sent where a pooler refuses them. */
  readonly isOurs?: boolean
}

/**
 * Listens to the errors of a pool and of each of its connections, from the moment a connection was made: an error without a listener ends
 * the process. pg-pool listens while a connection is idle. It stops when it hands one out, and an error in the same packet as the last
 * message of the handshake comes before anyone who awaits the connection can listen.
 *
 * @param onError gets each error once
 * @returns ends the reports and keeps the listeners: a host's pool outlives us, with connections that we opened
 */
export function listenTo(pool: pg.Pool, onError: (error: Error) => void): () => void {
  const reported = new WeakSet<Error>()
  let isReporting = true
  const report = (error: Error) => {
    // The error of an idle connection comes from the connection, and again from the pool.
    if (!isReporting || reported.has(error)) return
    reported.add(error)
    onError(error)
  }
  const listen = (client: pg.PoolClient) => {
    if (!client.listeners('error').includes(report)) client.on('error', report)
  }
  pool.on('connect', listen)
  // A connection that is older than this registration. pg-pool emits this in the same step in which it stops listening itself.
  pool.on('acquire', listen)
  pool.on('error', report)
  return () => {
    isReporting = false
    pool.off('connect', listen)
    pool.off('acquire', listen)
    pool.off('error', report)
    if (!pool.listeners('error').includes(ignore)) pool.on('error', ignore)
  }
}

const ignore = () => undefined

/**
 * Puts bounds around a pool's connections, to which somebody listens (see `listenTo`). Limits that the pool sets itself stay.
 */
export function guardPool(pool: pg.Pool, { timeouts, isOurs = false, queryTimeout }: GuardOptions): GuardedPool {
  const limits = limitsOf(timeouts)
  const answerMilliseconds = queryTimeout ?? pool.options.query_timeout ?? limits.query_timeout
  const begin = isOurs ? beginWithin(pool.options) : 'begin'
  const answeredAt = new WeakMap<pg.PoolClient, number>()
  let silentAt = -Infinity

  async function checkOut(): Promise<pg.PoolClient> {
    for (;;) {
      const client = await (isOurs ? connectAnyhow : connectInTime)(pool, limits.connectionTimeoutMillis)
      // Its last answer is older than another connection's failure to answer, so it would probably not answer either:
      // a new connection is faster.
      if ((answeredAt.get(client) ?? Infinity) > silentAt) return client
      client.release(true)
    }
  }

  return {
    async connect() {
      const client = await checkOut()
      let broken: Error | null = null
      return {
        async query(text, values, name) {
          // The rollback after a lost connection need not wait for the same timeout.
          if (broken !== null) throw broken
          try {
            const sent = text === 'begin' ? begin : text
            const result = await client.query({
              name,
              text: sent,
              values,
              query_timeout: answerMilliseconds,
            } as pg.QueryConfig) // a member that the type lacks
            answeredAt.set(client, performance.now())
            return result
          } catch (error) {
            hideRows(error)
            if (error instanceof Error && isLoss(error)) broken = error
            if (broken !== null && !isReportedByServer(broken)) silentAt = performance.now()
            throw error
          }
        },
        release() {
          client.release(broken !== null)
        },
      }
    },
  }
}

const serverLimits = ['statement_timeout', 'idle_in_transaction_session_timeout'] as const

/**
 * The limits once more, in the same message that begins a transaction. A pooler may have refused them for the connection, or dropped them.
 */
function beginWithin(options: pg.PoolConfig): string {
  const set = serverLimits.map((name) => [name, Number(options[name])] as const).filter(([, limit]) => limit > 0)
  return ['begin', ...set.map(([name, limit]) => `set local ${name} = ${limit}`)].join('; ')
}

/**
 * PgBouncer refuses a connection that begins with a setting it does not know, unless its ignore_startup_parameters names it. The settings
 * are then left out; a statement outside a transaction is still given up by `query_timeout`.
 */
async function connectAnyhow(pool: pg.Pool, milliseconds: number): Promise<pg.PoolClient> {
  for (;;) {
    try {
      return await connectInTime(pool, milliseconds)
    } catch (error) {
      const refused = serverLimits.find(
        (name) => error instanceof Error && error.message === `unsupported startup parameter: ${name}`,
      )
      if (refused === undefined) throw error
      pool.options[refused] = undefined
    }
  }
}

/** A pool without a time limit would let a request wait for ever behind a network that drops every packet. */
async function connectInTime(pool: pg.Pool, milliseconds: number): Promise<pg.PoolClient> {
  const connecting = pool.connect()
  if ((pool.options.connectionTimeoutMillis ?? 0) > 0) return connecting
  return new Promise((resolve, reject) => {
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      reject(new Error('timeout exceeded when trying to connect'))
    }, milliseconds)
    void connecting
      .then((client) => {
        if (isLate) client.release()
        else resolve(client)
      })
      .catch(reject)
      .finally(() => clearTimeout(timer))
  })
}

// A server's errors have five characters of which the first is a digit where they speak of connections: 08 connection, 57P shutdown,
// 25P03 too long idle in a transaction. Node's codes begin with E, and pg's own errors have none.
function isReportedByServer(error: Error): boolean {
  return 'code' in error && typeof error.code === 'string' && /^[0-9A-Z]{5}$/.test(error.code) && error.code !== 'EPIPE'
}

function isLoss(error: Error): boolean {
  return !isReportedByServer(error) || /^(08...|57P..|25P03)$/.test((error as Error & { code: string }).code)
}
