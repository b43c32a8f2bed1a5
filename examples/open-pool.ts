// A pool for a Kysely instance of your own. A connection without an error listener ends the process when the database
// restarts. The plugin adds listeners to a pool that is passed to option `database`; behind a Kysely instance it
// cannot.
import pg from 'pg'

export function openPool(connectionString: string): pg.Pool {
  const pool = new pg.Pool({ connectionString, statement_timeout: 3_000, query_timeout: 3_500 })
  const lost = (error: Error) => console.warn(`A database connection was lost: ${error.message}`)
  pool.on('error', lost)
  pool.on('connect', (client) => client.on('error', lost))
  return pool
}
