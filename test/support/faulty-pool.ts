// A Postgres client that runs a function before each statement, to inject the faults of a real server.
import pg from 'pg'

/**
 * For `new pg.Pool({ Client })` or option `database: { Client }`. Where `before` throws, the statement is not sent; the
 * answer is handed out when `after` is done.
 */
export function clientThat(
  before: (text: string, client: pg.Client) => Promise<void> | void,
  after: (text: string) => Promise<void> | void = () => undefined,
): new () => pg.Client {
  return class extends pg.Client {
    constructor(config?: pg.ClientConfig) {
      super(config)
      const query = this.query.bind(this) as (...given: unknown[]) => unknown
      this.query = (async (...given: unknown[]) => {
        const [first] = given as [string | pg.QueryConfig]
        const text = typeof first === 'string' ? first : first.text
        await before(text, this)
        const answer = await query(...given)
        await after(text)
        return answer
      }) as unknown as typeof this.query // one of its many forms, the one that a promise is asked of
    }
  }
}

/** A host's pool whose statements fail with a SQLSTATE where `fault` names one. The caller ends the pool. */
export function faultyPool(connectionString: string, fault: (text: string) => string | null): pg.Pool {
  const Client = clientThat((text) => {
    const state = fault(text)
    if (state !== null) throw Object.assign(new Error(`injected ${state}`), { code: state })
  })
  return new pg.Pool({ connectionString, Client })
}
