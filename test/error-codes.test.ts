// Every code and message of the reference, and where people meet them.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { describeError, type ErrorCode, errorCodes, type ErrorDescriber, type IdentityResult } from '../src/index.js'
import { type Answer, goodPassword } from './support/app.js'
import { authenticatorOf, wrongCode } from './support/authenticator.js'
import { type MailApp, startMailApp } from './support/mailbox.js'

const reference: [code: ErrorCode, args: (string | number)[], message: string][] = [
  ['DefaultError', [], 'An unknown failure has occurred.'],
  ['ConcurrencyFailure', [], 'Optimistic concurrency failure, object has been modified.'],
  ['PasswordMismatch', [], 'Incorrect password.'],
  ['InvalidToken', [], 'Invalid token.'],
  ['RecoveryCodeRedemptionFailed', [], 'Recovery code redemption failed.'],
  ['LoginAlreadyAssociated', [], 'A user with this login already exists.'],
  ['InvalidUserName', ['Ann B'], "Username 'Ann B' is invalid, can only contain letters or digits."],
  ['InvalidEmail', ['Ann B'], "Email 'Ann B' is invalid."],
  ['DuplicateUserName', ['Ann'], "Username 'Ann' is already taken."],
  ['DuplicateEmail', ['Ann@b'], "Email 'Ann@b' is already taken."],
  ['InvalidRoleName', [' '], "Role name ' ' is invalid."],
  ['DuplicateRoleName', ['Staff'], "Role name 'Staff' is already taken."],
  ['UserAlreadyHasPassword', [], 'User already has a password set.'],
  ['UserLockoutNotEnabled', [], 'Lockout is not enabled for this user.'],
  ['UserAlreadyInRole', ['Staff'], "User already in role 'Staff'."],
  ['UserNotInRole', ['Staff'], "User is not in role 'Staff'."],
  ['PasswordTooShort', [6], 'Passwords must be at least 6 characters.'],
  ['PasswordRequiresUniqueChars', [4], 'Passwords must use at least 4 different characters.'],
  ['PasswordRequiresNonAlphanumeric', [], 'Passwords must have at least one non alphanumeric character.'],
  ['PasswordRequiresDigit', [], "Passwords must have at least one digit ('0'-'9')."],
  ['PasswordRequiresLower', [], "Passwords must have at least one lowercase ('a'-'z')."],
  ['PasswordRequiresUpper', [], "Passwords must have at least one uppercase ('A'-'Z')."],
  [
    'CannotResetSharedKeyAndEnable',
    [],
    'Resetting the 2fa shared key must disable 2fa until a 2fa token based on the new shared key is validated.',
  ],
  ['RequiresTwoFactor', [], 'No 2fa token was provided by the request. A valid 2fa token is required to enable 2fa.'],
  [
    'InvalidTwoFactorCode',
    [],
    'The 2fa token provided by the request was invalid. A valid 2fa token is required to enable 2fa.',
  ],
  [
    'OldPasswordRequired',
    [],
    'The old password is required to set a new password. If the old password is forgotten, use /resetPassword.',
  ],
]

// The upper bound that the reference lacks.
const ours: typeof reference = [['PasswordTooLong', [512], 'Passwords must be at most 512 characters.']]

for (const [code, args, message] of [...reference, ...ours]) {
  test(`${code} says: ${message}`, () => {
    assert.equal(describeError(code, args), message)
    assert.ok(errorCodes.includes(code))
  })
}

test('the codes of the reference come first and in its order, each once', () => {
  assert.deepEqual(
    errorCodes.slice(0, reference.length),
    reference.map(([code]) => code),
  )
  assert.equal(new Set(errorCodes).size, errorCodes.length)
})

test('a value with braces or dollars stands in a message as it was typed', () => {
  assert.equal(describeError('InvalidEmail', ['{0}$&{1}$1']), "Email '{0}$&{1}$1' is invalid.")
  assert.equal(describeError('InvalidEmail', ['']), "Email '' is invalid.")
  assert.equal(describeError('InvalidEmail', []), "Email '' is invalid.")
})

let english: MailApp
let coded: MailApp
const calls: [code: string, args: readonly (string | number)[]][] = []

// Another language, and a record of its calls.
const describer: ErrorDescriber = (code, args) => {
  calls.push([code, args])
  return `${code}(${args.join('|')})`
}

before(async () => {
  const identity = { password: { requiredUniqueChars: 4 } }
  english = await startMailApp({ identity })
  coded = await startMailApp({ identity: { ...identity, errors: describer } })
})

after(async () => {
  await english.close()
  await coded.close()
})

type Errors = Readonly<Record<string, readonly string[]>>

function errorsOf(answer: Answer): Errors {
  assert.equal(answer.status, 400, answer.body)
  return (answer.json() as { errors: Errors }).errors
}

function byCode(result: IdentityResult): Errors {
  if (result.succeeded) assert.fail('It succeeded')
  return Object.fromEntries(result.errors.map(({ code, description }) => [code, [description]]))
}

const register = async (app: MailApp, email: string, password = goodPassword) =>
  errorsOf(await app.call('POST', '/account/register', { json: { email, password } }))

async function manage(app: MailApp, path: string, json: unknown): Promise<Errors> {
  const { accessToken } = await app.signIn()
  return errorsOf(await app.call('POST', `/account/manage/${path}`, { token: accessToken, json }))
}

async function newUser(app: MailApp, password?: string) {
  const email = `${String(performance.now()).replace('.', '')}@example.com`
  const created = await app.app.identity.users.create({ userName: email, email }, password)
  assert.ok(created.succeeded)
  return created.user
}

/** Where a person or a host meets each code, with what stands in its message. */
const met: [code: ErrorCode, args: (string | number)[], where: string, meet: (app: MailApp) => Promise<Errors>][] = [
  [
    'ConcurrencyFailure',
    [],
    'a user that was changed meanwhile',
    async (app) => {
      const { users } = app.app.identity
      const user = await newUser(app)
      const stale = (await users.findById(user.id))!
      assert.ok((await users.update(user)).succeeded)
      return byCode(await users.update(stale))
    },
  ],
  [
    'ConcurrencyFailure',
    [],
    'the deletion of a user that was changed meanwhile',
    async (app) => {
      const { users } = app.app.identity
      const user = await newUser(app)
      const stale = (await users.findById(user.id))!
      assert.ok((await users.update(user)).succeeded)
      return byCode(await users.delete(stale))
    },
  ],
  [
    'PasswordMismatch',
    [],
    'POST /manage/info',
    (app) => manage(app, 'info', { newPassword: 'New-Horse-8', oldPassword: 'Wrong-Horse-7' }),
  ],
  [
    'InvalidToken',
    [],
    'POST /resetPassword',
    async (app) =>
      errorsOf(
        await app.call('POST', '/account/resetPassword', { json: { email: 'a@b', resetCode: 'x', newPassword: 'x' } }),
      ),
  ],
  [
    'InvalidToken',
    [],
    'confirmEmail',
    async (app) => byCode(await app.app.identity.users.confirmEmail(await newUser(app), 'x')),
  ],
  [
    'InvalidToken',
    [],
    'changeEmail',
    async (app) => byCode(await app.app.identity.users.changeEmail(await newUser(app), 'a@b', 'x')),
  ],
  [
    'RecoveryCodeRedemptionFailed',
    [],
    'redeemTwoFactorRecoveryCode',
    async (app) => byCode(await app.app.identity.users.redeemTwoFactorRecoveryCode(await newUser(app), 'BBBBB-BBBBB')),
  ],
  ['InvalidUserName', ['Ann B@c'], 'POST /register', (app) => register(app, 'Ann B@c')],
  ['InvalidEmail', ['Ann'], 'POST /register', (app) => register(app, 'Ann')],
  ['InvalidEmail', ['Ann'], 'POST /manage/info', (app) => manage(app, 'info', { newEmail: 'Ann' })],
  [
    'DuplicateUserName',
    ['Taken@Example.com'],
    'POST /register',
    async (app) => {
      await app.call('POST', '/account/register', { json: { email: 'taken@example.com', password: goodPassword } })
      return register(app, 'Taken@Example.com')
    },
  ],
  [
    'UserAlreadyHasPassword',
    [],
    'addPassword',
    async (app) => byCode(await app.app.identity.users.addPassword(await newUser(app, goodPassword), goodPassword)),
  ],
  ['PasswordTooShort', [6], 'POST /register', (app) => register(app, 'weak@example.com', 'aB3-x')],
  ['PasswordRequiresUniqueChars', [4], 'POST /register', (app) => register(app, 'weak@example.com', 'aaAA33aaAA')],
  ['PasswordRequiresNonAlphanumeric', [], 'POST /register', (app) => register(app, 'weak@example.com', 'abcABC123')],
  ['PasswordRequiresDigit', [], 'POST /register', (app) => register(app, 'weak@example.com', 'abcABC---')],
  ['PasswordRequiresLower', [], 'POST /register', (app) => register(app, 'weak@example.com', 'ABC123---')],
  ['PasswordRequiresUpper', [], 'POST /register', (app) => register(app, 'weak@example.com', 'abc123---')],
  ['PasswordTooLong', [512], 'POST /register', (app) => register(app, 'weak@example.com', 'x'.repeat(513))],
  [
    'CannotResetSharedKeyAndEnable',
    [],
    'POST /manage/2fa',
    (app) => manage(app, '2fa', { enable: true, resetSharedKey: true }),
  ],
  ['RequiresTwoFactor', [], 'POST /manage/2fa', (app) => manage(app, '2fa', { enable: true })],
  [
    'InvalidTwoFactorCode',
    [],
    'POST /manage/2fa',
    async (app) => {
      const { accessToken: token } = await app.signIn()
      const answer = await app.call('POST', '/account/manage/2fa', { token, json: {} })
      const phone = authenticatorOf((answer.json() as { sharedKey: string }).sharedKey, app.clock)
      return errorsOf(
        await app.call('POST', '/account/manage/2fa', {
          token,
          json: { enable: true, twoFactorCode: wrongCode(phone) },
        }),
      )
    },
  ],
  ['OldPasswordRequired', [], 'POST /manage/info', (app) => manage(app, 'info', { newPassword: 'New-Horse-8' })],
]

for (const [code, args, where, meet] of met) {
  test(`${code} is met at ${where}, in the reference's words and in a host's own`, async () => {
    assert.deepEqual((await meet(english))[code], [describeError(code, args)])
    calls.length = 0
    assert.deepEqual((await meet(coded))[code], [`${code}(${args.join('|')})`])
    assert.ok(calls.some(([name, values]) => name === code && values.length === args.length))
  })
}

test('with requireUniqueEmail a taken address is DuplicateEmail, for a name of its own too', async () => {
  const app = await startMailApp({ identity: { user: { requireUniqueEmail: true, userNameIsEmail: false } } })
  try {
    await app.call('POST', '/account/register', {
      json: { userName: 'ann', email: 'ann@example.com', password: goodPassword },
    })
    const answer = await app.call('POST', '/account/register', {
      json: { userName: 'bob', email: 'Ann@example.com', password: goodPassword },
    })
    assert.deepEqual(errorsOf(answer), { DuplicateEmail: ["Email 'Ann@example.com' is already taken."] })
  } finally {
    await app.close()
  }
})
