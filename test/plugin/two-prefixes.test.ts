// identityRoutes: one realm under a second prefix. Users, tokens and cookies are the same; mailed links point to the
// prefix asked under.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import Fastify from 'fastify'
import { identityRoutes, requireAuthorization } from '../../src/index.js'
import { expectEmpty, goodPassword, type Tokens } from '../support/app.js'
import { type MailApp, publicUrl, startMailApp } from '../support/mailbox.js'

let server: MailApp

before(async () => {
  server = await startMailApp({
    after: async (app) => {
      await app.register(identityRoutes, { prefix: '/v2/people' })
      await app.register(
        async (scope) => {
          await scope.register(identityRoutes, { prefix: '/inner' })
        },
        { prefix: '/outer' },
      )
      app.get('/guarded', { onRequest: requireAuthorization() }, (request) => request.identity?.userName)
    },
  })
})
after(() => server.close())

const prefixes = ['/account', '/v2/people', '/outer/inner']

test('a person who registers under one prefix logs in under each, and the tokens of each are good under each', async () => {
  const person = await server.register()
  for (const prefix of prefixes) {
    const answer = await server.call('POST', `${prefix}/login`, { json: person })
    assert.equal(answer.status, 200)
    const { accessToken, refreshToken } = answer.json() as Tokens
    for (const other of prefixes)
      assert.equal((await server.call('GET', `${other}/manage/info`, { token: accessToken })).status, 200)
    assert.equal((await server.call('GET', '/guarded', { token: accessToken })).body, person.email)
    assert.equal((await server.call('POST', '/v2/people/refresh', { json: { refreshToken } })).status, 200)
  }
})

test('logging out under one prefix ends the session under each', async () => {
  const { cookie } = await server.signInWithCookie()
  expectEmptyBody(await server.call('POST', '/v2/people/logout', { cookie }))
  assert.equal((await server.call('GET', '/account/manage/info', { cookie })).status, 401)
})

function expectEmptyBody({ status, body }: { status: number; body: string }): void {
  assert.deepEqual([status, body], [200, ''])
}

for (const prefix of prefixes) {
  test(`links of mails that were asked for under ${prefix} point there, and are good`, async () => {
    const person = { email: `ann@${prefix.slice(1).replaceAll('/', '.')}.example`, password: goodPassword }
    const first = await server.mailOf(() => server.call('POST', `${prefix}/register`, { json: person }))
    const again = await server.mailOf(() => server.call('POST', `${prefix}/resendConfirmationEmail`, { json: person }))
    for (const { content } of [first, again]) {
      assert.ok(content.startsWith(`${publicUrl}${prefix}/confirmEmail?`), content)
      const { pathname, search } = new URL(content)
      assert.equal((await server.call('GET', pathname + search)).status, 200)
    }
    const { accessToken } = (await server.call('POST', `${prefix}/login`, { json: person })).json() as Tokens
    const change = await server.mailOf(() =>
      server.call('POST', `${prefix}/manage/info`, { token: accessToken, json: { newEmail: `new-${person.email}` } }),
    )
    assert.ok(change.content.startsWith(`${publicUrl}${prefix}/confirmEmail?`))
  })
}

test('a link that was mailed under one prefix is good under another', async () => {
  const letter = await server.mailOf(() => server.register())
  const { search } = new URL(letter.content)
  assert.equal((await server.call('GET', `/v2/people/confirmEmail${search}`)).status, 200)
})

test('other spellings and unknown paths answer under each prefix alike', async () => {
  for (const prefix of prefixes) {
    expectEmpty(await server.call('GET', `${prefix}/nothing`), 404)
    assert.equal((await server.call('POST', `${prefix}/Login/`, { json: await server.register() })).status, 200)
  }
})

test('where no realm of the name is registered the routes are refused', async () => {
  const app = Fastify()
  await assert.rejects(
    async () => {
      await app.register(identityRoutes, { prefix: '/x' })
    },
    { code: 'FST_IDENTITY_NOT_REGISTERED' },
  )
})
