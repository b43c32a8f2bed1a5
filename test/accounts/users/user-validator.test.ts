// A host's own rules on passwords and users, beside ours.
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import type { IdentityError, PasswordValidator, UserValidator } from '../../../src/index.js'
import { expectEmpty, goodPassword, startApp, type TestApp, withApp } from '../../support/app.js'

const error = (code: string): IdentityError => ({ code, description: `${code}.` })

let server: TestApp
let asked: string[] = []

const noName: PasswordValidator = (password, { userName }) => {
  asked.push(`noName ${userName}`)
  return password.toLowerCase().includes(userName.split('@')[0]!.toLowerCase()) ? [error('PasswordContainsName')] : []
}
const notListed: PasswordValidator = async (password) => {
  await new Promise((resolve) => setImmediate(resolve))
  asked.push('notListed')
  return password === 'Correct-Horse-8' ? [error('PasswordListed'), error('PasswordFamous')] : []
}
const ownDomain: UserValidator = ({ email }) => {
  asked.push('ownDomain')
  return email?.endsWith('@rival.example') === true ? [error('RivalDomain')] : []
}
const notBanned: UserValidator = ({ phoneNumber }) =>
  Promise.resolve(phoneNumber === '666' ? [error('BannedNumber')] : [])

before(async () => {
  server = await startApp({
    identity: {
      password: { validators: [noName, notListed], hasher: { memoryKiB: 64, iterations: 1 } },
      user: { validators: [ownDomain, notBanned] },
    },
  })
})
after(() => server.close())
beforeEach(() => {
  asked = []
})

async function codesOf(email: string, password: string, of: TestApp = server): Promise<string[]> {
  const answer = await of.call('POST', '/account/register', { json: { email, password } })
  if (answer.status === 200) return []
  assert.equal(answer.status, 400)
  return Object.keys((answer.json() as { errors: object }).errors)
}

test('the failures of validators are returned with their codes, after ours, validator by validator', async () => {
  assert.deepEqual(await codesOf('anna@example.com', 'Anna-Horse-7'), ['PasswordContainsName'])
  assert.deepEqual(await codesOf('anna@example.com', 'Correct-Horse-8'), ['PasswordListed', 'PasswordFamous'])
  assert.deepEqual(await codesOf('anna@example.com', 'anna-horse'), [
    'PasswordRequiresDigit',
    'PasswordRequiresUpper',
    'PasswordContainsName',
  ])
  assert.deepEqual(await codesOf('bob@rival.example', goodPassword), ['RivalDomain'])
  assert.deepEqual(await codesOf('anna@example.com', goodPassword), [])
})

test('password rules are asked before user rules, and user rules only when ours are content', async () => {
  assert.deepEqual(await codesOf('carl@rival.example', 'Carl-Horse-7'), ['PasswordContainsName'])
  assert.ok(!asked.includes('ownDomain'))
  asked = []
  assert.deepEqual(await codesOf('not allowed@rival.example', goodPassword), ['InvalidUserName'])
  assert.ok(!asked.includes('ownDomain'))
})

test('a password that is too long reaches no validator', async () => {
  assert.deepEqual(await codesOf('dora@example.com', `Aa1!${'x'.repeat(600)}`), ['PasswordTooLong'])
  assert.deepEqual(asked, [])
})

test('a change, a reset and a first password are held to the password rules', async () => {
  const { users } = server.app.identity
  const { email } = await server.register({ email: 'erik@example.com' })
  const user = (await users.findByName(email))!
  const refused = { succeeded: false, errors: [error('PasswordContainsName')] }
  assert.deepEqual(await users.changePassword(user, goodPassword, 'Erik-Horse-7'), refused)
  assert.deepEqual(await users.resetPassword(user, users.generatePasswordResetToken(user), 'Erik-Horse-7'), refused)
  await users.removePassword(user)
  assert.deepEqual(await users.addPassword(user, 'Erik-Horse-7'), refused)
  assert.deepEqual(await users.addPassword(user, 'Other-Horse-7'), { succeeded: true })
})

test('a user who is changed is held to the user rules, as a whole', async () => {
  const { users } = server.app.identity
  const { email } = await server.register()
  const user = (await users.findByName(email))!
  assert.deepEqual(await users.update({ ...user, phoneNumber: '666' }), {
    succeeded: false,
    errors: [error('BannedNumber')],
  })
  assert.deepEqual(await users.setEmail(user, 'x@rival.example'), { succeeded: false, errors: [error('RivalDomain')] })
  assert.equal((await users.findByName(email))!.email, email)
})

test('no sign-in asks them: a rule of today locks nobody out who is here already', async () => {
  const { email } = await server.register()
  await server.sql(
    "update users set phone_number = '666', email = 'x@rival.example', normalized_email = 'X@RIVAL.EXAMPLE' where user_name = $1",
    [email],
  )
  asked = []
  await server.signIn({ email, password: goodPassword })
  assert.deepEqual(asked, [])
})

test('a validator that fails registers nobody and is a 500 that says nothing of it', () =>
  withApp(
    {
      identity: {
        password: {
          validators: [() => Promise.reject(new Error('the list is down'))],
          hasher: { memoryKiB: 64, iterations: 1 },
        },
      },
    },
    async (own) => {
      const answer = await own.call('POST', '/account/register', {
        json: { email: 'fay@example.com', password: goodPassword },
      })
      assert.equal(answer.status, 500)
      assert.ok(!answer.body.includes('list'))
      assert.equal(await own.app.identity.users.findByName('fay@example.com'), null)
    },
  ))

test('with our own rules off the host alone decides', () =>
  withApp(
    {
      identity: {
        password: {
          requiredLength: 1,
          requireDigit: false,
          requireLowercase: false,
          requireUppercase: false,
          requireNonAlphanumeric: false,
          validators: [(password) => (password === 'x' ? [] : [error('OnlyX')])],
          hasher: { memoryKiB: 64, iterations: 1 },
        },
      },
    },
    async (own) => {
      assert.deepEqual(await codesOf('gil@example.com', goodPassword, own), ['OnlyX'])
      expectEmpty(
        await own.call('POST', '/account/register', { json: { email: 'gil@example.com', password: 'x' } }),
        200,
      )
    },
  ))
