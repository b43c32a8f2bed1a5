// Why each refused request was refused, as the log says at level debug, and as the client may know.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { request as openRequest } from 'node:http'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Refusal, refusals } from '../../src/http/refusals.js'
import { requireAuthorization } from '../../src/index.js'
import { type Answer, headersOf, startApp, type TestApp } from '../support/app.js'

let server: TestApp
let tokens: Awaited<ReturnType<TestApp['signIn']>>

const options = {
  production: false,
  identity: {
    authorization: { policies: { never: () => false, later: () => Promise.resolve(false) } },
    bearer: { accessTokenSeconds: 3600 },
  },
  after: (app: TestApp['app']) => {
    const guards = {
      me: {},
      clerks: { roles: ['clerk'] },
      desk: { claims: { desk: '7' } },
      strong: { amr: ['mfa'] },
      fresh: { maxAgeSeconds: 0 },
      never: { policy: 'never' },
      later: { policy: 'later' },
    }
    for (const [name, rules] of Object.entries(guards))
      app.route({
        method: ['GET', 'POST'],
        url: `/${name}`,
        onRequest: requireAuthorization(rules),
        handler: () => name,
      })
    app.get('/hello', (request) => [request.identity?.userName, request.identity?.userName])
  },
}

before(async () => {
  server = await startApp(options)
  tokens = await server.signIn()
})
after(() => server.close())

interface Line {
  readonly level: number
  readonly msg: string
  readonly reqId: string
  readonly requestId: string
  readonly reason: Refusal
}

/** The lines about refusals that a request has written. */
async function linesOf(work: () => Promise<unknown>, app = server): Promise<(Line & Record<string, unknown>)[]> {
  const before = app.logLines.length
  await work()
  return app.logLines
    .slice(before)
    .map((line) => JSON.parse(line) as Line & Record<string, unknown>) // pino writes one object a line
    .filter(({ msg }) => msg.startsWith('identity: refused'))
}

async function expectReason(
  reason: Refusal,
  status: number,
  ask: () => Promise<Answer>,
  more: object = {},
): Promise<Answer> {
  let answer: Answer | undefined
  const [line, ...others] = await linesOf(async () => (answer = await ask()))
  assert.deepEqual(others, [], 'one line for a refusal')
  const { level, time, pid, hostname, reqId, msg } = line!
  const ours = { reason, requestId: reqId, msg: `identity: refused, ${refusals[reason]}` }
  assert.deepEqual(line, { level: 20, time, pid, hostname, reqId, ...ours, ...more })
  assert.ok(reqId !== '' && msg !== '' && level === 20)
  assert.equal(answer?.status, status, answer?.body)
  return answer
}

const challengeOf = (answer: Answer) => answer.headers['www-authenticate']
const get = (path: string, more = {}) => server.call('GET', path, more)
const me = (headers: Record<string, string>) => get('/me', { headers })
const bearer = (token: string) => me({ authorization: `Bearer ${token}` })

test('a request without credentials, or with those of another scheme, is challenged', async () => {
  assert.equal(challengeOf(await expectReason('credentialsMissing', 401, () => me({}))), 'Bearer')
  const basic = await expectReason('schemeOther', 401, () => me({ authorization: 'Basic YW5uOnB3' }))
  assert.equal(challengeOf(basic), 'Bearer')
})

test('a token that is not accepted is challenged with invalid_token, and only the log has the reason', async () => {
  const { accessToken, refreshToken } = tokens
  const altered = accessToken.slice(0, 60) + (accessToken[60] === 'A' ? 'B' : 'A') + accessToken.slice(61)
  const header = Buffer.from(accessToken.slice(0, 8), 'base64url')
  header.writeUInt32BE((header.readUInt32BE(2) ^ 0xffff) >>> 0, 2)
  const foreignKey = header.toString('base64url') + accessToken.slice(8)
  const ended = await server.signIn()
  await server.call('POST', '/account/logout', { token: ended.accessToken })
  const reasons: [Refusal, string][] = [
    ['tokenMalformed', 'nonsense'],
    ['tokenMalformed', 'x'.repeat(5000)],
    ['tokenPurpose', refreshToken],
    ['tokenAltered', altered],
    ['tokenKeyUnknown', foreignKey],
    ['sessionEnded', ended.accessToken],
  ]
  const answers = []
  for (const [reason, token] of reasons) answers.push(await expectReason(reason, 401, () => bearer(token)))
  const old = await server.signIn()
  server.clock.advance(3601)
  answers.push(await expectReason('tokenExpired', 401, () => bearer(old.accessToken)))
  const said = answers.map((answer) => JSON.stringify([answer.body, headersOf(answer)]))
  assert.equal(new Set(said).size, 1, 'all answers are the same')
  assert.equal(challengeOf(answers[0]!), 'Bearer error="invalid_token"')
  tokens = await server.signIn(old)
})

test('two Authorization headers are a token that is not accepted', async () => {
  const url = new URL(`${await server.listen()}/me`)
  const ask = () =>
    new Promise<Answer>((resolve, reject) => {
      const headers = { authorization: [`Bearer ${tokens.accessToken}`, 'Bearer nonsense'] }
      const sent = openRequest(url, { headers: headers as never }, (answer) => {
        answer.resume()
        resolve({ status: answer.statusCode!, headers: answer.headers, body: '', setCookies: [], json: () => null })
      })
      sent.on('error', reject)
      sent.end()
    })
  const answer = await expectReason('authorizationTwice', 401, ask)
  assert.equal(challengeOf(answer), 'Bearer error="invalid_token"')
})

test('a cookie that is not accepted is challenged without an error', async () => {
  const cookie = await expectReason('tokenMalformed', 401, () => get('/me', { cookie: 'identity=nonsense' }))
  assert.equal(challengeOf(cookie), 'Bearer')
  const asCookie = await expectReason('tokenPurpose', 401, () =>
    get('/me', { cookie: `identity=${tokens.accessToken}` }),
  )
  assert.equal(challengeOf(asCookie), 'Bearer')
  const ended = await server.signInWithCookie()
  await server.call('POST', '/account/logout', { cookie: ended.cookie })
  await expectReason('sessionEnded', 401, () => get('/me', { cookie: ended.cookie }))
})

test('a refused refresh has its reason, with the challenge of the reference', async () => {
  const refresh = (refreshToken: unknown) => server.call('POST', '/account/refresh', { json: { refreshToken } })
  const reasons: [Refusal, unknown][] = [
    ['credentialsMissing', null],
    ['tokenMalformed', 'nonsense'],
    ['tokenPurpose', tokens.accessToken],
  ]
  for (const [reason, token] of reasons)
    assert.equal(challengeOf(await expectReason(reason, 401, () => refresh(token))), 'Bearer')
  const ended = await server.signIn()
  await server.call('POST', '/account/logout', { token: ended.accessToken })
  await expectReason('refreshRefused', 401, () => refresh(ended.refreshToken))
})

test('a caller who lacks something is forbidden, with what', async () => {
  const { accessToken: token } = tokens
  await expectReason('roleMissing', 403, () => get('/clerks', { token }))
  await expectReason('claimMissing', 403, () => get('/desk', { token }))
  await expectReason('methodMissing', 403, () => get('/strong', { token }))
  await expectReason('policyRefused', 403, () => get('/never', { token }))
  await expectReason('policyRefused', 403, () => get('/later', { token }))
  server.clock.advance(2)
  await expectReason('signInTooOld', 403, () => get('/fresh', { token }))
})

test('a foreign origin is forbidden, of a page and of a WebSocket', async () => {
  const { cookie, email, password } = await server.signInWithCookie()
  const foreign = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }
  await expectReason('originForeign', 403, () => server.call('POST', '/me', { cookie, headers: foreign }))
  await expectReason('originForeign', 403, () =>
    server.call('POST', '/account/login?useCookies=true', { json: { email, password }, headers: foreign }),
  )
  const socket = { ...foreign, upgrade: 'websocket', connection: 'upgrade' }
  await expectReason('socketOriginForeign', 403, () => get('/me', { cookie, headers: socket }))
})

test('a failed login has the reason that its answer has', async () => {
  const { email } = tokens
  const wrong = { json: { email, password: 'Wrong-Horse-7' } }
  await expectReason('signInFailed', 401, () => server.call('POST', '/account/login', wrong))
  await expectReason('signInFailed', 401, () =>
    server.call('POST', '/account/login', { json: { ...wrong.json, email: 'stranger@example.com' } }),
  )
})

test('a request that cannot be read has its reason, and names the member', async () => {
  const post = (payload: string, type = 'application/json') =>
    server.call('POST', '/account/register', { payload, headers: { 'content-type': type } })
  const detailOf = (answer: Answer) => {
    assert.equal(answer.headers['content-type'], 'application/problem+json')
    return (answer.json() as { detail: string }).detail
  }
  const missing = () => post('{"email":"ann@example.com"}')
  const answer = await expectReason('memberMissing', 400, missing, { member: 'password' })
  assert.equal(detailOf(answer), "The member 'password' is missing")
  const wrong = await expectReason('memberInvalid', 400, () => post('{"email":"ann@example.com","password":7}'), {
    member: 'password',
  })
  assert.match(detailOf(wrong), /^The member 'password' is wrong: Expected /)
  const half = await expectReason('memberInvalid', 400, () => post('{"email":"\\ud800","password":"x"}'), {
    member: 'email',
  })
  assert.equal(detailOf(half), "The member 'email' is wrong: Expected well-formed Unicode")
  assert.equal(
    detailOf(await expectReason('bodyMalformed', 400, () => post('{"email":'))),
    'The body is not well-formed JSON',
  )
  await expectReason('bodyNotObject', 400, () => post('[]'))
  await expectReason('bodyMissing', 400, () => post(''))
  await expectReason('bodyTooLarge', 413, () => post(`{"email":"${'x'.repeat(17_000)}"}`))
  const form = await expectReason('contentTypeOther', 415, () => post('a=b', 'application/x-www-form-urlencoded'))
  assert.match(detailOf(form), /content-type: application\/json/)
  await expectReason('charsetUnknown', 415, () => post('{}', 'application/json; charset=koi8-r'))
  const flag = await expectReason(
    'parameterInvalid',
    400,
    () => server.call('POST', '/account/login?useCookies=perhaps', { json: { email: 'a@b.c', password: 'x' } }),
    { member: 'useCookies' },
  )
  assert.equal(detailOf(flag), "The parameter 'useCookies' is wrong: Expected true or false")
  const query = await expectReason('parameterMissing', 400, () => get('/account/confirmEmail?userId=1'), {
    member: 'code',
  })
  assert.equal(detailOf(query), "The parameter 'code' is missing")
  await expectReason('validationFailed', 400, () => post('{"email":"no address","password":"short"}'), {
    codes: ['InvalidEmail'],
  })
  await expectReason('codeRefused', 401, () => get('/account/confirmEmail?userId=1&code=2'))
  await expectReason('methodNotAllowed', 405, () => get('/account/register'))
  await expectReason('pathUnknown', 404, () => get('/account/nothing'))
})

test('in production a request that cannot be read gets the status alone, and the log has the same reason', async (t) => {
  const app = await startApp()
  t.after(() => app.close())
  const ask = () => app.call('POST', '/account/register', { json: { email: 'ann@example.com' } })
  const lines = await linesOf(async () => {
    const answer = await ask()
    assert.deepEqual([answer.status, answer.body, answer.headers['content-type']], [400, '', undefined])
  }, app)
  assert.deepEqual(
    lines.map(({ reason, member }) => [reason, member]),
    [['memberMissing', 'password']],
  )
})

test('members are named as option jsonNaming says', async (t) => {
  const app = await startApp({ production: false, identity: { jsonNaming: 'snake_case' } })
  t.after(() => app.close())
  const answer = await app.call('POST', '/account/refresh', { json: {} })
  assert.match(answer.body, /"detail":"The member 'refresh_token' is missing"/)
})

test('request.identity that is null in spite of a credential has its reason once', async () => {
  const hello = (more: object) => linesOf(() => get('/hello', more))
  assert.deepEqual(await hello({}), [], 'a stranger is nothing to report')
  assert.deepEqual(await hello({ token: tokens.accessToken }), [])
  const reasons = async (more: object) => (await hello(more)).map(({ reason }) => reason)
  assert.deepEqual(await reasons({ token: 'nonsense' }), ['tokenMalformed'])
  const { cookie } = await server.signInWithCookie()
  server.clock.advance(1801)
  assert.deepEqual(await reasons({ cookie }), ['databaseNeeded'])
})

test('a logger that is off, or above debug, writes nothing and costs no reason', async (t) => {
  const app = await startApp({ identity: { logLevel: 'info' } })
  t.after(() => app.close())
  const lines = await linesOf(() => app.call('POST', '/account/refresh', { json: { refreshToken: 'nonsense' } }), app)
  assert.deepEqual(lines, [])
})

test('docs/troubleshooting.md has a row for each reason, with its words', async () => {
  const text = await readFile(join(import.meta.dirname, '../../../docs/troubleshooting.md'), 'utf8')
  const rows = [...text.matchAll(/^\| `(\w+)` \| ([^|]+) \|/gm)].map(([, reason, meaning]) => [reason, meaning])
  assert.deepEqual(rows, Object.entries(refusals))
})
