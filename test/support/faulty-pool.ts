// A host's pool whose Postgres fails where a test says: the errors of a real one come when they like.
import pg from 'pg'

/** The statement is not sent where `fault` names a SQLSTATE; the connection stays as it is. The caller ends the pool. */
export function faultyPool(connectionString: string, fault: (text: string) => string | null): pg.Pool {
  const pool = new pg.Pool({ connectionString })
  pool.on('connect', (client) => {
    const query = client.query.bind(client) as (...given: unknown[]) => unknown
    client.query = ((...given: unknown[]) => {
      const [first] = given as [string | pg.QueryConfig]
      const state = fault(typeof first === 'string' ? first : first.text)
      return state === null ? query(...given) : Promise.reject(Object.assign(new Error(`injected ${state}`), { code: state }))
    }) as typeof client.query // one of its many forms, the one that a promise is asked of
  })
  return pool
}
