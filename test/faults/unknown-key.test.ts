// A token under a key that this instance has not read yet, while the database is down: nobody can say that it is not
// valid.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { report } from '../support/experiment.js'
import { guarded, newcomer, refresh, startApp, until } from '../support/instances.js'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'
import { startTcpProxy } from '../support/tcp-proxy.js'

function underUnknownKey(token: string): string {
  const bytes = Buffer.from(token, 'base64url')
  randomBytes(4).copy(bytes, 2)
  return bytes.toString('base64url')
}

test('under an unknown key the guard and /refresh answer 503 while the database is down, and 401 when it is back', async (t) => {
  const proxy = await startTcpProxy(await databaseUrl())
  t.after(() => proxy.close())
  const app = await startApp(t, { database: proxy.url, schema: uniqueSchema() })
  const { accessToken, refreshToken } = await newcomer(app, 'alice@example.com')
  const ask = async () => {
    const answers = [
      await guarded(app, underUnknownKey(accessToken)),
      await refresh(app, underUnknownKey(refreshToken)),
    ]
    return answers.map(({ status }) => status)
  }
  const rounds = 5
  await proxy.refuse()
  for (let round = 0; round < rounds; round++) assert.deepEqual(await ask(), [503, 503])
  assert.equal((await guarded(app, 'nonsense')).status, 401)
  assert.equal((await guarded(app, accessToken)).status, 200)
  await proxy.accept()
  await until(async () => (await ask()).every((status) => status === 401))
  report(t, { 'requests under unknown keys': rounds * 2, 'answered 503': rounds * 2 })
})
