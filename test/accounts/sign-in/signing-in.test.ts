// Hook signingIn and option signIn.isConfirmed: the host's own say in who is signed in.
import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import type { SigningIn, User } from '../../../src/index.js'
import { decodeBase32 } from '../../../src/two-factor/base32.js'
import { totpCode, totpStep } from '../../../src/two-factor/totp.js'
import { expectChallenge, type Tokens, withApp } from '../../support/app.js'
import { goodPassword, startHost } from '../../support/managers.js'

let answer: unknown
let asked: SigningIn[] = []
const hooks = {
  signingIn(attempt: SigningIn): Promise<string | undefined> {
    asked.push(attempt)
    if (answer instanceof Error) throw answer
    return Promise.resolve(answer as string | undefined) // a JavaScript host returns anything
  },
}
const host = await startHost({ hooks })
const { users, signIn, clock } = host
const notAllowed = { succeeded: false, reason: 'NotAllowed' }
beforeEach(() => {
  answer = undefined
  asked = []
})

async function newTwoFactorUser(): Promise<User> {
  const user = await host.newUser({}, goodPassword)
  await users.resetAuthenticatorKey(user)
  await users.setTwoFactorEnabled(user, true)
  return user
}

test('every way to sign in asks the hook, after all factors, and a refusal opens nothing and counts nothing', async () => {
  const user = await newTwoFactorUser()
  const plain = await host.newUser({}, goodPassword)
  await users.addLogin(plain, { loginProvider: 'github', providerKey: '1' })
  const code = async () => totpCode(decodeBase32((await users.getAuthenticatorKey(user)) ?? '')!, totpStep(clock()))
  const ways = async () => [
    await signIn.passwordSignIn(plain.userName, goodPassword, { client: 'Firefox', address: '192.0.2.7' }),
    await signIn.passwordSignIn(user.userName, goodPassword, { twoFactorCode: await code() }),
    await signIn.signIn(plain),
    await signIn.externalLoginSignIn('github', '1'),
  ]
  answer = 'the plan is suspended'
  assert.deepEqual(await ways(), [notAllowed, notAllowed, notAllowed, notAllowed])
  assert.deepEqual(
    asked.map(({ method, client, address }) => [method, client, address]),
    [
      ['password', 'Firefox', '192.0.2.7'],
      ['authenticator', null, null],
      ['host', null, null],
      ['external', null, null],
    ],
  )
  assert.deepEqual([await host.sessionCount(user), await host.sessionCount(plain)], [0, 0])
  assert.equal(await users.getAccessFailedCount(plain), 0)
  asked = []
  assert.equal((await signIn.passwordSignIn(plain.userName, 'wrong')).succeeded, false)
  assert.deepEqual(asked, [])
  answer = undefined
  clock.advance(30)
  assert.ok((await ways()).every(({ succeeded }) => succeeded))
})

test('what the hook returns or throws decides: undefined and true let in, an error that is not meant for clients is one', async () => {
  const user = await host.newUser({}, goodPassword)
  for (answer of ['no', '', false, 0, Object.assign(new Error('no'), { statusCode: 403 })])
    assert.deepEqual(await signIn.signIn(user), notAllowed, String(answer))
  for (answer of [undefined, null, true]) assert.ok((await signIn.signIn(user)).succeeded)
  for (answer of [new Error('the plans cannot be read'), Object.assign(new Error('down'), { statusCode: 503 })])
    await assert.rejects(signIn.signIn(user), answer as Error)
  assert.equal(await host.sessionCount(user), 3)
})

test('a refused login is 401 with NotAllowed, its reason is in the log alone, and a refused refresh can be repeated later', async () => {
  await withApp({ identity: { hooks, securityStamp: { validationSeconds: 60 } } }, async (app) => {
    const person = await app.register()
    const { refreshToken } = await app.signIn(person)
    const { cookie } = await app.signInWithCookie(person)
    answer = 'the plan is suspended'
    const login = await app.call('POST', '/account/login', { json: person })
    assert.deepEqual([login.status, (login.json() as { detail: string }).detail], [401, 'NotAllowed'])
    assert.ok(!login.body.includes('plan'))
    assert.equal(app.logLines.filter((line) => line.includes('the plan is suspended')).length, 1)
    assert.ok(!app.logLines.some((line) => line.includes(person.password)))
    const refresh = () => app.call('POST', '/account/refresh', { json: { refreshToken } })
    expectChallenge(await refresh())
    app.clock.advance(120)
    expectChallenge(await refresh())
    assert.equal((await app.call('GET', '/account/manage/info', { cookie })).status, 401)
    assert.deepEqual(asked.map(({ method, client }) => [method, client]).slice(2), [
      ['password', 'lightMyRequest'],
      ['refresh', 'lightMyRequest'],
      ['refresh', 'lightMyRequest'],
      ['validation', 'lightMyRequest'],
    ])
    answer = undefined
    const renewed = await refresh()
    assert.equal(renewed.status, 200)
    assert.equal((renewed.json() as Tokens).tokenType, 'Bearer')
    // The cookie was cleared, and its session has ended.
    assert.equal((await app.call('GET', '/account/manage/info', { cookie })).status, 401)
  })
})

test('isConfirmed decides what a confirmed account is, and nothing but true confirms', async () => {
  let confirms: unknown = true
  const own = await startHost({
    signIn: { requireConfirmedAccount: true, isConfirmed: () => confirms as boolean },
  })
  const user = await own.newUser({ emailConfirmed: false }, goodPassword)
  assert.ok((await own.signIn.passwordSignIn(user.userName, goodPassword)).succeeded)
  assert.equal(own.signIn.canSignIn(user), true)
  user.emailConfirmed = true
  for (confirms of [false, undefined, 1, 'yes', Promise.resolve(true)]) {
    assert.equal(own.signIn.canSignIn(user), false)
    assert.deepEqual(await own.signIn.passwordSignIn(user.userName, goodPassword), notAllowed)
    assert.equal((await own.signIn.passwordSignIn(user.userName, 'wrong')).succeeded, false)
    await own.users.resetAccessFailedCount(user)
  }
  const unasked = await startHost({ signIn: { isConfirmed: () => false } })
  assert.equal(unasked.signIn.canSignIn(user), true)
})
