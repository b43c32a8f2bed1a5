// How the pool is opened, by every form of option `database`.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type pg from 'pg'
import { connect, type Connection, type DatabaseOption } from '../../src/store/database.js'
import { migrate } from '../../src/store/migrate.js'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'

function open(t: TestContext, option: DatabaseOption): Connection {
  const connection = connect(option, uniqueSchema(), undefined, {}, () => undefined)
  t.after(() => connection.close())
  return connection
}

async function parts(): Promise<pg.PoolConfig> {
  const { hostname, port, username, password, pathname } = new URL(await databaseUrl())
  return { host: hostname, port: Number(port), user: decodeURIComponent(username), password: decodeURIComponent(password), database: pathname.slice(1) }
}

test('settings with a password of their own open the first migrations too', async (t) => {
  const connection = open(t, await parts())
  await migrate(connection)
  assert.deepEqual(await connection.kysely.selectFrom('users').select('id').execute(), [])
})
