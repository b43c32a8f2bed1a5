// The one place where errors of the database become ours.
import { DatabaseContention, DatabaseUnavailable } from '../errors.js'

// SQLSTATE classes: 08 connection, 53 resources, 57P shutdown; 57014 a cancelled or timed-out statement; 25006 a read-only standby;
// 55P03 lock not available. The rest are node's and pg's own words for a connection that is not there.
const unavailable = /^(08...|53...|57P..|57014|25006|55P03|25P03)$/
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
  const { code } = error as Error & { code?: unknown }
  if (code === '40001' || code === '40P01') return withCause(new DatabaseContention(), error)
  const gone = typeof code === 'string' ? unavailable.test(code) || unreachable.has(code) : lost.test(error.message)
  return gone ? withCause(new DatabaseUnavailable(), error) : error
}

function withCause(ours: Error, cause: Error): Error {
  ours.cause = cause
  return ours
}

/** The SQLSTATE of a database's error, or a driver's own code; null for any other error. */
export function sqlState(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null
}

/** The constraint that a unique violation (23505) names, or null for any other error. */
export function violatedConstraint(error: unknown): string | null {
  if (!(error instanceof Error)) return null
  const { code, constraint } = error as Error & { code?: unknown; constraint?: unknown }
  return code === '23505' && typeof constraint === 'string' ? constraint : null
}
