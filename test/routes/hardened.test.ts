// Preset 'hardened': passwords that are long instead of mixed, and answers that do not tell who has an account.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Answer, expectEmpty, expectProblem } from '../support/app.js'
import { type MailApp, startMailApp } from '../support/mailbox.js'

const identity = { preset: 'hardened' } as const
const password = 'correct horse battery'

let server: MailApp

before(async () => { server = await startMailApp({ identity }) })
after(() => server.close())

const register = (email: string, given = password, app: MailApp = server): Promise<Answer> =>
  app.call('POST', '/account/register', { json: { email, password: given } })

function validation(errors: string): string {
  return `{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.1","title":"One or more validation errors occurred.","status":400,"errors":{${errors}}}`
}

test('a password of 15 code points is enough, whatever they are, and one of 14 is not', async () => {
  const tooShort = validation('"PasswordTooShort":["Passwords must be at least 15 characters."]')
  const letters = ['a', 'я', '😀', 'b ']
  for (const [index, letter] of letters.entries()) {
    const points = Array.from(letter.repeat(15))
    expectProblem(await register(`short-${index}@example.com`, points.slice(0, 14).join('')), 400, tooShort)
    expectEmpty(await register(`long-${index}@example.com`, points.slice(0, 15).join('')), 200)
  }
})

test('mixed characters make up for no length', async () => {
  assert.equal((await register('mixed@example.com', 'Correct-Hors-7')).status, 400)
})
