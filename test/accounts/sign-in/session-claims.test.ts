// Claims of one session: they ride in each of its tickets, survive what renews them, and cannot speak for the user.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { type Claim, requireAuthorization } from '../../../src/index.js'
import { startApp, type Tokens } from '../../support/app.js'

const server = await startApp({
  identity: { sessions: { actorMayManage: true } },
  after(host) {
    host.get('/me', { onRequest: requireAuthorization() }, (request) => request.identity?.claims)
    host.post('/act/:name', async (request, reply) => {
      const { users, signIn } = server.app.identity
      const { name } = request.params as { name: string }
      const result = await signIn.signIn((await users.findByName(name))!, { claims: [actor] })
      assert.ok(result.succeeded)
      return signIn.sendTokens(reply, result.signedIn)
    })
  },
})
after(() => server.close())
const { users, roles, signIn, sessions } = server.app.identity
const actor = { type: 'actor', value: 'admin@example.com' }

const claimsOf = async (token: string) => (await server.call('GET', '/me', { token })).json() as Claim[]
const isActing = (claims: readonly Claim[]) =>
  claims.some(({ type, value }) => type === actor.type && value === actor.value)

test('claims of a session are in its tickets, after a refresh too, and in the list', async () => {
  const { email } = await server.register()
  const tokens = (await server.call('POST', `/act/${email}`)).json() as Tokens
  assert.ok(isActing(await claimsOf(tokens.accessToken)))
  const renewed = await server.call('POST', '/account/refresh', { json: { refreshToken: tokens.refreshToken } })
  const { accessToken } = renewed.json() as Tokens
  assert.ok(isActing(await claimsOf(accessToken)))
  const [listed] = (await server.call('GET', '/account/manage/sessions', { token: accessToken })).json() as object[]
  assert.deepEqual({ ...listed, ...{ claims: [actor], method: 'host' } }, listed)
  assert.deepEqual((await sessions.list((await users.findByName(email))!.id))[0]!.claims, [actor])
  assert.ok(!isActing(await claimsOf((await server.signIn({ email, password: 'Correct-Horse-7' })).accessToken)))
})

test('they stay when the claims of the user change, and in a ticket that has no room for those', async () => {
  const { email } = await server.register()
  const tokens = (await server.call('POST', `/act/${email}`)).json() as Tokens
  const names = Array.from({ length: 300 }, (_, index) => `planner-of-${index}`)
  for (const name of names) await roles.create(name)
  await users.addToRoles((await users.findByName(email))!, names)
  const before = await claimsOf(tokens.accessToken)
  assert.equal(before.filter(({ type }) => type === 'role').length, 300)
  assert.ok(isActing(before))
  const renewed = await server.call('POST', '/account/refresh', { json: { refreshToken: tokens.refreshToken } })
  assert.ok(isActing(await claimsOf((renewed.json() as Tokens).accessToken)))
})

test('a reserved type, what is no text and more than 1 kB are refused, and no session is opened', async () => {
  const { email } = await server.register()
  const user = (await users.findByName(email))!
  const wrong: unknown[] = [
    ...['sub', 'name', 'email', 'role', 'amr', 'auth_time', 'sid'].map((type) => ({ type, value: 'x' })),
    { type: '', value: 'x' },
    { type: 'tenant', value: 7 },
    { type: 'tenant', value: 'a\0b' },
    { type: 'tenant', value: 'x'.repeat(1100) },
  ]
  for (const claim of wrong) await assert.rejects(signIn.signIn(user, { claims: [claim as Claim] }), TypeError)
  assert.deepEqual(await sessions.list(user.id), [])
})
