// The defaults of the reference that are options here, and those where we differ on purpose.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeError } from '../src/index.js'
import { resolveOptions } from '../src/options.js'
import { authenticatorOf } from './support/authenticator.js'
import { type Tokens, withApp } from './support/app.js'
import { withMailApp } from './support/mailbox.js'

const defaults = resolveOptions({}, {})

function at(path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => Reflect.get(value as object, name), defaults)
}

const reference: [path: string, value: unknown, called: string][] = [
  ['password.requiredLength', 6, 'Password.RequiredLength'],
  ['password.requiredUniqueChars', 1, 'Password.RequiredUniqueChars'],
  ['password.requireNonAlphanumeric', true, 'Password.RequireNonAlphanumeric'],
  ['password.requireLowercase', true, 'Password.RequireLowercase'],
  ['password.requireUppercase', true, 'Password.RequireUppercase'],
  ['password.requireDigit', true, 'Password.RequireDigit'],
  ['lockout.allowedForNewUsers', true, 'Lockout.AllowedForNewUsers'],
  ['lockout.maxFailedAccessAttempts', 5, 'Lockout.MaxFailedAccessAttempts'],
  ['lockout.lockoutSeconds', 5 * 60, 'Lockout.DefaultLockoutTimeSpan'],
  [
    'user.allowedUserNameCharacters',
    'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._@+',
    'User.AllowedUserNameCharacters',
  ],
  ['user.requireUniqueEmail', false, 'User.RequireUniqueEmail'],
  ['signIn.requireConfirmedEmail', false, 'SignIn.RequireConfirmedEmail'],
  ['signIn.requireConfirmedPhoneNumber', false, 'SignIn.RequireConfirmedPhoneNumber'],
  ['signIn.requireConfirmedAccount', false, 'SignIn.RequireConfirmedAccount'],
  ['bearer.accessTokenSeconds', 3600, 'BearerToken.BearerTokenExpiration'],
  ['bearer.refreshTokenSeconds', 14 * 86_400, 'BearerToken.RefreshTokenExpiration'],
  ['bearer.readToken', null, 'BearerToken.Events.OnMessageReceived'],
  ['securityStamp.validationSeconds', 30 * 60, 'SecurityStampValidator.ValidationInterval'],
  ['codes.confirmEmailSeconds', 86_400, 'DataProtectionTokenProvider.TokenLifespan'],
  ['cookie.lifetimeSeconds', 14 * 86_400, 'Cookie ExpireTimeSpan'],
  ['cookie.slidingExpiration', true, 'Cookie SlidingExpiration'],
  ['cookie.sameSite', 'lax', 'Cookie SameSite'],
  ['cookie.path', '/', 'Cookie Path'],
  ['cookie.secure', 'auto', 'Cookie SecurePolicy'],
  ['twoFactor.rememberMachineSeconds', 14 * 86_400, 'Identity.TwoFactorRememberMe'],
]

for (const [path, value, called] of reference) {
  test(`${path} is ${JSON.stringify(value)} unless it is set, like ${called}`, () => {
    assert.deepEqual(at(path), value)
  })
}

const ours: [path: string, value: unknown, why: string][] = [
  ['codes.resetPasswordSeconds', 3600, 'an hour instead of a day: a reset code opens the account'],
  ['twoFactor.windowSteps', 1, 'one step on each side instead of two (RFC 6238 §5.2)'],
  ['twoFactor.allowCodeReuse', false, 'a code opens one login'],
  ['bearer.rotateRefreshTokens', true, 'a refresh token is good for one exchange'],
  ['bearer.reuseGraceSeconds', 30, 'a lost answer is healed'],
  ['sessions.absoluteSeconds', 30 * 86_400, 'no session outlives a month'],
  ['revocation.pollSeconds', 0.5, 'an end is known everywhere within a second'],
  ['password.maxLength', 512, 'an upper bound before anything is hashed'],
  ['preset', 'aspnet', "the reference's wire"],
  ['email', null, 'nothing is sent'],
  ['notices', [], 'users hear of their account only what the reference mails'],
  ['links.confirmEmail', null, 'our own /confirmEmail'],
  ['links.resetPassword', null, 'a code instead of a link'],
  ['jsonNaming', 'camelCase', 'as the reference names members'],
  ['cookies', true, 'both schemes, as AddIdentityApiEndpoints registers'],
  ['user.userNameIsEmail', true, 'as MapIdentityApi registers'],
  ['describe', describeError, "the reference's words"],
]

for (const [path, value, why] of ours) {
  test(`${path} is ${typeof value === 'function' ? 'the default' : JSON.stringify(value)} unless it is set: ${why}`, () => {
    assert.deepEqual(at(path), value)
  })
}

const mailing = { publicUrl: 'https://id.example.com', email: { send: () => Promise.resolve() } }

test("preset 'hardened' is other defaults for passwords, confirmed addresses and notices, and no other option's", () => {
  const hardened = resolveOptions({ ...mailing, preset: 'hardened' }, {})
  const aspnet = resolveOptions({ ...mailing, preset: 'aspnet' }, {})
  assert.deepEqual(
    { ...hardened, claims: null },
    {
      ...aspnet,
      claims: null,
      preset: 'hardened',
      password: {
        requiredLength: 15,
        countCodePoints: true,
        requiredUniqueChars: 1,
        requireDigit: false,
        requireLowercase: false,
        requireUppercase: false,
        requireNonAlphanumeric: false,
        maxLength: 512,
      },
      signIn: {
        requireConfirmedEmail: true,
        requireConfirmedPhoneNumber: false,
        requireConfirmedAccount: false,
        isConfirmed: null,
      },
      notices: ['refreshTokenReused', 'passwordChanged', 'emailChanged', 'twoFactorChanged', 'recoveryCodeUsed'],
    },
  )
})

test("what an option says goes before what preset 'hardened' says", () => {
  const { password, signIn, notices } = resolveOptions(
    {
      ...mailing,
      preset: 'hardened',
      password: { requiredLength: 8, requireDigit: true },
      signIn: { requireConfirmedEmail: false },
      notices: ['emailChanged'],
    },
    {},
  )
  assert.deepEqual([password.requiredLength, password.requireDigit, password.requireUppercase], [8, true, false])
  assert.equal(signIn.requireConfirmedEmail, false)
  assert.deepEqual(notices, ['emailChanged'])
})

test('an option that is undefined is as good as none', () => {
  const resolved = resolveOptions(
    {
      codes: { confirmEmailSeconds: undefined, resetPasswordSeconds: undefined },
      lockout: { lockoutSeconds: undefined },
      twoFactor: { windowSteps: undefined },
      signIn: { requireConfirmedEmail: undefined },
      password: { requiredLength: undefined },
    } as unknown as Parameters<typeof resolveOptions>[0],
    {},
  ) // as a JavaScript host writes it
  // The default of `claims` is a function of its own each time.
  assert.deepEqual({ ...resolved, claims: null }, { ...defaults, claims: null })
})

test('by default ten recovery codes, a key of 160 bits and six digits every 30 seconds make a second factor', () =>
  withApp({}, async (app) => {
    const { accessToken: token } = await app.signIn()
    const ask = async (json: unknown) =>
      (await app.call('POST', '/account/manage/2fa', { token, json })).json() as {
        sharedKey: string
        recoveryCodes: string[]
      }
    const phone = authenticatorOf((await ask({})).sharedKey, app.clock)
    assert.match(phone.sharedKey, /^[A-Z2-7]{32}$/)
    assert.match(phone.code(), /^[0-9]{6}$/)
    assert.equal((await ask({ enable: true, twoFactorCode: phone.code() })).recoveryCodes.length, 10)
  }))

test('by default the first lock lasts five minutes, to the second', () =>
  withApp({}, async (app) => {
    const person = await app.register()
    const login = (password: string) => app.call('POST', '/account/login', { json: { email: person.email, password } })
    for (let guess = 0; guess < 5; guess++) await login('Wrong-Horse-7')
    app.clock.advance(299)
    assert.equal((await login(person.password)).status, 401)
    app.clock.advance(1)
    assert.equal((await login(person.password)).status, 200)
  }))

test('by default an access token lives an hour and a refresh token fourteen days, to the second', () =>
  withApp({}, async (app) => {
    const [one, other] = [await app.signIn(), await app.signIn()]
    const info = async ({ accessToken }: Tokens) =>
      (await app.call('GET', '/account/manage/info', { token: accessToken })).status
    assert.equal(one.expiresIn, 3600)
    app.clock.advance(3599)
    assert.equal(await info(one), 200)
    app.clock.advance(1)
    assert.equal(await info(one), 401)
    const refresh = async ({ refreshToken }: Tokens) =>
      (await app.call('POST', '/account/refresh', { json: { refreshToken } })).status
    app.clock.advance(14 * 86_400 - 3601)
    assert.equal(await refresh(one), 200)
    app.clock.advance(1)
    assert.equal(await refresh(other), 401)
  }))

test('by default a mailed link is our own, under publicUrl, and good for a day', () =>
  withMailApp({}, async (app) => {
    const letter = await app.mailOf(() => app.register())
    assert.equal(new URL(letter.content).pathname, '/account/confirmEmail')
    app.clock.advance(86_399)
    assert.equal((await app.call('GET', letter.path)).status, 200)
    app.clock.advance(1)
    assert.equal((await app.call('GET', letter.path)).status, 401)
    assert.equal(letter.code.length, 100)
  }))
