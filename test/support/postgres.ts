// A real database for a test file: the one in DATABASE_URL (test/run.ts sets it), otherwise a server of the file's
// own. A file's databases are removed when nothing of it runs any more, after its own after hooks; an earlier removal
// would cut open connections.
import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { startPostgres } from '../../src/development/postgres.js'

const leftovers: string[] = []
const external = process.env.DATABASE_URL
const server = external === undefined ? startPostgres({ persistent: false }) : null

/** A database that other test files use at the same time: make your tables in a schema of `uniqueSchema()`. */
export async function databaseUrl(): Promise<string> {
  return external ?? (await server!).url
}

/** A schema name that nobody else uses. The schema is not created; it is dropped at the end. */
export function uniqueSchema(): string {
  const name = `test_${randomBytes(6).toString('hex')}`
  leftovers.push(`drop schema if exists ${name} cascade`)
  return name
}

/** The URL of a new and empty database. For what a schema cannot hold apart: other databases' tables, extensions, locks. */
export async function freshDatabase(): Promise<string> {
  const name = `test_${randomBytes(6).toString('hex')}`
  await execute([`create database ${name}`])
  leftovers.push(`drop database if exists ${name} with (force)`)
  const url = new URL(await databaseUrl())
  url.pathname = `/${name}`
  return url.href
}

process.once('beforeExit', () => void cleanUp())

async function cleanUp(): Promise<void> {
  // A server of our own is removed with all its databases.
  if (server) await (await server).stop()
  else if (leftovers.length > 0) await execute(leftovers)
}

async function execute(statements: readonly string[]): Promise<void> {
  const client = new pg.Client(await databaseUrl())
  await client.connect()
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}
