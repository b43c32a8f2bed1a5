// Bodies as the reference reads them: types, charsets, empty ones, and members that stand more than once.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { expectChallenge, expectEmpty, type Person, startApp, type TestApp } from '../support/app.js'

let server: TestApp
let person: Person

before(async () => {
  server = await startApp()
  person = await server.register()
})
after(() => server.close())

const post = (path: string, type: string, payload: string | Buffer) =>
  server.call('POST', `/account${path}`, {
    headers: { 'content-type': type, 'content-length': String(Buffer.byteLength(payload)) },
    payload,
  })
const login = async (body: string) => (await post('/login', 'application/json', body)).status

test('the charsets that the reference reads are read, others are 415', async () => {
  const text = JSON.stringify(person)
  for (const charset of ['utf-8', 'UTF-8', '"utf-8"', 'utf8', 'us-ascii', 'US-ASCII', 'ascii', 'iso-8859-1', 'latin1'])
    assert.equal((await post('/login', `application/json; charset=${charset}`, text)).status, 200, charset)
  const utf16 = Buffer.from(text, 'utf16le')
  assert.equal((await post('/login', 'application/json; charset=utf-16', utf16)).status, 200)
  assert.equal((await post('/login', 'application/json; charset=utf-16be', utf16.swap16())).status, 200)
  expectEmpty(await post('/login', 'application/json; charset=utf-16', text), 400)
  expectEmpty(await post('/login', 'application/json; charset=us-ascii', '{"email":"é","password":"x"}'), 400)
  for (const charset of ['utf-7', 'utf-32', 'windows-1252', 'toString', 'x'])
    expectEmpty(await post('/login', `application/json; charset=${charset}`, text), 415)
})

test('a password in another charset is the same password', async () => {
  const other = { email: 'umlaut@example.com', password: 'Größe-7-groß' }
  assert.equal(
    (await post('/register', 'application/json; charset=latin1', Buffer.from(JSON.stringify(other), 'latin1'))).status,
    200,
  )
  assert.equal(await login(JSON.stringify(other)), 200)
})

test('without a body a type that cannot be read is none, and another type is 415', async () => {
  for (const path of ['/login', '/register', '/refresh', '/forgotPassword']) {
    expectEmpty(await post(path, ';;;', ''), 400)
    expectEmpty(await post(path, 'application/json', ''), 400)
    expectEmpty(await post(path, 'text/plain', ''), 415)
  }
})

test('a type that is not JSON is 415 before a caller is asked for', async () => {
  for (const path of ['/manage/info', '/manage/2fa']) {
    expectEmpty(await post(path, 'text/plain', '{}'), 415)
    expectChallenge(await post(path, 'application/json', '{}'))
    expectChallenge(await post(path, 'application/vnd.x+json', '{}'))
  }
})

test('of a member that stands twice the last one counts, and each must be of its type', async () => {
  const { email, password } = person
  assert.equal(await login(`{"email":"x","email":"${email}","password":"${password}"}`), 200)
  assert.equal(await login(`{"email":null,"email":"${email}","password":"${password}"}`), 200)
  assert.equal(await login(`{"email":"${email}","Email":"x","email":"${email}","password":"${password}"}`), 200)
  assert.equal(await login(`{"email":"${email}","email":"x","password":"${password}"}`), 401)
  for (const wrong of ['1', '{}', '[]', 'true', '[{"a":1}]']) {
    assert.equal(await login(`{"email":${wrong},"email":"${email}","password":"${password}"}`), 400, wrong)
    assert.equal(await login(`{"EMAIL":${wrong},"email":"${email}","password":"${password}"}`), 400, wrong)
  }
  // What is not read may be anything, as often as it likes.
  assert.equal(
    await login(`{"a":1,"a":{"b":[1,2,{"email":3}]},"email":"${email}","a":"\\"}{,:","password":"${password}"}`),
    200,
  )
})
