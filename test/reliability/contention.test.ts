// A cluster that asks for a change to be made again (SQLSTATE 40001, 40P01) is asked again, and nobody sees it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { guarded, login, logout, newcomer, refresh, register, startApp, tally, tokensOf } from '../support/instances.js'
import { faultyPool } from '../support/faulty-pool.js'
import { databaseUrl } from '../support/postgres.js'

test('two conflicts in a row in any statement are seen by nobody', async (t) => {
  let conflicts: string[] = []
  const pool = faultyPool(await databaseUrl(), (text) =>
    /^(begin|commit|rollback)$/.test(text) ? null : (conflicts.shift() ?? null),
  )
  t.after(() => pool.end())
  const app = await startApp(t, { database: pool })
  const arm = () => {
    conflicts = ['40001', '40P01']
  }
  arm()
  assert.equal((await register(app, 'alice@example.com')).status, 200)
  arm()
  assert.equal((await login(app, 'alice@example.com', 'Wrong-horse-1')).status, 401)
  arm()
  const { accessToken, refreshToken } = tokensOf(await login(app, 'alice@example.com'))
  arm()
  const next = tokensOf(await refresh(app, refreshToken))
  arm()
  assert.equal((await refresh(app, refreshToken)).status, 200)
  const { users } = app.identity
  const user = (await users.findByName('alice@example.com'))!
  user.phoneNumber = '123'
  arm()
  assert.deepEqual(await users.update(user), { succeeded: true })
  arm()
  assert.equal((await logout(app, next.accessToken)).status, 200)
  assert.equal((await guarded(app, accessToken)).status, 401)
  arm()
  assert.deepEqual(await users.delete(user), { succeeded: true })
})

test('one conflict in ten statements is seen by nobody in a hundred changes', async (t) => {
  let statement = NaN
  const pool = faultyPool(await databaseUrl(), (text) =>
    !/^(begin|commit|rollback)$/.test(text) && ++statement % 10 === 0
      ? statement % 20 === 0
        ? '40001'
        : '40P01'
      : null,
  )
  t.after(() => pool.end())
  const app = await startApp(t, { database: pool })
  statement = 0
  const answers = await Promise.all(
    Array.from({ length: 25 }, async (_, index) => {
      const { accessToken, refreshToken } = await newcomer(app, `user${index}@example.com`)
      return [(await refresh(app, refreshToken)).status, (await logout(app, accessToken)).status]
    }),
  )
  assert.deepEqual(tally(answers.flat()), { 200: 50 })
})

test('a conflict that does not end is a clean 503', async (t) => {
  let isHard = false
  const pool = faultyPool(await databaseUrl(), (text) => (isHard && text.includes('"sessions"') ? '40001' : null))
  t.after(() => pool.end())
  const app = await startApp(t, { database: pool })
  const { refreshToken } = await newcomer(app, 'alice@example.com')
  isHard = true
  const answer = await refresh(app, refreshToken)
  assert.deepEqual([answer.status, answer.headers['content-type']], [503, 'application/problem+json'])
  assert.ok(answer.headers['retry-after'])
  isHard = false
  assert.equal((await refresh(app, refreshToken)).status, 200)
})
