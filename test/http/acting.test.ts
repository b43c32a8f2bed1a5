// A session with a claim `actor` of its own: the account is closed to it, unless option sessions.actorMayManage opens
// it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Claim, type IdentityOptions, requireAuthorization } from '../../src/index.js'
import { expectEmpty, type TestApp, type Tokens, withApp } from '../support/app.js'

const account = [
  ['GET', '/account/manage/info', undefined],
  ['POST', '/account/manage/info', {}],
  ['POST', '/account/manage/2fa', {}],
  ['GET', '/account/manage/sessions', undefined],
  ['GET', '/ACCOUNT/manage/sessions/', undefined],
  ['DELETE', '/account/manage/sessions/none', undefined],
  ['POST', '/account/logout?scope=all', undefined],
  ['POST', '/account/logout?scope=others', undefined],
] as const

async function withActor(
  identity: IdentityOptions,
  claims: readonly Claim[],
  work: (app: TestApp, tokens: Tokens, cookie: string) => Promise<void>,
): Promise<void> {
  await withApp(
    {
      identity,
      after(host) {
        host.get('/me', { onRequest: requireAuthorization() }, (request) => request.identity?.sessionClaims)
        host.get('/act/:mode', async (request, reply) => {
          const { signIn, users } = host.identity
          const [user] = (await users.list()).users
          const result = await signIn.signIn(user!, { claims })
          assert.ok(result.succeeded)
          if ((request.params as { mode: string }).mode === 'tokens') return signIn.sendTokens(reply, result.signedIn)
          signIn.setCookie(reply, result.signedIn)
          return {}
        })
      },
    },
    async (app) => {
      await app.register()
      const tokens = (await app.call('GET', '/act/tokens')).json() as Tokens
      const [cookie = ''] = (await app.call('GET', '/act/cookie')).setCookies
      await work(app, tokens, cookie.slice(0, cookie.indexOf(';')))
    },
  )
}

const actor = { type: 'actor', value: 'ada' }

test('everything under /manage is 403 to it, by token and by cookie, after a refresh too; it may end itself', () =>
  withActor({}, [actor], async (app, { accessToken, refreshToken }, cookie) => {
    const renewed = await app.call('POST', '/account/refresh', { json: { refreshToken } })
    const { accessToken: later } = renewed.json() as Tokens
    for (const by of [{ token: accessToken }, { token: later }, { cookie }]) {
      for (const [method, url, json] of account)
        expectEmpty(await app.call(method, url, { ...by, ...(json === undefined ? {} : { json }) }), 403)
      assert.deepEqual((await app.call('GET', '/me', by)).json(), [actor])
    }
    assert.equal((await app.sql('select 1 from sessions')).length, 2)
    assert.equal((await app.call('POST', '/account/logout', { token: later })).status, 200)
    assert.equal((await app.sql('select 1 from sessions')).length, 1)
  }))

test('with actorMayManage it is as good as any other', () =>
  withActor({ sessions: { actorMayManage: true } }, [actor], async (app, { accessToken: token }) => {
    const statuses = []
    for (const [method, url, json] of account.slice(0, -1))
      statuses.push((await app.call(method, url, { token, ...(json === undefined ? {} : { json }) })).status)
    assert.deepEqual(statuses, [200, 200, 200, 200, 200, 404, 200])
  }))

test('a claim of another type, and a claim of the user that is called actor, close nothing', () =>
  withActor({ claims: () => [actor] }, [{ type: 'tenant', value: '7' }], async (app, { accessToken: token }) => {
    assert.equal((await app.call('GET', '/account/manage/info', { token })).status, 200)
  }))
