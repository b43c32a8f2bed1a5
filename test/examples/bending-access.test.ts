// The examples that bend who is let in, by what, and where.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { build as buildAdmin } from '../../examples/admin.js'
import { build as buildClaims } from '../../examples/claims.js'
import { build as buildEvents } from '../../examples/events-audit-log.js'
import { build as buildExternal } from '../../examples/external-login.js'
import { build as buildImpersonation } from '../../examples/impersonation.js'
import { build as buildReadToken } from '../../examples/read-token-from-query-header.js'
import { build as buildRoles } from '../../examples/roles-and-policies.js'
import { build as buildSessions } from '../../examples/session-list.js'
import { build as buildPrefixes } from '../../examples/two-prefixes.js'
import { build as buildRealms } from '../../examples/two-realms.js'
import { goodPassword as password, pairOf } from '../support/app.js'
import { startExample } from '../support/example.js'

const email = 'ann@example.com'

test('admin.ts: an administrator finds, locks, unlocks, signs out, resets and deletes people; others do not', async (t) => {
  const { app, call, signIn } = await startExample(t, (database) =>
    buildAdmin(database, { ADMIN: 'root@example.com', ADMIN_PASSWORD: password }),
  )
  const { accessToken: root } = await signIn('root@example.com')
  const { accessToken: ann } = await signIn(email)
  assert.equal((await call('GET', '/admin/users', undefined, ann)).status, 403)

  const found = (await call('GET', '/admin/users?search=ann', undefined, root)).json as {
    users: { id: string; userName: string }[]
    next: null
  }
  assert.deepEqual(
    found.users.map(({ userName }) => userName),
    [email],
  )
  const { id } = found.users[0]!
  const change = async (name: string) => (await call('POST', `/admin/users/${id}/${name}`, undefined, root)).status
  const login = async () => (await call('POST', '/account/login', { email, password })).status

  assert.equal(await change('lock'), 204)
  assert.equal((await call('GET', '/account/manage/info', undefined, ann)).status, 401)
  assert.equal(await login(), 401)
  assert.equal(await change('unlock'), 204)
  assert.equal(await login(), 200)
  assert.deepEqual((await call('DELETE', `/admin/users/${id}/sessions`, undefined, root)).json, { ended: 1 })

  const user = (await app.identity.users.findById(id))!
  await app.identity.users.resetAuthenticatorKey(user)
  await app.identity.users.setTwoFactorEnabled(user, true)
  assert.equal(await login(), 401)
  assert.equal(await change('resetSecondFactor'), 204)
  assert.equal(await login(), 200)

  assert.equal(await change('delete'), 204)
  assert.equal(await change('delete'), 404)
  assert.equal(await login(), 401)
})

test('claims.ts: a confirmed address gives a tenant, from the next refresh on', async (t) => {
  const { app, call, signIn } = await startExample(t, buildClaims)
  const { accessToken, refreshToken } = await signIn(email)
  assert.equal((await call('GET', '/tenant', undefined, accessToken)).status, 403)
  const user = (await app.identity.users.findByName(email))!
  await app.identity.users.update(Object.assign(user, { emailConfirmed: true }))
  const refreshed = (await call('POST', '/account/refresh', { refreshToken })).json as { accessToken: string }
  assert.equal((await call('GET', '/tenant', undefined, refreshed.accessToken)).body, 'example.com')
  assert.equal((await call('GET', '/board', undefined, refreshed.accessToken)).status, 200)
})

test('events-audit-log.ts: a line for each thing that happened, with ids and nothing that was typed', async (t) => {
  const lines: Record<string, unknown>[] = []
  const { call, signIn } = await startExample(t, (database) =>
    buildEvents(database, (line) => {
      lines.push({ ...line })
    }),
  )
  const { accessToken } = await signIn(email)
  await call('POST', '/account/login', { email: 'nobody@example.com', password })
  await call('POST', '/account/logout', {}, accessToken)
  assert.deepEqual(
    lines.map(({ event }) => event),
    ['userCreated', 'signInSucceeded', 'signInFailed', 'sessionsEnded'],
  )
  assert.equal(lines[0]!.userId, lines[1]!.userId)
  assert.equal(lines[2]!.userId, null)
  assert.doesNotMatch(JSON.stringify(lines), /nobody|Correct/)
})

test('external-login.ts: who comes back from the other system is signed in, with one account for ever', async (t) => {
  const people: Record<string, { subject: string; email: string }> = {
    ann: { subject: '1', email },
    bob: { subject: '2', email: 'bob@example.com' },
    eve: { subject: '3', email },
  }
  const { app } = await startExample(t, (database) =>
    buildExternal(database, {
      loginUrl: (state) => `https://login.test/?state=${state}`,
      personOf: (code) => Promise.resolve(people[code]!),
    }),
  )
  async function signIn(code: string, isForged = false) {
    const away = await app.inject('/login/example')
    const state = new URL(away.headers.location!).searchParams.get('state')!
    const cookie = isForged ? 'login-state=another' : pairOf(String(away.headers['set-cookie']))
    const back = await app.inject({ url: `/login/example/done?code=${code}&state=${state}`, headers: { cookie } })
    const [own] = [back.headers['set-cookie'] ?? []].flat().filter((line) => line.includes('identity'))
    const info = await app.inject({
      url: '/account/manage/info',
      headers: own === undefined ? {} : { cookie: pairOf(own) },
    })
    return [back.statusCode, info.statusCode === 200 ? info.json<{ email: string }>().email : null]
  }
  assert.deepEqual(await signIn('ann', true), [400, null])
  assert.deepEqual(await signIn('ann'), [302, email])
  assert.deepEqual(await signIn('ann'), [302, email])
  assert.deepEqual(await signIn('bob'), [302, 'bob@example.com'])
  assert.deepEqual(await signIn('eve'), [409, null])
  assert.equal((await app.identity.users.list()).users.length, 2)
})

test('read-token-from-query-header.ts: the gateway’s header counts everywhere, the query on one path only', async (t) => {
  const { app, call, signIn } = await startExample(t, buildReadToken)
  const { accessToken } = await signIn(email)
  const byHeader = await app.inject({ url: '/me', headers: { 'x-access-token': accessToken } })
  assert.equal(byHeader.body, email)
  assert.equal((await call('GET', `/events?access_token=${accessToken}`)).body, `data: hello ${email}\n\n`)
  assert.equal((await call('GET', `/me?access_token=${accessToken}`)).status, 401)
  assert.equal((await call('GET', `/events?access_token=a&access_token=${accessToken}`)).status, 401)
  assert.equal((await call('GET', '/me', undefined, accessToken)).body, email)
})

test('roles-and-policies.ts: role, claim of the role, policy and second factor decide who enters', async (t) => {
  const { app, call, signIn } = await startExample(t, buildRoles)
  const { users } = app.identity
  const { accessToken } = await signIn(email)
  const status = async (url: string, token?: string) => (await call('GET', url, undefined, token)).status
  assert.equal((await call('GET', '/')).body, 'Hello stranger')
  assert.equal((await call('GET', '/', undefined, accessToken)).body, `Hello ${email}`)
  assert.equal(await status(`/pages/${email}`, accessToken), 200)
  assert.equal(await status('/pages/bob@example.com', accessToken), 403)
  assert.equal(await status('/news', accessToken), 403)
  assert.equal(await status('/newsroom', accessToken), 403)
  assert.equal(await status('/vault/sources', accessToken), 403)

  assert.deepEqual(await users.addToRole((await users.findByName(email))!, 'editor'), { succeeded: true })
  const { accessToken: editor } = await signIn(email)
  assert.equal(await status('/news', editor), 200)
  assert.equal(await status('/newsroom', editor), new Date().getUTCDay() % 6 === 0 ? 403 : 200)
  assert.equal(await status('/vault/sources', editor), 403)
  assert.equal(await status('/vault/sources'), 401)
})

test('roles-and-policies.ts: a further route that says nothing about access keeps the application from getting ready', async (t) => {
  const { app } = await startExample(t, async (database) => {
    const built = await buildRoles(database)
    built.get('/forgotten', () => 'open')
    return built
  })
  await assert.rejects(
    async () => {
      await app.ready()
    },
    { code: 'FST_IDENTITY_UNDECIDED_ROUTES', message: /GET \/forgotten/ },
  )
})

test('session-list.ts: people see their devices and sign the others out', async (t) => {
  const { call, signIn } = await startExample(t, buildSessions)
  const { accessToken: old } = await signIn(email)
  const { accessToken } = await signIn(email)
  const devices = (await call('GET', '/devices', undefined, accessToken)).json as string[]
  assert.deepEqual(
    devices.map((device) => device.endsWith('(this one)')),
    [true, false],
  )
  assert.deepEqual((await call('DELETE', '/devices', undefined, accessToken)).json, { signedOut: 1 })
  assert.equal((await call('GET', '/devices', undefined, old)).status, 401)
  assert.equal((await call('GET', '/devices', undefined, accessToken)).status, 200)
})

test('two-prefixes.ts: who registered under one prefix logs in under the other', async (t) => {
  const { call, signIn } = await startExample(t, buildPrefixes)
  await signIn(email, '/v1/account')
  const { accessToken } = await signIn(email, '/v2/people')
  assert.equal((await call('GET', '/v1/account/manage/info', undefined, accessToken)).status, 200)
  assert.equal((await call('POST', '/v2/people/forgotPassword', { email })).status, 404)
})

test('two-realms.ts: a customer is no clerk, nor a clerk a customer, and nobody makes himself staff', async (t) => {
  const { app, call, signIn } = await startExample(t, buildRealms)
  const { accessToken: customer } = await signIn(email)
  assert.equal((await call('POST', '/staff/register', { email, password })).status, 404)
  await app.staff.users.create({ userName: 'clerk@example.com', email: 'clerk@example.com' }, password)
  const { accessToken: clerk } = await signIn('clerk@example.com', '/staff')
  assert.equal((await call('GET', '/shop', undefined, customer)).body, `Customer ${email}`)
  assert.equal((await call('GET', '/desk', undefined, clerk)).body, 'Clerk clerk@example.com')
  assert.equal((await call('GET', '/shop', undefined, clerk)).status, 401)
  assert.equal((await call('GET', '/desk', undefined, customer)).status, 401)
})

test('impersonation.ts: support acts for a user in a session that says so, and manages nothing in it', async (t) => {
  const { app, call, signIn } = await startExample(t, buildImpersonation)
  const { users } = app.identity
  await signIn(email)
  await signIn('sam@example.com')
  const [ann, sam] = [(await users.findByName(email))!, (await users.findByName('sam@example.com'))!]
  await users.addToRole(sam, 'support')
  const { accessToken: staff } = await signIn('sam@example.com')
  const act = (id: string, token: string) => call('POST', `/support/users/${id}/act`, undefined, token)
  assert.equal((await act(sam.id, (await signIn(email)).accessToken)).status, 403)
  assert.equal((await act(sam.id, staff)).status, 403)
  const { accessToken, refreshToken } = (await act(ann.id, staff)).json as { accessToken: string; refreshToken: string }
  assert.deepEqual((await call('GET', '/whoami', undefined, accessToken)).json, { user: email, actor: sam.id })
  assert.equal((await call('GET', '/account/manage/info', undefined, accessToken)).status, 403)
  assert.equal((await act(ann.id, accessToken)).status, 403)
  const renewed = (await call('POST', '/account/refresh', { refreshToken })).json as { accessToken: string }
  assert.deepEqual((await call('GET', '/whoami', undefined, renewed.accessToken)).json, { user: email, actor: sam.id })
  assert.equal((await call('POST', '/account/logout', {}, renewed.accessToken)).status, 200)
  assert.equal((await call('GET', '/whoami', undefined, accessToken)).status, 401)
})
