// Option claims: what a host adds to every ticket, made anew at each sign-in, refresh and validation of a cookie.
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { type Claim, requireAuthorization, type User } from '../../src/index.js'
import { pairOf, startApp, type TestApp, type Tokens } from '../support/app.js'

let server: TestApp
let plan = 'free'
let asked: User[] = []

before(async () => {
  server = await startApp({
    identity: {
      securityStamp: { validationSeconds: 60 },
      claims(user): Claim[] {
        asked.push(user)
        if (plan === 'broken') throw new Error('the plans cannot be read')
        return plan === 'none'
          ? []
          : [
              { type: 'plan', value: plan },
              { type: 'plan', value: 'every' },
            ]
      },
    },
    after: (app) => {
      app.get('/paid', { onRequest: requireAuthorization({ claims: { plan: 'paid' } }) }, () => 'in')
      app.get('/claims', { onRequest: requireAuthorization() }, (request) =>
        request.identity?.findAll('plan').map(({ value }) => value),
      )
    },
  })
})
after(() => server.close())
beforeEach(() => {
  plan = 'free'
  asked = []
})

const claims = async (by: { token: string } | { cookie: string }) => (await server.call('GET', '/claims', by)).json()

test('the claims that the host adds are in the ticket, each in its place', async () => {
  const { accessToken, email } = await server.signIn()
  assert.deepEqual(await claims({ token: accessToken }), ['free', 'every'])
  assert.ok(asked.length > 0 && asked.every(({ userName }) => userName === email))
  const { cookie } = await server.signInWithCookie()
  assert.deepEqual(await claims({ cookie }), ['free', 'every'])
})

test('no request asks for them again', async () => {
  const { accessToken } = await server.signIn()
  asked = []
  plan = 'paid'
  assert.deepEqual(await claims({ token: accessToken }), ['free', 'every'])
  assert.equal((await server.call('GET', '/paid', { token: accessToken })).status, 403)
  assert.equal(asked.length, 0)
})

test('a refresh makes them anew', async () => {
  const { refreshToken } = await server.signIn()
  plan = 'paid'
  const { accessToken } = (await server.call('POST', '/account/refresh', { json: { refreshToken } })).json() as Tokens
  assert.deepEqual(await claims({ token: accessToken }), ['paid', 'every'])
  assert.equal((await server.call('GET', '/paid', { token: accessToken })).status, 200)
})

test('the validation of a cookie makes them anew', async () => {
  const { cookie } = await server.signInWithCookie()
  plan = 'paid'
  assert.equal((await server.call('GET', '/paid', { cookie })).status, 403)
  server.clock.advance(60)
  const answer = await server.call('GET', '/paid', { cookie })
  assert.equal(answer.status, 200)
  plan = 'none'
  server.clock.advance(60)
  assert.equal((await server.call('GET', '/paid', { cookie: pairOf(answer.setCookies[0]!) })).status, 403)
})

test('they stand beside the stored claims of the user', async () => {
  const { email } = await server.register({ email: 'both@example.com' })
  await server.sql(
    "insert into user_claims (id, user_id, type, value) select gen_random_uuid(), id, 'plan', 'stored' from users where user_name = $1",
    [email],
  )
  const { accessToken } = await server.signIn({ email, password: 'Correct-Horse-7' })
  assert.deepEqual(await claims({ token: accessToken }), ['stored', 'free', 'every'])
})

test('a callback that fails lets nobody in, and says nothing of itself', async () => {
  const person = await server.register()
  plan = 'broken'
  const answer = await server.call('POST', '/account/login', { json: person })
  assert.equal(answer.status, 500)
  assert.ok(!answer.body.includes('plans'))
})
