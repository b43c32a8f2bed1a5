// The network breaks after Postgres has done what it was asked and before it could say so: nothing happens twice, and
// trying again works.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { IdentityOptions } from '../../src/index.js'
import { guarded, login, logout, newcomer, refresh, register, startApp, tokensOf, until } from '../support/instances.js'
import { databaseUrl } from '../support/postgres.js'
import { startTcpProxy } from '../support/tcp-proxy.js'

async function place(t: TestContext, options: IdentityOptions = {}) {
  const proxy = await startTcpProxy(await databaseUrl())
  t.after(() => proxy.close())
  return { proxy, app: await startApp(t, { database: proxy.url, ...options }) }
}

test('a registration whose answer is lost has made one user', async (t) => {
  const { proxy, app } = await place(t)
  proxy.loseAnswerTo(/insert into .*"users"/)
  assert.equal((await register(app, 'alice@example.com')).status, 503)
  assert.match((await register(app, 'alice@example.com')).text, /DuplicateUserName/)
  assert.equal((await login(app, 'alice@example.com')).status, 200)
})

test('a refresh whose answer is lost gets the same successor when it is asked again', async (t) => {
  const { proxy, app } = await place(t)
  const { refreshToken } = await newcomer(app, 'alice@example.com')
  proxy.loseAnswerTo(/counter = counter \+ 1/)
  assert.equal((await refresh(app, refreshToken)).status, 503)
  const next = tokensOf(await refresh(app, refreshToken))
  assert.equal((await guarded(app, next.accessToken)).status, 200)
  assert.equal((await refresh(app, next.refreshToken)).status, 200)
})

test('a sign-in whose session was opened unheard neither locks nor counts', async (t) => {
  const { proxy, app } = await place(t)
  await register(app, 'alice@example.com')
  // More often than wrong passwords would be allowed.
  for (let time = 0; time < 6; time++) {
    proxy.loseAnswerTo(/with opened as/)
    assert.equal((await login(app, 'alice@example.com')).status, 503)
  }
  assert.equal((await login(app, 'alice@example.com')).status, 200)
})

test('a sign-in whose reservation was made unheard is forgotten after 15 seconds', async (t) => {
  let now = Date.now()
  const { proxy, app } = await place(t, { clock: () => now })
  await register(app, 'alice@example.com')
  for (let time = 0; time < 5; time++) {
    proxy.loseAnswerTo(/with admitted as/)
    assert.equal((await login(app, 'alice@example.com')).status, 503)
  }
  now += 15_001
  assert.equal((await login(app, 'alice@example.com')).status, 200)
})

test('a logout whose answer is lost has ended the session', async (t) => {
  const { proxy, app } = await place(t)
  const { accessToken, refreshToken } = await newcomer(app, 'alice@example.com')
  proxy.loseAnswerTo(/with ended as/)
  assert.equal((await logout(app, accessToken)).status, 503)
  assert.equal((await refresh(app, refreshToken)).status, 401)
  await until(async () => (await guarded(app, accessToken)).status === 401)
})
