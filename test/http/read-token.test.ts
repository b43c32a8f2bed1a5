// Option bearer.readToken: a token from elsewhere than the Authorization header.
import type { FastifyRequest } from 'fastify'
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { requireAuthorization } from '../../src/index.js'
import { expectTokenRefused, startApp, type TestApp } from '../support/app.js'

let server: TestApp

function readToken({ headers, query }: FastifyRequest): string | null {
  const header = headers['x-access-token']
  if (header === 'break') throw new Error('the proxy speaks nonsense')
  if (typeof header === 'string') return header
  return (query as { access_token?: string }).access_token ?? null
}

before(async () => {
  server = await startApp({
    identity: { bearer: { readToken } },
    after: (app) => {
      app.get('/events', { onRequest: requireAuthorization() }, (request) => request.identity?.scheme)
      app.get('/open', (request) => ({ for: request.identity?.userName ?? null }))
    },
  })
})
after(() => server.close())

test('a token is taken from where the host reads it, at its own routes, ours and open ones', async () => {
  const { accessToken, email } = await server.signIn()
  assert.equal((await server.call('GET', '/events', { headers: { 'x-access-token': accessToken } })).body, 'bearer')
  assert.equal((await server.call('GET', `/events?access_token=${accessToken}`)).body, 'bearer')
  assert.equal(
    (await server.call('GET', '/account/manage/info', { headers: { 'x-access-token': accessToken } })).status,
    200,
  )
  assert.deepEqual((await server.call('GET', '/open', { headers: { 'x-access-token': accessToken } })).json(), {
    for: email,
  })
})

test('where the host finds none, the Authorization header counts, and then the cookie', async () => {
  const { accessToken } = await server.signIn()
  assert.equal((await server.call('GET', '/events', { token: accessToken })).body, 'bearer')
  const { cookie } = await server.signInWithCookie()
  assert.equal((await server.call('GET', '/events', { cookie })).body, 'cookie')
})

test('a token that the host finds decides alone: a good header or cookie does not rescue a bad one', async () => {
  const { accessToken } = await server.signIn()
  const { cookie } = await server.signInWithCookie()
  for (const by of [{ token: accessToken }, { cookie }]) {
    expectRefused(await server.call('GET', '/events', { ...by, headers: { 'x-access-token': 'nonsense' } }))
    expectRefused(await server.call('GET', '/events', { ...by, headers: { 'x-access-token': '' } }))
  }
})

test('a refresh token or a cookie is no access token, wherever it is read', async () => {
  const { refreshToken } = await server.signIn()
  const { cookie } = await server.signInWithCookie()
  expectRefused(await server.call('GET', `/events?access_token=${refreshToken}`))
  expectRefused(await server.call('GET', '/events', { headers: { 'x-access-token': cookie.split('=')[1]! } }))
})

test('a reader that fails is a 500 and lets nobody in', async () => {
  const { accessToken } = await server.signIn()
  const answer = await server.call('GET', '/account/manage/info', {
    token: accessToken,
    headers: { 'x-access-token': 'break' },
  })
  assert.equal(answer.status, 500)
  assert.ok(!answer.body.includes('nonsense'))
  assert.equal(
    (await server.call('GET', '/events', { token: accessToken, headers: { 'x-access-token': 'break' } })).status,
    500,
  )
})

test('what the host reads is not logged', async () => {
  const { accessToken } = await server.signIn()
  await server.call('GET', '/events', { headers: { 'x-access-token': accessToken } })
  assert.ok(server.logLines.every((line) => !line.includes(accessToken)))
})

function expectRefused(answer: Awaited<ReturnType<TestApp['call']>>): void {
  assert.deepEqual(
    [answer.status, answer.body, answer.headers['www-authenticate']],
    [401, '', 'Bearer error="invalid_token"'],
  )
}

test('a nonsense token at a route of ours is challenged as ever', async () => {
  expectTokenRefused(await server.call('GET', '/account/manage/info', { headers: { 'x-access-token': 'nonsense' } }))
})
