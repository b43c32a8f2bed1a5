// Option `database`: what it may be, told apart by shape. Another installed copy of Kysely or pg has classes of its own, so that
// `instanceof` would take its objects for settings, and the users would be written to whatever database the environment names.
import { Kysely } from 'kysely'
import pg from 'pg'
import { DatabaseMissing, InvalidOption } from '../errors.js'

/** What option `database` takes: a connection string, a pool, a pool's settings, or a Kysely instance. */
// A host's Kysely instance is typed by the host's own tables, which have nothing to do with ours.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type DatabaseOption = string | pg.Pool | pg.PoolConfig | Kysely<any>

/** The option, told apart, with what it leaves to the environment. */
export type DatabaseSource =
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- see above
  | { readonly kind: 'kysely'; readonly kysely: Kysely<any> }
  | { readonly kind: 'pool'; readonly pool: pg.Pool }
  | { readonly kind: 'settings'; readonly settings: pg.PoolConfig }

/** Members of pg.ClientConfig and pg.PoolConfig, as pg 8 reads them. */
const settingNames = [
  'connectionString',
  'host',
  'port',
  'user',
  'password',
  'database',
  'ssl',
  'sslnegotiation',
  'application_name',
  'fallback_application_name',
  'options',
  'client_encoding',
  'replication',
  'statement_timeout',
  'query_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'connectionTimeoutMillis',
  'keepAlive',
  'keepAliveInitialDelayMillis',
  'enableChannelBinding',
  'scramMaxIterations',
  'stream',
  'connection',
  'types',
  'binary',
  'pipeline',
  'Client',
  'Promise',
  'max',
  'min',
  'poolSize',
  'maxUses',
  'maxLifetimeSeconds',
  'idleTimeoutMillis',
  'allowExitOnIdle',
  'log',
  'onConnect',
  'verify',
] as const satisfies readonly (
  keyof pg.PoolConfig | 'replication' | 'scramMaxIterations' | 'connection' | 'binary' | 'poolSize'
)[]

/** Those that say which database is meant. Without one of them the environment does. */
const placeNames = ['connectionString', 'host', 'port', 'database', 'stream', 'connection'] as const

/**
 * Refuses what is none of the four.
 *
 * @throws FST_IDENTITY_INVALID_OPTION, which never quotes the value
 */
export function checkDatabase(value: unknown): asserts value is DatabaseOption | undefined {
  if (value === undefined) return
  if (typeof value === 'string') {
    checkUrl('database', value)
    return
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrong(`is wrong (${value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value})`)
  }
  if (has(value, 'then')) throw wrong('is a promise', 'Await it first')
  if (isKysely(value)) {
    checkKysely(value)
    return
  }
  if (isPool(value)) return
  if (has(value, 'connect') || has(value, 'query')) throw wrong('is neither a pg.Pool nor a Kysely instance')
  checkSettings(value as Readonly<Record<string, unknown>>) // any object has members that may be read
}

/**
 * Recognises the form of the option, and completes it from the environment.
 *
 * @throws FST_IDENTITY_DATABASE_MISSING when nothing names a database: neither the option, nor DATABASE_URL, nor
 * libpq's PG* variables
 * @throws FST_IDENTITY_INVALID_OPTION
 */
export function readDatabase(option: DatabaseOption | undefined, environment: NodeJS.ProcessEnv): DatabaseSource {
  checkDatabase(option)
  if (typeof option === 'string') return { kind: 'settings', settings: { connectionString: option } }
  if (isKysely(option)) return { kind: 'kysely', kysely: option }
  if (isPool(option)) return { kind: 'pool', pool: option }
  const settings: pg.PoolConfig = option ?? {}
  if (placeNames.some((name) => (settings as Record<string, unknown>)[name] !== undefined)) {
    return { kind: 'settings', settings }
  }
  const { DATABASE_URL: url, PGHOST, PGDATABASE } = environment
  if (url !== undefined && url !== '') {
    checkUrl('DATABASE_URL', url)
    return { kind: 'settings', settings: { ...settings, connectionString: url } }
  }
  if (PGHOST === undefined && PGDATABASE === undefined) throw new DatabaseMissing()
  return { kind: 'settings', settings }
}

function has(value: object, ...names: readonly string[]): boolean {
  return names.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- see DatabaseOption
function isKysely(value: unknown): value is Kysely<any> {
  return (
    value instanceof Kysely ||
    (typeof value === 'object' &&
      value !== null &&
      has(value, 'selectFrom', 'insertInto', 'transaction', 'withSchema', 'withoutPlugins', 'getExecutor'))
  )
}

// A pg.Client connects and listens too, but counts nothing.
function isPool(value: unknown): value is pg.Pool {
  return (
    typeof value === 'object' &&
    value !== null &&
    has(value, 'connect', 'query', 'on', 'off') &&
    'options' in value &&
    typeof value.options === 'object' &&
    'totalCount' in value &&
    typeof value.totalCount === 'number'
  )
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- see DatabaseOption
function checkKysely(kysely: Kysely<any>): void {
  if (kysely.isTransaction) throw wrong('is a transaction', 'Pass the Kysely instance that it was begun with')
  const { supportsReturning, supportsTransactionalDdl } = kysely.getExecutor().adapter
  if (!supportsReturning || !supportsTransactionalDdl)
    throw wrong('is a Kysely instance of another database than Postgres', 'Give it a dialect of Postgres')
}

function checkSettings(settings: Readonly<Record<string, unknown>>): void {
  const names = Object.keys(settings)
  const unknown = names.find((name) => !settingNames.some((known) => known === name))
  if (unknown !== undefined) {
    throw new InvalidOption(
      `database.${unknown}`,
      'is unknown',
      `Known here: ${settingNames.join(', ')}. For anything else open the pool yourself: new pg.Pool({ … })`,
    )
  }
  if (names.every((name) => settings[name] === undefined)) throw wrong('says nothing')
  if (!('connectionString' in settings)) return
  const { connectionString } = settings
  if (typeof connectionString !== 'string')
    throw new InvalidOption('database.connectionString', `is wrong (${typeof connectionString})`, urlRemedy)
  checkUrl('database.connectionString', connectionString)
}

const urlRemedy = 'Write it as postgres://user:password@host:5432/database'

/** What pg reads as a URL of Postgres, and which names something. A path, `socket:/folder?db=name`, is a server on this machine. */
function checkUrl(option: string, text: string): void {
  if (!/^(postgres(ql)?:\/\/.|socket:.|\/.)/i.test(text)) throw new InvalidOption(option, notPostgres, urlRemedy)
  try {
    // Reads the text, and opens nothing.
    new pg.Client({ connectionString: text })
  } catch (error) {
    // Its words may hold the password.
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code !== 'ENOENT' && code !== 'EACCES') throw new InvalidOption(option, notPostgres, urlRemedy)
    throw new InvalidOption(option, `names a certificate or key that cannot be read (${code})`, 'Correct its path')
  }
}

const notPostgres = 'is not a connection string of Postgres'

function wrong(problem: string, remedy?: string): Error {
  return new InvalidOption(
    'database',
    problem,
    remedy ?? 'Pass a connection string, pg.Pool, pg.PoolConfig or Kysely instance',
  )
}
