// A migrated schema of the test's own, as the store uses it, with a clock that the test sets.
import type { TestContext } from 'node:test'
import { complete } from '../../src/option-schema.js'
import { connect, type Connection } from '../../src/store/connect.js'
import { timeoutOptions } from '../../src/store/options.js'
import { migrate } from '../../src/store/migrate.js'
import { patientTimeouts } from './patience.js'
import { databaseUrl, uniqueSchema } from './postgres.js'

export async function openStore(t: TestContext, clock?: () => number): Promise<Connection> {
  const onError = (error: Error) => t.diagnostic(error.message)
  const timeouts = complete(timeoutOptions, patientTimeouts)
  const connection = connect(await databaseUrl(), uniqueSchema(), clock, {}, onError, timeouts)
  t.after(() => connection.close())
  await migrate(connection)
  return connection
}
