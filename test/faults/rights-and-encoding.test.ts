// What an administrator allows and how a database was created: a start either works, or names what is missing and the
// SQL that helps.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import Fastify from 'fastify'
import { Kysely, Migrator, PostgresDialect } from 'kysely'
import { test, type TestContext } from 'node:test'
import pg from 'pg'
import { migrations } from '../../migrations/index.js'
import identity, { type IdentityOptions } from '../../src/index.js'
import { cheapHasher, login, refresh, register, startApp, tokensOf } from '../support/instances.js'
import { report } from '../support/experiment.js'
import { databaseUrl, freshDatabase } from '../support/postgres.js'

interface Place {
  /** As the administrator. */
  readonly admin: string
  /** As a role that may connect and nothing else. */
  readonly url: string
  readonly role: string
  readonly sql: (text: string) => Promise<void>
}

async function place(t: TestContext): Promise<Place> {
  const admin = await freshDatabase()
  const role = `Role ${randomBytes(4).toString('hex')}`
  const sql = async (text: string) => {
    const client = new pg.Client(admin)
    await client.connect()
    try {
      await client.query(text)
    } finally {
      await client.end()
    }
  }
  await sql(`create role "${role}" login password 'pw'`)
  t.after(async () => {
    await sql(`drop owned by "${role}"; drop role "${role}"`)
  })
  const url = new URL(admin)
  url.username = encodeURIComponent(role)
  url.password = 'pw'
  return { admin, url: url.href, role, sql }
}

async function start(options: IdentityOptions): Promise<{ code: string; message: string } | null> {
  const app = Fastify()
  try {
    await app.register(identity, { password: { hasher: cheapHasher }, ...options })
    return null
  } catch (error) {
    return error as { code: string; message: string } // each of ours has both
  } finally {
    await app.close()
  }
}

/** Does what the message says, until the start works. @returns the messages */
async function obey(options: IdentityOptions, { sql }: Place): Promise<string[]> {
  const messages: string[] = []
  for (;;) {
    const refusal = await start(options)
    if (refusal === null) return messages
    assert.equal(refusal.code, 'FST_IDENTITY_DATABASE_RIGHTS', refusal.message)
    messages.push(refusal.message)
    assert.ok(messages.length < 5, messages.join('\n'))
    await sql(refusal.message.slice(refusal.message.indexOf('Run as an administrator: ') + 25))
  }
}

async function useAccount(t: TestContext, options: IdentityOptions): Promise<void> {
  const app = await startApp(t, options)
  assert.equal((await register(app, 'alice@example.com')).status, 200)
  const { refreshToken } = tokensOf(await login(app, 'alice@example.com'))
  assert.equal((await refresh(app, refreshToken)).status, 200)
  assert.equal((await login(app, 'alice@example.com', 'Wrong-horse-1')).status, 401)
}

test('a role that may not create schemas starts in one that was made for it', async (t) => {
  const here = await place(t)
  await here.sql(`create schema identity authorization "${here.role}"`)
  await useAccount(t, { database: here.url, schema: 'identity' })
})

test("a host's migrator runs our migrations as such a role too", async (t) => {
  const { url, role, sql } = await place(t)
  await sql(`create schema identity authorization "${role}"`)
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url }) }) })
  t.after(() => db.destroy())
  const provider = { getMigrations: () => Promise.resolve(migrations('identity')) }
  const { error } = await new Migrator({ db, provider, migrationTableSchema: 'identity' }).migrateToLatest()
  assert.equal(error, undefined)
  await useAccount(t, { database: url, schema: 'identity', migrate: 'off' })
})

const situations: Record<string, { prepare: string; migrate?: 'check' | 'off'; rights: RegExp[] }> = {
  'without the schema, and without the right to create it': {
    prepare: '',
    rights: [
      /lacks CREATE on database 'test_\w+', where schema 'identity' is missing\. Run as an administrator: create schema/,
    ],
  },
  'that may not use an empty schema': {
    prepare: 'create schema identity',
    rights: [/lacks USAGE on schema 'identity' and CREATE on schema 'identity'/],
  },
  'that may use an empty schema and create nothing in it': {
    prepare: 'create schema identity; grant usage on schema identity to $role',
    rights: [/lacks CREATE on schema 'identity'/],
  },
  'without any right on a schema that is ready': {
    prepare: 'tables',
    rights: [
      /lacks USAGE on schema 'identity' and SELECT, INSERT, UPDATE and DELETE on attempts, [a-z_, ]*users in schema 'identity'/,
    ],
  },
  'that may read and not write': {
    prepare: 'tables; grant usage on schema identity to $role; grant select on all tables in schema identity to $role',
    rights: [/lacks SELECT, INSERT, UPDATE and DELETE on attempts, /],
  },
  'without the rights on one table': {
    prepare:
      'tables; grant usage on schema identity to $role; grant select, insert, update, delete on all tables in schema identity to $role; revoke insert on identity.user_passkeys from $role',
    rights: [/lacks SELECT, INSERT, UPDATE and DELETE on user_passkeys in schema 'identity'/],
  },
}

for (const [what, { prepare, rights }] of Object.entries(situations)) {
  for (const migrate of ['auto', 'check', 'off'] as const) {
    // Where there are no tables, only the mode that makes them gets further.
    if (!prepare.startsWith('tables') && migrate !== 'auto') continue
    test(`a role ${what} gets an error that names the missing right, and starts once it is granted, with migrate '${migrate}'`, async (t) => {
      const here = await place(t)
      for (const statement of prepare.split('; ')) {
        if (statement === 'tables') assert.equal(await start({ database: here.admin }), null)
        else await here.sql(statement.replaceAll('$role', `"${here.role}"`))
      }
      const messages = await obey({ database: here.url, schema: 'identity', migrate }, here)
      assert.equal(messages.length, rights.length, messages.join('\n'))
      messages.forEach((message, index) => assert.match(message, rights[index]!))
      assert.ok(!messages.join('').includes('connection string'))
      await useAccount(t, { database: here.url, schema: 'identity', migrate })
      report(t, { 'refusals before the start works': messages.length })
    })
  }
}

test('a role that does not own the tables of a pending migration gets an error that says so', async (t) => {
  const here = await place(t)
  assert.equal(await start({ database: here.admin }), null)
  await here.sql(
    `grant usage, create on schema identity to "${here.role}"; grant all on all tables in schema identity to "${here.role}";
     delete from identity.migrations where name = '0002-directory'; drop table identity.user_passkeys; drop index identity.users_name_search, identity.users_email_search`,
  )
  const refusal = await start({ database: here.url })
  assert.equal(refusal?.code, 'FST_IDENTITY_DATABASE_RIGHTS')
  assert.match(
    refusal.message,
    /membership in 'postgres', which owns the tables .* Run as an administrator: grant "postgres" to /,
  )
})

test("a schema without tables is said to lack migrations, with migrate 'check' and 'off'", async (t) => {
  const { admin, sql } = await place(t)
  for (const migrate of ['check', 'off'] as const) {
    for (const prepare of ['drop schema if exists identity', 'create schema identity']) {
      await sql(prepare)
      const refusal = await start({ database: admin, migrate })
      const code = migrate === 'check' ? 'FST_IDENTITY_MIGRATIONS_PENDING' : 'FST_IDENTITY_DATABASE_UNREACHABLE'
      assert.equal(refusal?.code, code)
      assert.match(refusal.message, /Run: npx fastify-identity migrate --schema identity$/)
    }
  }
})

const encodings = ['LATIN1', 'EUC_JP', 'WIN1252', 'SQL_ASCII']

for (const encoding of encodings) {
  test(`a database of encoding ${encoding} stops the start by name, with each kind of database option and of migrating`, async (t) => {
    const name = `test_${randomBytes(6).toString('hex')}`
    const admin = new pg.Client(await databaseUrl())
    await admin.connect()
    t.after(async () => {
      await admin.query(`drop database if exists ${name} with (force)`)
      await admin.end()
    })
    await admin.query(`create database ${name} encoding '${encoding}' locale 'C' template template0`)
    const url = new URL(await databaseUrl())
    url.pathname = `/${name}`
    const pool = new pg.Pool({ connectionString: url.href })
    t.after(() => pool.end())
    for (const migrate of ['auto', 'check', 'off'] as const) {
      for (const database of [url.href, pool]) {
        const refusal = await start({ database, migrate })
        assert.equal(refusal?.code, 'FST_IDENTITY_DATABASE_ENCODING')
        assert.ok(refusal.message.includes(encoding), refusal.message)
      }
    }
    const { rows } = await pool.query("select 1 from pg_namespace where nspname = 'identity'")
    assert.deepEqual(rows, [])
    report(t, { 'starts refused': 6, 'tables made': 0 })
  })
}
