// A migrated schema of the test's own, as the store sees it, by a clock that the test sets.
import type { TestContext } from 'node:test'
import { connect, type Connection } from '../../src/store/connect.js'
import { migrate } from '../../src/store/migrate.js'
import { databaseUrl, uniqueSchema } from './postgres.js'

export async function openStore(t: TestContext, clock?: () => number): Promise<Connection> {
  const connection = connect(await databaseUrl(), uniqueSchema(), clock, {}, (error) => t.diagnostic(error.message))
  t.after(() => connection.close())
  await migrate(connection)
  return connection
}
