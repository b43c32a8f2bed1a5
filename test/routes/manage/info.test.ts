import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  emptyHeaders,
  expectChallenge,
  expectTokenRefused,
  expectEmpty,
  headersOf,
  startApp,
  type TestApp,
} from '../../support/app.js'

let server: TestApp

before(async () => {
  server = await startApp()
})
after(() => server.close())

test('a caller who is not signed in is challenged', async () => {
  expectChallenge(await server.call('GET', '/account/manage/info'))
  expectTokenRefused(await server.call('GET', '/account/manage/info', { token: 'nonsense' }))
})

test('the caller sees the address as the database has it now, with cookie and token alike', async () => {
  const person = await server.register({ email: 'Info@Example.com' })
  const { accessToken } = await server.signIn(person)
  const { cookie } = await server.signInWithCookie(person)
  for (const by of [{ token: accessToken }, { cookie }]) {
    const answer = await server.call('GET', '/account/manage/info', by)
    const body = '{"email":"Info@Example.com","isEmailConfirmed":false}'
    assert.equal(answer.body, body)
    assert.equal(answer.status, 200)
    assert.deepEqual(headersOf(answer), {
      ...emptyHeaders,
      'content-type': 'application/json; charset=utf-8',
      'content-length': String(body.length),
    })
  }
  await server.sql(
    "update users set email = 'new@example.com', normalized_email = 'NEW@EXAMPLE.COM', email_confirmed = true where user_name = $1",
    [person.email],
  )
  const answer = await server.call('GET', '/account/manage/info', { token: accessToken })
  assert.equal(answer.body, '{"email":"new@example.com","isEmailConfirmed":true}')
})

test('a user who no longer exists is 404', async () => {
  const { email, accessToken } = await server.signIn()
  await server.sql('delete from users where user_name = $1', [email])
  expectEmpty(await server.call('GET', '/account/manage/info', { token: accessToken }), 404)
})

test('a user that was deleted by the manager is refused at once', async () => {
  const { email, accessToken } = await server.signIn()
  const user = await server.app.identity.users.findByName(email)
  assert.deepEqual(await server.app.identity.users.delete(user!), { succeeded: true })
  expectTokenRefused(await server.call('GET', '/account/manage/info', { token: accessToken }))
})

test('a user without an address has an empty one', async () => {
  const { email, accessToken } = await server.signIn()
  await server.sql('update users set email = null, normalized_email = null where user_name = $1', [email])
  assert.equal(
    (await server.call('GET', '/account/manage/info', { token: accessToken })).body,
    '{"email":"","isEmailConfirmed":false}',
  )
})

test('a body and a query that nobody asked for do not matter', async () => {
  const { accessToken } = await server.signIn()
  const answer = await server.call('GET', '/account/manage/info?userId=1&access_token=x', {
    token: accessToken,
    payload: '{broken',
    headers: { 'content-type': 'text/plain' },
  })
  assert.equal(answer.status, 200)
})
