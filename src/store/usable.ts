// Whether a database can be used at all, asked at the start: its encoding, and what our role may do there. Says which right is missing and
// what grants it; grants nothing.
import { sql } from 'kysely'
import { DatabaseEncoding, DatabaseRights } from '../errors.js'
import type { Tables } from './schema.js'
import type { Db } from './db.js'

/**
 * Refuses a database that cannot hold every name and address.
 *
 * @throws FST_IDENTITY_DATABASE_ENCODING
 */
export async function requireUtf8(db: Db): Promise<void> {
  const {
    rows: [row],
  } = await sql<{ encoding: string }>`select current_setting('server_encoding') as encoding`.execute(db.kysely)
  const encoding = row?.encoding ?? 'unknown'
  if (!/^utf-?8$/i.test(encoding)) throw new DatabaseEncoding(encoding)
}

/**
 * Refuses a role that could not write what requests write, before the first request finds out.
 *
 * @throws FST_IDENTITY_DATABASE_RIGHTS
 */
export async function requireRights(db: Db): Promise<void> {
  const rights = await readRights(db)
  // The list of migrations has been read where somebody looks at it.
  const closedTables = rights.closedTables.filter((name) => name !== 'migrations')
  const missing = missingForRunning(db, { ...rights, closedTables })
  if (missing.length > 0) throw rightsError(rights.role, missing)
}

/** What a role lacks that was refused something at the start (SQLSTATE 42501); null where that is none of the rights known here. */
export async function explainRefusal(db: Db): Promise<Error | null> {
  const rights = await readRights(db)
  const running = missingForRunning(db, rights)
  const missing = running.length > 0 ? running : missingForMigrating(db, rights)
  return missing.length === 0 ? null : rightsError(rights.role, missing)
}

/** Names the schema of this connection: the same text for the same schema, however it is reached. */
export async function placeOf({ kysely, schema }: Db): Promise<string> {
  const {
    rows: [row],
  } = await sql<{ place: string }>`
    select concat_ws(' ', pg_postmaster_start_time(), current_database(), (select oid from pg_namespace where nspname = ${schema})) as place
  `.execute(kysely)
  return row?.place ?? schema
}

// Not whatever else lies in the schema: a host may have tables of its own there.
const tables = [
  'users',
  'roles',
  'user_roles',
  'user_claims',
  'role_claims',
  'user_logins',
  'user_tokens',
  'user_passkeys',
  'recovery_codes',
  'sessions',
  'revocations',
  'claim_changes',
  'keys',
  'attempts',
  'outbox',
  'migrations',
] as const satisfies readonly (keyof Tables | 'migrations')[]

/** The database's clock, in milliseconds since the epoch. */
export async function readClock(db: Db): Promise<number> {
  const {
    rows: [row],
  } = await sql<{
    now: number | string
  }>`select extract(epoch from clock_timestamp())::double precision * 1000 as now`.execute(db.kysely)
  if (row === undefined) throw new Error('A select without a condition answered no row')
  return Number(row.now)
}

interface Rights {
  readonly role: string
  readonly database: string
  readonly mayCreateSchema: boolean
  readonly hasSchema: boolean
  readonly mayUse: boolean
  readonly mayCreate: boolean
  readonly hasTables: boolean
  /** Tables of ours that may not be read and written. */
  readonly closedTables: readonly string[]
  /** Whose tables they are, where that is neither our role nor one that it belongs to. */
  readonly foreignOwner: string | null
}

async function readRights(db: Db): Promise<Rights> {
  // Migrations that are done are only read.
  const needed = sql`case when c.relname = ${'migrations'} then 'SELECT' else r.name end`
  const {
    rows: [row],
  } = await sql<Rights>`
    with n as (select oid, nspname from pg_namespace where nspname = ${db.schema}),
    tables as (select c.oid, c.relname, c.relowner from pg_class c join n on n.oid = c.relnamespace 
      where c.relkind in ('r', 'p') and c.relname = any(${[...tables]}::text[]))
    select current_user as role, current_database() as database,
      has_database_privilege(current_user, current_database(), 'CREATE') as "mayCreateSchema",
      exists (select 1 from n) as "hasSchema",
      coalesce((select has_schema_privilege(current_user, nspname, 'USAGE') from n), false) as "mayUse",
      coalesce((select has_schema_privilege(current_user, nspname, 'CREATE') from n), false) as "mayCreate",
      exists (select 1 from tables where relname = 'users') as "hasTables",
      array(select distinct c.relname::text from tables c
        cross join (values ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) r (name)
        where not has_table_privilege(current_user, c.oid, ${needed}) order by 1) as "closedTables",
      (select min(o.rolname::text) from tables c join pg_roles o on o.oid = c.relowner
        where not pg_has_role(current_user, c.relowner, 'USAGE')) as "foreignOwner"`.execute(db.kysely)
  if (row === undefined) throw new Error('A select without a condition answered no row')
  return row
}

interface Missing {
  readonly right: string
  readonly grant: string
}

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`

function missingForRunning({ schema }: Db, rights: Rights): Missing[] {
  if (!rights.hasSchema || !rights.hasTables) return missingForCreating(schema, rights)
  const missing: Missing[] = []
  if (!rights.mayUse) missing.push(onSchema('USAGE', schema, rights))
  if (rights.closedTables.length > 0) {
    missing.push({
      right: `SELECT, INSERT, UPDATE and DELETE on ${rights.closedTables.join(', ')} in schema '${schema}'`,
      grant: `grant select, insert, update, delete on ${rights.closedTables.map((name) => `${quoted(schema)}.${quoted(name)}`).join(', ')} to ${quoted(rights.role)}`,
    })
  }
  return missing
}

function missingForCreating(schema: string, rights: Rights): Missing[] {
  if (!rights.hasSchema) {
    return rights.mayCreateSchema
      ? []
      : [
          {
            right: `CREATE on database '${rights.database}', where schema '${schema}' is missing`,
            grant: `create schema ${quoted(schema)} authorization ${quoted(rights.role)}`,
          },
        ]
  }
  return [
    ...(rights.mayUse ? [] : [onSchema('USAGE', schema, rights)]),
    ...(rights.mayCreate ? [] : [onSchema('CREATE', schema, rights)]),
  ]
}

function missingForMigrating({ schema }: Db, rights: Rights): Missing[] {
  return [
    ...(rights.mayCreate ? [] : [onSchema('CREATE', schema, rights)]),
    ...(rights.foreignOwner === null
      ? []
      : [
          {
            right: `membership in '${rights.foreignOwner}', which owns the tables of schema '${schema}' and may change them`,
            grant: `grant ${quoted(rights.foreignOwner)} to ${quoted(rights.role)}`,
          },
        ]),
  ]
}

function onSchema(right: 'USAGE' | 'CREATE', schema: string, { role }: Rights): Missing {
  return {
    right: `${right} on schema '${schema}'`,
    grant: `grant ${right.toLowerCase()} on schema ${quoted(schema)} to ${quoted(role)}`,
  }
}

function rightsError(role: string, missing: readonly Missing[]): Error {
  return new DatabaseRights(
    role,
    missing.map(({ right }) => right).join(' and '),
    missing.map(({ grant }) => grant).join('; '),
  )
}
