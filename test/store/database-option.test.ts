// What option `database` may be: each form is recognised by its shape, and everything else is refused before anything
// is opened.
import assert from 'node:assert/strict'
import { Kysely, MysqlDialect, PostgresDialect, SqliteDialect } from 'kysely'
import { test } from 'node:test'
import pg from 'pg'
import { checkDatabase, type DatabaseOption, readDatabase } from '../../src/store/database-option.js'

const url = 'postgres://ann:secret-word@db.example.com:5432/shop'

function refusal(value: unknown, environment: NodeJS.ProcessEnv = {}): Error & { code: string } {
  try {
    // A JavaScript host may pass anything.
    readDatabase(value as DatabaseOption, environment)
  } catch (error) {
    assert.ok(error instanceof Error && 'code' in error && typeof error.code === 'string')
    assert.ok(!error.message.includes('secret-word'), error.message)
    return error as Error & { code: string } // checked above
  }
  throw new Error('It was taken')
}

const dialectless = { pool: {} as never }

const wrong: Readonly<Record<string, unknown>> = {
  'a promise of a pool': Promise.resolve(new pg.Pool()),
  'a thenable': { then: () => undefined, host: 'x' },
  'a misspelled member': { conectionString: url },
  'a misspelled member beside a right one': { host: 'db', databse: 'shop' },
  'no member at all': {},
  'members without values': { host: undefined, database: undefined },
  'a connection string that the environment lacks': { connectionString: undefined },
  'an empty connection string in settings': { connectionString: '' },
  'the connection string of another system in settings': { connectionString: 'mysql://ann:secret-word@db/shop' },
  'a URL object': new URL(url),
  'a map': new Map([['host', 'db']]),
  'a date': new Date(),
  'a client': new pg.Client(),
  'a Kysely instance of MySQL': new Kysely<object>({ dialect: new MysqlDialect(dialectless) }),
  'a Kysely instance of SQLite': new Kysely<object>({ dialect: new SqliteDialect({ database: {} as never }) }),
  'an object of another library': { select: () => undefined, insert: () => undefined },
  'something that only connects': { connect: () => undefined },
  'an empty text': '',
  'a blank text': ' ',
  'the connection string of MySQL': 'mysql://ann:secret-word@db/shop',
  'the connection string of an HTTP server': 'https://db.example.com/shop',
  'a URL without a scheme': 'ann:secret-word@db.example.com:5432/shop',
  'host and port': 'localhost:5432',
  'a host name': 'db.example.com/shop',
  'a connection string that names nothing': 'postgres://',
  'a scheme with one slash': 'postgres:/shop',
  'a port that is none': 'postgres://ann:secret-word@db:port/shop',
  'the keywords of libpq': 'host=db dbname=shop password=secret-word',
  'a function': () => url,
  'a number': 5,
}

for (const [what, value] of Object.entries(wrong)) {
  test(`${what} is refused, also where the environment names a database`, () => {
    for (const environment of [{}, { DATABASE_URL: url }, { PGHOST: 'decoy', PGDATABASE: 'decoy' }]) {
      const { code, message } = refusal(value, environment)
      assert.equal(code, 'FST_IDENTITY_INVALID_OPTION')
      assert.match(message, /^Option 'database/)
    }
    assert.throws(() => checkDatabase(value), { code: 'FST_IDENTITY_INVALID_OPTION' })
  })
}

test('a message names the member that is unknown, and a variable of the environment that is wrong', () => {
  assert.match(
    refusal({ conectionString: url }).message,
    /^Option 'database\.conectionString' is unknown\. Known here: /,
  )
  assert.match(refusal({ host: 'db', passwort: 'x' }).message, /^Option 'database\.passwort' is unknown/)
  assert.match(refusal(Promise.resolve()).message, /is a promise\. Await it first$/)
  assert.match(
    refusal(undefined, { DATABASE_URL: 'mysql://ann:secret-word@db/shop' }).message,
    /^Option 'DATABASE_URL' is not a connection string of Postgres/,
  )
  assert.match(
    refusal('postgres://db/shop?sslrootcert=/no/such/file').message,
    /certificate or key that cannot be read \(ENOENT\)/,
  )
})

test('every form of Postgres connection strings is taken', () => {
  for (const text of [
    url,
    'postgresql://db/shop',
    'POSTGRES://db/shop',
    'postgres:///shop?host=/var/run/postgresql',
    'postgres://ann@/shop',
    'postgres://%2Fvar%2Frun%2Fpostgresql/shop',
    'postgres://ann:p%40ss w@db/shop',
    'socket:/var/run/postgresql?db=shop',
    '/var/run/postgresql shop',
  ])
    assert.deepEqual(readDatabase(text, {}), { kind: 'settings', settings: { connectionString: text } }, text)
})

test('settings that name no database leave that to the environment', () => {
  const given = { max: 3, application_name: 'shop' }
  assert.deepEqual(readDatabase(given, { DATABASE_URL: url }), {
    kind: 'settings',
    settings: { ...given, connectionString: url },
  })
  assert.deepEqual(readDatabase(given, { PGHOST: 'db' }), { kind: 'settings', settings: given })
  assert.equal(refusal(given).code, 'FST_IDENTITY_DATABASE_MISSING')
  const named = { host: 'db', max: 3 }
  assert.deepEqual(readDatabase(named, { DATABASE_URL: url }), { kind: 'settings', settings: named })
  assert.equal(refusal(undefined).code, 'FST_IDENTITY_DATABASE_MISSING')
  assert.equal(refusal(undefined, { DATABASE_URL: '' }).code, 'FST_IDENTITY_DATABASE_MISSING')
})

test("a pool, a pool of a class of its own, and a host's Kysely instance are what they are", () => {
  class Pool extends pg.Pool {}
  for (const pool of [new pg.Pool(), new Pool({ host: 'db' })])
    assert.deepEqual(readDatabase(pool, {}), { kind: 'pool', pool })
  const kysely = new Kysely<object>({ dialect: new PostgresDialect({ pool: new pg.Pool() }) })
  for (const instance of [kysely, kysely.withSchema('shop'), kysely.withoutPlugins()]) {
    const source = readDatabase(instance, {})
    assert.ok(source.kind === 'kysely' && source.kysely === instance)
  }
})
