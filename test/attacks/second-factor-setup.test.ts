// The code that switches the second factor on is used up by that, and guesses at it are counted with all others.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { authenticatorOf, wrongCode } from '../support/authenticator.js'
import { report } from '../support/experiment.js'

async function settingUp(app: TestApp) {
  const person = await app.signIn()
  const post = (json: object) => app.call('POST', '/account/manage/2fa', { json, token: person.accessToken })
  const { sharedKey } = (await post({})).json() as { sharedKey: string }
  return { person, post, phone: authenticatorOf(sharedKey, app.clock) }
}

const login = (app: TestApp, { email, password }: { email: string; password: string }, more: object = {}) =>
  app.call('POST', '/account/login', { json: { email, password, ...more } })
const detailOf = (answer: { json(): unknown }) => (answer.json() as { detail: string }).detail

test('the code that switched the second factor on opens no login, the next one does', async (t) => {
  const app = await startApp()
  t.after(() => app.close())
  const { person, post, phone } = await settingUp(app)
  const twoFactorCode = phone.code()
  assert.equal((await post({ enable: true, twoFactorCode })).status, 200)
  const replayed = await login(app, person, { twoFactorCode })
  assert.deepEqual([replayed.status, detailOf(replayed)], [401, 'Failed'])
  app.clock.advance(30)
  assert.equal((await login(app, person, { twoFactorCode: phone.code() })).status, 200)
})

test('of parallel requests with one code one switches the second factor on', async (t) => {
  const app = await startApp()
  t.after(() => app.close())
  const { post, phone } = await settingUp(app)
  const twoFactorCode = phone.code()
  const answers = await Promise.all(Array.from({ length: 4 }, () => post({ enable: true, twoFactorCode })))
  assert.equal(answers.filter(({ status }) => status === 200).length, 1)
})

test('five wrong codes at POST /manage/2fa lock the name, and then no code is right', async (t) => {
  const app = await startApp()
  t.after(() => app.close())
  const { person, post, phone } = await settingUp(app)
  const guess = { enable: true, twoFactorCode: wrongCode(phone) }
  for (let attempt = 0; attempt < 5; attempt++) assert.equal((await post(guess)).status, 400)
  const locked = await login(app, person)
  assert.deepEqual([locked.status, detailOf(locked)], [401, 'LockedOut'])
  const right = await post({ enable: true, twoFactorCode: phone.code() })
  assert.equal(right.status, 400)
  assert.match(right.body, /InvalidTwoFactorCode/)
  report(t, { 'wrong codes until the name is locked': 5 })
})
