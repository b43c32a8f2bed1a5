// Option jsonNaming: how answers name their members. Requests are read in both forms in either mode.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { goodPassword } from '../support/app.js'
import { authenticatorOf } from '../support/authenticator.js'
import { withMailApp } from '../support/mailbox.js'

const camel = {
  tokens: ['tokenType', 'accessToken', 'expiresIn', 'refreshToken'],
  info: ['email', 'isEmailConfirmed'],
  twoFactor: ['sharedKey', 'recoveryCodesLeft', 'recoveryCodes', 'isTwoFactorEnabled', 'isMachineRemembered'],
}

const snake = {
  tokens: ['token_type', 'access_token', 'expires_in', 'refresh_token'],
  info: ['email', 'is_email_confirmed'],
  twoFactor: ['shared_key', 'recovery_codes_left', 'recovery_codes', 'is_two_factor_enabled', 'is_machine_remembered'],
}

const cases = [
  { jsonNaming: 'camelCase', names: camel },
  { jsonNaming: 'snake_case', names: snake },
] as const

for (const { jsonNaming, names } of cases) {
  for (const spelled of ['camelCase', 'snake_case'] as const) {
    // Requests in one spelling, answers in the other or the same.
    const member = (name: string) =>
      spelled === 'camelCase' ? name : name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    const body = (members: Record<string, unknown>) =>
      Object.fromEntries(Object.entries(members).map(([name, value]) => [member(name), value]))

    test(`with ${jsonNaming} every answer names its members so, and requests in ${spelled} are read`, () =>
      withMailApp({ identity: { jsonNaming } }, async (app) => {
        const email = 'ann@example.com'
        const ask = async (path: string, members: Record<string, unknown>, token?: string) => {
          const answer = await app.call('POST', `/account${path}`, {
            json: body(members),
            ...(token === undefined ? {} : { token }),
          })
          assert.equal(answer.status, 200, `${path} ${answer.body}`)
          return answer.body === '' ? {} : (answer.json() as Record<string, unknown>)
        }
        const letter = await app.mailOf(() => ask('/register', { email, password: goodPassword }))
        assert.equal((await app.call('GET', letter.path)).status, 200)

        const tokens = await ask('/login', { email, password: goodPassword })
        assert.deepEqual(Object.keys(tokens), names.tokens)
        assert.deepEqual([tokens[names.tokens[0]!], tokens[names.tokens[2]!]], ['Bearer', 3600])
        const refreshed = await ask('/refresh', { refreshToken: tokens[names.tokens[3]!] })
        assert.deepEqual(Object.keys(refreshed), names.tokens)
        const token = String(refreshed[names.tokens[1]!])

        const info = (await app.call('GET', '/account/manage/info', { token })).json() as Record<string, unknown>
        assert.deepEqual(Object.entries(info), [
          [names.info[0], email],
          [names.info[1], true],
        ])
        const changed = await ask('/manage/info', { newPassword: 'Another-Horse-8', oldPassword: goodPassword }, token)
        assert.deepEqual(Object.entries(changed), [
          [names.info[0], email],
          [names.info[1], true],
        ])

        const twoFactor = await ask('/manage/2fa', { resetRecoveryCodes: true }, token)
        assert.deepEqual(Object.keys(twoFactor), names.twoFactor)
        const phone = authenticatorOf(String(twoFactor[names.twoFactor[0]!]), app.clock)
        const enabled = await ask('/manage/2fa', { enable: true, twoFactorCode: phone.code() }, token)
        assert.deepEqual(
          [enabled[names.twoFactor[1]!], enabled[names.twoFactor[2]!], enabled[names.twoFactor[3]!]],
          [10, null, true],
        )
        app.clock.advance(30)
        await ask('/login', { email, password: 'Another-Horse-8', twoFactorCode: phone.code() })
        await ask('/login', {
          email,
          password: 'Another-Horse-8',
          twoFactorRecoveryCode: (twoFactor[names.twoFactor[2]!] as string[])[0],
        })

        const { content } = await app.mailOf(() => ask('/forgotPassword', { email }))
        await ask('/resetPassword', { email, resetCode: content, newPassword: goodPassword })
      }))
  }

  test(`with ${jsonNaming} problems keep the names of RFC 9457, and error codes keep theirs`, () =>
    withMailApp({ identity: { jsonNaming } }, async (app) => {
      const refused = await app.call('POST', '/account/register', { json: { email: 'ann', password: 'x' } })
      assert.equal(
        refused.body,
        '{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.1","title":"One or more validation errors occurred.","status":400,"errors":{"InvalidEmail":["Email \'ann\' is invalid."]}}',
      )
      const failed = await app.call('POST', '/account/login', { json: { email: 'ann', password: 'x' } })
      assert.equal(
        failed.body,
        '{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.2","title":"Unauthorized","status":401,"detail":"Failed"}',
      )
    }))
}
