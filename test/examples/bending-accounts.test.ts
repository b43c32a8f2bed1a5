// The examples that bend what an account is and how it is made.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MailMessage } from '../../src/index.js'
import { build as buildEndpoints } from '../../examples/endpoints.js'
import { build as buildHooks } from '../../examples/hooks-and-outbox-row.js'
import { build as buildLinks } from '../../examples/links-for-a-spa.js'
import { build as buildLanguage } from '../../examples/other-language.js'
import { build as buildHasher } from '../../examples/own-hasher.js'
import { build as buildProfile } from '../../examples/profile.js'
import { build as buildUserName } from '../../examples/user-name.js'
import { build as buildValidators } from '../../examples/validators.js'
import { build as buildWithTransaction } from '../../examples/with-transaction.js'
import { goodPassword as password } from '../support/app.js'
import { startExample } from '../support/example.js'

const email = 'ann@example.com'
const codesOf = (json: unknown) => Object.keys((json as { errors: object }).errors)

test('endpoints.ts: nobody registers, and who was invited sets a password by the mailed code', async (t) => {
  const mails: [to: string, code: string][] = []
  const { app, call, signIn } = await startExample(t, (database) =>
    buildEndpoints(database, (...mail) => {
      mails.push(mail)
    }),
  )
  assert.equal((await call('POST', '/account/register', { email, password })).status, 404)
  assert.equal((await call('POST', '/invitations', { email })).status, 401)

  await app.identity.users.create({ userName: email, email }, password)
  const { accessToken } = await signIn(email)
  assert.equal((await call('POST', '/invitations', { email }, accessToken)).status, 400)
  assert.equal((await call('POST', '/invitations', { email: 'bob@example.com' }, accessToken)).status, 202)
  const [[to, resetCode]] = mails as [[string, string]]
  assert.equal(
    (await call('POST', '/account/resetPassword', { email: to, resetCode, newPassword: password })).status,
    200,
  )
  await signIn('bob@example.com')
})

test('hooks-and-outbox-row.ts: of five people at once two get the two seats and a letter each, the others nothing', async (t) => {
  const { app, call } = await startExample(t, (database) => buildHooks(database, 2))
  const answers = await Promise.all(
    [1, 2, 3, 4, 5].map((n) => call('POST', '/account/register', { email: `p${n}@example.com`, password })),
  )
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 409, 409, 409])
  assert.deepEqual(
    answers.flatMap(({ status, json }) => (status === 409 ? [(json as { detail: string }).detail] : [])),
    Array(3).fill('All seats are taken.'),
  )
  const { users } = await app.identity.users.list()
  const letters = (await call('GET', '/letters')).json as { user_id: string; content: string }[]
  assert.deepEqual(letters.map(({ user_id }) => user_id).sort(), users.map(({ id }) => id).sort())
})

test('links-for-a-spa.ts: mailed links open pages of the SPA, with all that the API asks for', async (t) => {
  const mails: MailMessage[] = []
  const { app, call } = await startExample(t, (database) =>
    buildLinks(database, { send: (mail) => Promise.resolve(void mails.push(mail)) }),
  )
  const linkOfLast = () => new URL(/https:\S+/.exec(mails.at(-1)!.text)![0])
  await call('POST', '/account/register', { email, password })
  await app.identity.mail.flush()
  const confirm = linkOfLast()
  assert.ok(confirm.href.startsWith('https://app.example.com/'), confirm.href)
  const query = confirm.search === '' ? confirm.hash.slice(confirm.hash.indexOf('?')) : confirm.search
  assert.equal((await call('GET', `/account/confirmEmail${query}`)).status, 200)

  await call('POST', '/account/forgotPassword', { email })
  await app.identity.mail.flush()
  const reset = linkOfLast()
  assert.equal(reset.origin + reset.pathname, 'https://app.example.com/reset')
  assert.equal(reset.searchParams.get('from'), 'mail')
  const answer = await call('POST', '/account/resetPassword', {
    email: reset.searchParams.get('email'),
    resetCode: reset.searchParams.get('code'),
    newPassword: `${password}!`,
  })
  assert.equal(answer.status, 200, answer.body)
})

test('other-language.ts: known codes speak German, the others English', async (t) => {
  const { call } = await startExample(t, buildLanguage)
  const { json } = await call('POST', '/account/register', { email, password: 'aaaaa' })
  assert.deepEqual((json as { errors: unknown }).errors, {
    PasswordTooShort: ['Das Passwort braucht mindestens 6 Zeichen.'],
    PasswordRequiresNonAlphanumeric: ['Das Passwort braucht ein Sonderzeichen.'],
    PasswordRequiresDigit: ['Das Passwort braucht eine Ziffer (0–9).'],
    PasswordRequiresUpper: ['Das Passwort braucht einen Großbuchstaben (A–Z).'],
  })
  const { json: other } = await call('POST', '/account/register', { email, password: 'Aa1!'.repeat(200) })
  assert.deepEqual((other as { errors: unknown }).errors, {
    PasswordTooLong: ['Passwords must be at most 512 characters.'],
  })
})

test('own-hasher.ts: passwords are hashed by scrypt, and a cheaper hash is replaced at the next login', async (t) => {
  const { app, call, signIn } = await startExample(t, buildHasher)
  const { users } = app.identity
  const hash = async () => (await users.findByName(email))!.passwordHash!
  await signIn(email)
  assert.match(await hash(), /^scrypt\$32768\$/)
  assert.equal((await call('POST', '/account/login', { email, password: 'Wrong-1' })).status, 401)

  const user = (await users.findByName(email))!
  // Correct-Horse-7 under N = 1024, of a system that the user comes from.
  user.passwordHash =
    'scrypt$1024$000102030405060708090a0b0c0d0e0f$280e6200c120a13bc759cfaa7a21eb26a9cfbd64e0930b8a156a3c5f2d7c669c'
  assert.deepEqual(await users.update(user), { succeeded: true })
  await signIn(email)
  assert.match(await hash(), /^scrypt\$32768\$/)
})

test('profile.ts: fields are taken at /register, shown and changed at /manage/info, and typed for the host', async (t) => {
  const { call } = await startExample(t, buildProfile)
  assert.deepEqual(codesOf((await call('POST', '/account/register', { email, password })).json), ['nickname'])
  assert.equal(
    (await call('POST', '/account/register', { email, password, nickname: 'Ann', birthYear: 1990 })).status,
    200,
  )
  const { json } = await call('POST', '/account/login', { email, password })
  const { accessToken } = json as { accessToken: string }
  assert.equal((await call('GET', '/hello', undefined, accessToken)).body, 'Hello Ann')
  assert.deepEqual((await call('POST', '/account/manage/info', { nickname: 'Annie' }, accessToken)).json, {
    email,
    isEmailConfirmed: false,
    nickname: 'Annie',
    birthYear: 1990,
  })
  assert.equal((await call('GET', '/hello', undefined, accessToken)).body, 'Hello Annie')
})

test('user-name.ts: a name or an address logs in, and addresses are unique', async (t) => {
  const { call } = await startExample(t, buildUserName)
  const register = (userName: string, address: string) =>
    call('POST', '/account/register', { userName, email: address, password })
  assert.equal((await register('ann-7', email)).status, 200)
  assert.deepEqual(codesOf((await register('ann 8', 'ann8@example.com')).json), ['InvalidUserName'])
  assert.deepEqual(codesOf((await register('ann-9', email)).json), ['DuplicateEmail'])
  for (const who of [{ userName: 'ann-7' }, { email }]) {
    const { json } = await call('POST', '/account/login', { ...who, password })
    assert.deepEqual((await call('GET', '/me', undefined, (json as { accessToken: string }).accessToken)).json, {
      name: 'ann-7',
      email,
    })
  }
})

test('validators.ts: each rule of the host answers with its own code', async (t) => {
  const { call } = await startExample(t, buildValidators)
  const register = async (address: string, secret: string) => {
    const { status, json } = await call('POST', '/account/register', { email: address, password: secret })
    return status === 200 ? [] : codesOf(json)
  }
  assert.deepEqual(await register(email, 'short'), ['PasswordTooShort'])
  assert.deepEqual(await register(email, 'Correct horse battery staple'), ['PasswordTooCommon'])
  assert.deepEqual(await register(email, `I am ${email}, who else`), ['PasswordHasName'])
  assert.deepEqual(await register('ann@example.org', 'only small letters and blanks'), ['NotOurCompany'])
  assert.deepEqual(await register(email, 'only small letters and blanks'), [])
})

test('with-transaction.ts: of two founders of one company at once, one company and one user remain', async (t) => {
  const { app, call } = await startExample(t, buildWithTransaction)
  const found = (address: string, secret = password) =>
    call('POST', '/companies', { company: 'Acme', email: address, password: secret })
  assert.equal((await found(email, 'weak')).status, 400)
  const answers = await Promise.all([found('ann@example.com'), found('bob@example.com')])
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409])
  const { users } = await app.identity.users.list()
  assert.equal(users.length, 1)
})
