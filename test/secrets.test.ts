// Secrets that must never leak: they are planted through every endpoint, right and wrong, with the database whole and
// broken, and searched for in every line of the log from level trace on and in every answer (security OP-01, HT-04).
import assert from 'node:assert/strict'
import Fastify, { type FastifyInstance } from 'fastify'
import { inspect } from 'node:util'
import { test } from 'node:test'
import { findRealm } from '../src/http/realm.js'
import identity, { requireAuthorization } from '../src/index.js'
import { type Answer, type AppOptions, pairOf, type TestApp, type Tokens } from './support/app.js'
import { authenticatorOf, wrongCode } from './support/authenticator.js'
import { type MailApp, withMailApp } from './support/mailbox.js'
import { databaseUrl, uniqueSchema } from './support/postgres.js'

const planted = {
  rootSecret: 'planted-root-secret-Ohf6Ahng8Ooxeiquahph',
  olderSecret: 'planted-older-secret-Ieph2eeRai3aiShohB5',
  password: 'Planted-Password-Xoo7',
  wrongPassword: 'Planted-Wrong-Aej4',
  newPassword: 'Planted-New-Ied3',
  typedAsName: 'planted-typed-as-name@Ue8.example',
  typedAsCode: 'planted-typed-code-Eec5',
  bearer: 'planted-bearer-Koo9-nonsense',
  cookie: 'planted-cookie-Mi2o-nonsense',
} as const

const options: AppOptions = {
  identity: { secret: [planted.rootSecret, planted.olderSecret], lockout: { maxFailedAccessAttempts: 100 } },
  after: (app) => {
    app.route({
      method: ['GET', 'POST'],
      url: '/me',
      onRequest: requireAuthorization(),
      handler: (request) => ({ name: request.identity!.userName }),
    })
    app.get('/who', (request) => ({ name: request.identity?.userName ?? null }))
  },
}

const email = 'ann@example.com'
const valueOf = (cookie: string) => cookie.slice(cookie.indexOf('=') + 1)

/** Calls whose answers are kept. */
function keeping(app: TestApp, answers: Answer[]) {
  const step = async (...request: Parameters<TestApp['call']>) => {
    const answer = await app.call(...request)
    answers.push(answer)
    return answer
  }
  return {
    step,
    post: (path: string, json: unknown, more: object = {}) => step('POST', `/account${path}`, { json, ...more }),
  }
}

/** Calls every endpoint, and returns all secrets in the answers: tokens, cookies, codes, keys. */
async function walk(app: MailApp, answers: Answer[]): Promise<string[]> {
  const { step, post } = keeping(app, answers)
  const { password, wrongPassword, newPassword, typedAsName, typedAsCode, bearer } = planted
  const learned: string[] = []

  await post('/register', { email, password: 'x' })
  const confirmation = (await app.mailOf(() => post('/register', { email, password }))).code
  await post('/register', { email, password })
  await post('/register', { email: typedAsName.replace('@', ''), password: wrongPassword, note: typedAsCode })
  await post('/login', { email, password: wrongPassword })
  await post('/login', { email: typedAsName, password })
  await post('/login', { email: password, password: wrongPassword })
  await post('/login?useCookies=1', { email, password })
  await step('POST', '/account/login', {
    payload: `{"email":"${email}","password":"${password}`,
    headers: { 'content-type': 'application/json' },
  })
  await step('POST', '/account/login', {
    payload: `password=${password}`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  })
  const user = await app.app.identity.users.findByName(email)
  await step('GET', `/account/confirmEmail?userId=${user!.id}&code=${typedAsCode}`)
  await step('POST', `/account/confirmEmail?userId=${user!.id}&code=${confirmation}`)
  await step('GET', `/account/confirmEmail?code=${confirmation}`)
  await step('GET', `/account/confirmEmail?userId=${user!.id}&code=${confirmation}`)
  learned.push(confirmation)

  const first = (await post('/login', { email, password })).json() as Tokens
  const second = (await post('/refresh', { refreshToken: first.refreshToken })).json() as Tokens
  learned.push(first.accessToken, first.refreshToken, second.accessToken, second.refreshToken)
  for (const refreshToken of [bearer, first.accessToken, null]) await post('/refresh', { refreshToken })
  const cookie = pairOf((await post('/login?useCookies=true', { email, password })).setCookies[0]!)
  learned.push(valueOf(cookie))
  for (const path of ['/me', '/who', '/account/manage/info']) {
    await step('GET', path, { token: first.accessToken })
    await step('GET', path, { cookie })
    await step('GET', path, { token: bearer })
    await step('GET', path, { cookie: `${cookie.slice(0, cookie.indexOf('='))}=${planted.cookie}` })
  }
  await step('POST', '/me', { cookie, headers: { origin: 'https://evil.example' } })
  await step('GET', '/account/manage/sessions', { cookie })

  const { sharedKey } = (await post('/manage/2fa', {}, { cookie })).json() as { sharedKey: string }
  const phone = authenticatorOf(sharedKey, app.clock)
  await post('/manage/2fa', { enable: true, twoFactorCode: typedAsCode }, { cookie })
  const enabled = await post('/manage/2fa', { enable: true, twoFactorCode: phone.code() }, { cookie })
  const { recoveryCodes } = enabled.json() as { recoveryCodes: string[] }
  learned.push(sharedKey, ...recoveryCodes)
  await post('/login', { email, password })
  await post('/login', { email, password, twoFactorCode: typedAsCode })
  await post('/login', { email, password, twoFactorCode: wrongCode(phone) })
  await post('/login', { email, password, twoFactorRecoveryCode: recoveryCodes[0] })
  await post('/login', { email, password, twoFactorRecoveryCode: recoveryCodes[0] })
  app.clock.advance(60)
  const machine = await post('/login?useCookies=true', { email, password, twoFactorCode: phone.code() })
  assert.equal(machine.setCookies.length, 2, machine.body)
  learned.push(...machine.setCookies.map((text) => valueOf(pairOf(text))))

  await post('/manage/info', { newPassword, oldPassword: wrongPassword }, { cookie: pairOf(machine.setCookies[0]!) })
  const { content: reset } = await app.mailOf(() => post('/forgotPassword', { email }))
  await post('/resetPassword', { email, resetCode: typedAsCode, newPassword })
  await post('/resetPassword', { email, resetCode: reset, newPassword: 'weak' })
  await post('/resetPassword', { email, resetCode: reset, newPassword })
  await post('/resetPassword', { email, resetCode: reset, newPassword })
  await post('/resendConfirmationEmail', { email: typedAsName })
  await post('/refresh', { refreshToken: second.refreshToken })
  learned.push(reset)
  return learned
}

// Members that no answer may have, and words that only the inside knows.
const inner = /password_?hash|security_?stamp|concurrency_?stamp|normalized|"stamp"|"hash"|"secret"/i
const revealing =
  /\bselect\b|\binsert\b|\bupdate\b .* set|relation "|column "|constraint|\bat .*\.(js|ts):\d|node_modules|\/src\/|\/dist\/|kysely|sqlstate|42P01|postgres/i

function expectClean(app: TestApp, answers: readonly Answer[], secrets: readonly string[]): void {
  for (const secret of secrets)
    assert.deepEqual(
      app.logLines.filter((line) => line.includes(secret)),
      [],
      `the log holds ${secret}`,
    )
  for (const { body, headers } of answers) {
    const said = body + JSON.stringify(headers)
    assert.doesNotMatch(said, inner)
    assert.doesNotMatch(said, revealing)
    // What somebody typed as an address comes back in the words that refuse it, as in the reference.
    for (const secret of Object.values(planted)) assert.ok(!said.includes(secret), `an answer holds ${secret}: ${said}`)
  }
}

test('no secret reaches the log, nor an answer that is not its own', () =>
  withMailApp(options, async (app) => {
    const answers: Answer[] = []
    const learned = await walk(app, answers)
    assert.deepEqual(
      answers.filter(({ status }) => status >= 500),
      [],
    )
    assert.ok(learned.length > 18 && learned.every((secret) => secret.length > 8), learned.join())
    expectClean(app, answers, [...Object.values(planted), ...learned])
    assert.ok(
      app.logLines.some((line) => line.includes('"level":30') && line.includes('/account/confirmEmail')),
      'the log is not just empty',
    )
  }))

test('neither do they where the tables are gone and every endpoint answers 503', () =>
  withMailApp(options, async (app) => {
    const answers: Answer[] = []
    const learned = await walk(app, answers)
    const person = { email, password: planted.newPassword }
    const other = await app.register({ email: 'bob@example.com', password: planted.password })
    const { accessToken, refreshToken } = await app.signIn(other)
    const { cookie } = await app.signInWithCookie(other)
    learned.push(accessToken, refreshToken, valueOf(cookie))
    await app.sql('alter table users rename to elsewhere')
    await app.sql('alter table sessions rename to gone')
    const failed: Answer[] = []
    const { step, post } = keeping(app, failed)
    await post('/register', { email: 'new@example.com', password: planted.password })
    await post('/login', person)
    await post('/login?useCookies=true', { ...person, email: planted.typedAsName })
    await post('/refresh', { refreshToken })
    await post('/forgotPassword', { email })
    await post('/resendConfirmationEmail', { email: planted.typedAsName })
    await post('/resetPassword', { email, resetCode: planted.typedAsCode, newPassword: planted.newPassword })
    await step('GET', `/account/confirmEmail?userId=00000000-0000-7000-8000-000000000000&code=${planted.typedAsCode}`)
    await post('/manage/2fa', {}, { token: accessToken })
    await post(
      '/manage/info',
      { newPassword: planted.newPassword, oldPassword: planted.password },
      { token: accessToken },
    )
    await step('GET', '/account/manage/info', { token: accessToken })
    await step('GET', '/account/manage/sessions', { token: accessToken })
    await step('DELETE', '/account/manage/sessions/00000000-0000-7000-8000-000000000000', { token: accessToken })
    await post('/logout', {}, { token: accessToken })
    app.clock.advance(1800)
    await step('GET', '/account/manage/info', { cookie })
    for (const { status, headers, body } of failed) {
      assert.equal(status, 503, body)
      assert.equal(headers['content-type'], 'application/problem+json')
      assert.match(
        body,
        /^\{"type":"https:\/\/tools\.ietf\.org\/html\/rfc9110#section-15\.6\.4","title":"Service Unavailable","status":503,"detail":"The database is not available"\}$/,
      )
    }
    assert.equal(
      app.logLines.filter((line) => line.includes('identity: not available')).length,
      failed.length,
      'each has a line in the log',
    )
    // On a host's route the host's own error handler speaks: what it gets must not hold a secret.
    answers.push(...failed)
    await app.call('GET', '/me', { cookie })
    expectClean(app, answers, [...Object.values(planted), ...learned])
  }))

test('the password of the database is in no error of a start that fails, and in no log', async (t) => {
  const lines: string[] = []
  const secret = 'planted-database-password-Che4'
  const real = new URL(await databaseUrl())
  const wrongPassword = new URL(real)
  wrongPassword.password = secret
  const urls = [
    `postgres://ann:${secret}@127.0.0.1:1/x`,
    `postgres://ann:${secret}@host.invalid/x`,
    `postgres://ann:${secret}@127.0.0.1:99999/x`,
    `postgres//ann:${secret}@127.0.0.1`,
    `${wrongPassword.href.replace('/postgres?', '/nothing?')}_nothing`,
    `ann:${secret}`,
    secret,
  ]
  for (const database of [...urls, { host: '127.0.0.1', port: 1, password: secret }]) {
    const app = Fastify({
      logger: {
        level: 'trace',
        stream: {
          write(line: string) {
            lines.push(line)
          },
        },
      },
    })
    t.after(() => app.close())
    const error = await app.register(identity, { database, schema: uniqueSchema() }).then(
      () => null,
      (thrown: unknown) => thrown,
    )
    assert.ok(error instanceof Error, JSON.stringify(database))
    assert.match((error as Error & { code: string }).code, /^FST_IDENTITY_/)
    app.log.error({ err: error }, 'a host logs why it does not start')
    assert.ok(!inspect(error, { depth: 10, showHidden: true }).includes(secret), inspect(error, { depth: 10 }))
  }
  assert.deepEqual(
    lines.filter((line) => line.includes(secret)),
    [],
  )
})

test('what the plugin hands to the host shows no secret when it is printed', () =>
  withMailApp(options, async (app) => {
    const { accessToken, refreshToken } = await app.signIn()
    assert.equal((await app.call('GET', '/me', { token: accessToken })).status, 200)
    const host: FastifyInstance = app.app
    const { keys } = findRealm(host, 'identity')!
    const seen = [host.identity, await host.identity.keys.list(), keys.sealing(), keys.vault()]
      .map((thing) => inspect(thing, { depth: 20 }) + JSON.stringify(thing))
      .join('\n')
    for (const secret of [planted.rootSecret, planted.olderSecret, accessToken, refreshToken])
      assert.ok(!seen.includes(secret))
    const roots = await app.sql('select root from keys')
    for (const { root } of roots)
      assert.ok(!seen.includes((root as Buffer).toString('hex')) && !seen.includes((root as Buffer).toString('base64')))
  }))
