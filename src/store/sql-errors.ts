// The one place where errors of the database become ours.
import { DatabaseContention, DatabaseUnavailable } from '../errors.js'
import { hideRows } from './hide-rows.js'

// SQLSTATE classes: 08 connection, 28 refused at the connection, 53 resources, 57P shutdown, 58 the server's own disk; 57014 a cancelled or
// timed-out statement; 25006 a read-only standby; 25P03 too long idle in a transaction; 55P03 lock not available; 55000 a database that
// takes no connections.
const unavailable = /^(08...|28...|53...|57P..|58...|57014|25006|25P03|55P03|55000)$/
// What our statements meet while a schema is dropped, replaced, or restored from a backup: no such database, schema, table, column or type;
// no unique index yet that ON CONFLICT names; no right granted yet.
const replaced = /^(3D000|3F000|42P01|42703|42704|42P10|42501)$/
// The same in the middle of a statement, for which Postgres has words only.
const vanished = /^(could not open relation|cache lookup failed)/
// Words of node and pg for a connection that is not there.
const unreachable = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EPIPE',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'ECONNABORTED',
])
const lost =
  /^(Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|Client was closed|Cannot use a pool after)/
/** Turns a driver's error into ours where it means that the database is not there; any other error stays what it is. */
export function mapDatabaseError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  hideRows(error)
  const { code } = error as Error & { code?: unknown }
  if (code === '40001' || code === '40P01') return withCause(new DatabaseContention(), error)
  return isGone(code, error.message) ? withCause(new DatabaseUnavailable(), error) : error
}

function isGone(code: unknown, message: string): boolean {
  if (typeof code !== 'string') return lost.test(message)
  return (
    unavailable.test(code) ||
    replaced.test(code) ||
    unreachable.has(code) ||
    (code === 'XX000' && vanished.test(message))
  )
}

function withCause(ours: Error, cause: Error): Error {
  ours.cause = cause
  return ours
}

/** The SQLSTATE of a database's error, also of one that became ours, or a driver's own code; null for any other error. */
export function sqlState(error: unknown): string | null {
  if (!(error instanceof Error)) return null
  if (error instanceof DatabaseUnavailable || error instanceof DatabaseContention) return sqlState(error.cause)
  return 'code' in error && typeof error.code === 'string' ? error.code : null
}

/** The constraint that a unique violation (23505) names, or null for any other error. */
export function violatedConstraint(error: unknown): string | null {
  if (!(error instanceof Error)) return null
  const { code, constraint } = error as Error & { code?: unknown; constraint?: unknown }
  return code === '23505' && typeof constraint === 'string' ? constraint : null
}
