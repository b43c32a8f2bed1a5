// Claims that change count on every instance for tickets of before, without signing anybody out, at one statement; and
// any number of them fits.
import assert from 'node:assert/strict'
import type { FastifyInstance } from 'fastify'
import { test, type TestContext } from 'node:test'
import { type Claim, requireAuthorization, type User } from '../../src/index.js'
import { goodPassword, startApp, type TestApp } from '../support/app.js'
import { until } from '../support/instances.js'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js'

const plans = new Map<string, string>()

const routes = (host: FastifyInstance) => {
  host.get('/clerks', { onRequest: requireAuthorization({ roles: ['clerk'] }) }, () => ({}))
  host.get('/me', { onRequest: requireAuthorization() }, (request) => ({
    name: request.identity?.userName,
    roles: request.identity?.roles,
    claims: request.identity?.claims,
  }))
}

interface Place {
  readonly app: TestApp
  readonly twin: TestApp
  readonly proxy: TcpProxy
}

async function place(t: TestContext): Promise<Place> {
  const proxy = await startTcpProxy(await databaseUrl())
  t.after(() => proxy.close())
  const schema = uniqueSchema()
  const claims = (user: User) => (plans.has(user.id) ? [{ type: 'plan', value: plans.get(user.id)! }] : [])
  const identity = { schema, claims }
  const app = await startApp({ identity, after: routes, realTime: true })
  t.after(() => app.close())
  const twin = await startApp({ identity: { ...identity, database: proxy.url }, after: routes, realTime: true })
  t.after(() => twin.close())
  return { app, twin, proxy }
}

const isBackground = (text: string) =>
  /from .*"keys"/.test(text) || /^\s*select string_agg\(session_id/.test(text) || text.includes('pg_stat_activity')

async function cost(proxy: TcpProxy, ask: () => Promise<unknown>): Promise<number> {
  proxy.forget()
  await ask()
  return proxy.statements.filter((text) => !isBackground(text)).length
}

interface Seen {
  readonly name: string
  readonly roles: readonly string[]
  readonly claims: readonly Claim[]
}

const seenBy = async (app: TestApp, by: { token?: string; cookie?: string }): Promise<Seen> => {
  const answer = await app.call('GET', '/me', by)
  assert.equal(answer.status, 200, answer.body)
  return answer.json() as Seen
}

test('roles, claims of users and of roles, names and what option claims reads count on the other instance', async (t) => {
  const { app, twin } = await place(t)
  const { users, roles } = app.app.identity
  const { email } = await app.register()
  const token = (await app.signIn({ email, password: goodPassword })).accessToken
  const { cookie } = await app.signInWithCookie({ email, password: goodPassword })
  const user = async () => (await users.findByName(email))!
  const { id } = await user()
  await roles.create('clerk')
  const role = async (name = 'clerk') => (await roles.findByName(name))!
  const sees = async (name: string, isSo: (seen: Seen) => boolean) => {
    for (const by of [{ token }, { cookie }]) {
      for (const instance of [app, twin]) {
        await until(async () => isSo(await seenBy(instance, by)))
        assert.ok(isSo(await seenBy(instance, by)), name)
      }
    }
  }
  const has = (type: string, value: string) => (seen: Seen) =>
    seen.claims.some((claim) => claim.type === type && claim.value === value)
  const hasNot = (type: string, value: string) => (seen: Seen) => !has(type, value)(seen)

  await sees('before', ({ roles }) => roles.length === 0)
  await users.addToRole(await user(), 'clerk')
  await sees('addToRole', ({ roles }) => roles.includes('clerk'))
  await roles.addClaim(await role(), { type: 'desk', value: '7' })
  await sees('a claim of a role', has('desk', '7'))
  await roles.removeClaim(await role(), { type: 'desk', value: '7' })
  await sees('a claim of a role removed', hasNot('desk', '7'))
  await roles.setRoleName(await role(), 'officer')
  await sees('a role renamed', ({ roles }) => roles.join() === 'officer')
  await roles.setRoleName(await role('officer'), 'clerk')
  await sees('and back', ({ roles }) => roles.join() === 'clerk')
  await users.addClaim(await user(), { type: 'team', value: 'blue' })
  await sees('addClaim', has('team', 'blue'))
  await users.replaceClaim(await user(), { type: 'team', value: 'blue' }, { type: 'team', value: 'red' })
  await sees('replaceClaim', has('team', 'red'))
  await users.removeClaim(await user(), { type: 'team', value: 'red' })
  await sees('removeClaim', hasNot('team', 'red'))
  plans.set(id, 'gold')
  await users.claimsChanged({ id })
  await sees('claimsChanged', has('plan', 'gold'))
  plans.set(id, 'silver')
  await users.update(await user())
  await sees('update', has('plan', 'silver'))
  await users.removeFromRole(await user(), 'clerk')
  await sees('removeFromRole', ({ roles }) => roles.length === 0)
  await users.addToRole(await user(), 'clerk')
  await sees('addToRole again', ({ roles }) => roles.includes('clerk'))
  await roles.delete(await role())
  await sees('a role deleted', ({ roles }) => roles.length === 0)
})

test('a change costs the other instance one statement, and none afterwards', async (t) => {
  const { app, twin, proxy } = await place(t)
  const { users, roles } = app.app.identity
  const { email } = await app.register()
  const token = (await app.signIn({ email, password: goodPassword })).accessToken
  await roles.create('clerk')
  await seenBy(twin, { token })
  assert.equal(await cost(proxy, () => seenBy(twin, { token })), 0)
  for (let round = 0; round < 2; round++) {
    const user = (await users.findByName(email))!
    await (round === 0 ? users.addToRole(user, 'clerk') : users.removeFromRole(user, 'clerk'))
    let asked = 0
    await until(async () => {
      asked += await cost(proxy, async () => {
        await Promise.all(Array.from({ length: 5 }, () => seenBy(twin, { token })))
      })
      return asked > 0
    })
    assert.equal(asked, 1)
    for (let time = 0; time < 5; time++) assert.equal(await cost(proxy, () => seenBy(twin, { token })), 0)
    assert.equal((await twin.call('GET', '/clerks', { token })).status, round === 0 ? 200 : 403)
  }
})

test('a user with five hundred roles signs in, asks, refreshes and signs out; requests ask nothing', async (t) => {
  const { app, twin, proxy } = await place(t)
  const { users, roles } = app.app.identity
  const { email } = await app.register()
  const person = { email, password: goodPassword }
  const early = { token: (await twin.signIn(person)).accessToken, cookie: (await twin.signInWithCookie(person)).cookie }
  const names = Array.from({ length: 500 }, (_, index) => `department-${index}-planner`)
  for (const name of names) await roles.create(name)
  await users.addToRoles((await users.findByName(email))!, names)
  for (const by of [{ token: early.token }, { cookie: early.cookie }])
    await until(async () => (await seenBy(twin, by)).roles.length === 500)

  const { accessToken: token, refreshToken } = await twin.signIn(person)
  const browser = await twin.call('POST', '/account/login?useCookies=true', { json: person })
  const line = browser.setCookies[0]!
  assert.ok(line.length <= 4096)
  const cookie = line.slice(0, line.indexOf(';'))
  for (const by of [{ token }, { cookie }, early]) {
    assert.deepEqual([...(await seenBy(twin, by)).roles].sort(), [...names].sort())
    for (let time = 0; time < 5; time++) assert.equal(await cost(proxy, () => seenBy(twin, by)), 0)
  }
  assert.equal(
    await cost(proxy, async () => {
      const answer = await twin.call('POST', '/account/refresh', { json: { refreshToken } })
      assert.equal(answer.status, 200)
    }),
    1,
  )
  // A role that is taken away counts where the ticket names none.
  await users.removeFromRole((await users.findByName(email))!, names[0]!)
  await until(async () => (await seenBy(twin, { token })).roles.length === 499)
  assert.equal((await twin.call('POST', '/account/logout', { token })).status, 200)
  assert.equal((await twin.call('GET', '/me', { token })).status, 401)
})

test('on a route without a guard a partial ticket is nobody until its claims were read', async (t) => {
  const { app, twin } = await place(t)
  const { users } = app.app.identity
  const { email } = await app.register()
  const value = 'x'.repeat(2000)
  await users.addClaims((await users.findByName(email))!, [
    { type: 'one', value },
    { type: 'two', value },
  ])
  const token = (await app.signIn({ email, password: goodPassword })).accessToken
  assert.equal((await seenBy(twin, { token })).claims.filter((claim) => claim.value === value).length, 2)
})
