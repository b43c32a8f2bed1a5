// The client against a running application, over sockets: what it keeps, when it renews, and where it sends tokens.
import { Type } from '@sinclair/typebox'
import assert from 'node:assert/strict'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test, type TestContext } from 'node:test'
import {
  type ClientOptions,
  createIdentityClient,
  type IdentityClient,
  IdentityClientError,
  type Tokens,
  type TokenStorage,
} from '../../src/client/index.js'
import { requireAuthorization } from '../../src/index.js'
import { goodPassword as password, startApp, type TestApp } from '../support/app.js'
import { authenticatorOf } from '../support/authenticator.js'

interface Fields {
  readonly nickname: string
}

let server: TestApp
let origin: string
/** While true the server cannot serve anybody under /account. */
let isBusy = false

before(async () => {
  server = await startApp({
    identity: { profile: Type.Object({ nickname: Type.String() }) },
    before: (app) =>
      app.addHook('onRequest', (request, _reply, done) => {
        done(
          isBusy && request.url.startsWith('/account')
            ? Object.assign(new Error('Too many people'), { statusCode: 503 })
            : undefined,
        )
      }),
    after: (app) => {
      app.get('/hello', { onRequest: requireAuthorization() }, (request) => request.identity?.userName)
      app.post('/echo', { onRequest: requireAuthorization() }, (request) => request.body)
      app.get('/away', (request, reply) => reply.redirect((request.query as { to: string }).to))
    },
  })
  origin = await server.listen()
})
after(() => server.close())

interface Asked {
  readonly path: string
  readonly authorization: string | null
  readonly credentials: string
}

/** A fetch that notes what goes out, and may be given something to do to an answer. */
function watched(change: (path: string, answer: Response) => Response = (_path, answer) => answer) {
  const asked: Asked[] = []
  const send: typeof fetch = async (input, init) => {
    const request = new Request(input, init)
    const path = new URL(request.url).pathname
    asked.push({ path, authorization: request.headers.get('authorization'), credentials: request.credentials })
    return change(path, await fetch(request))
  }
  return { asked, send, count: (path: string) => asked.filter((one) => one.path === path).length }
}

let people = 0

/** A client of somebody new, who is signed in. */
async function newcomer(
  options: Partial<ClientOptions> = {},
): Promise<{ client: IdentityClient<Fields>; email: string }> {
  const client = createIdentityClient<Fields>({ baseUrl: `${origin}/account`, ...options })
  const email = `person-${people++}@example.com`
  await client.register({ email, password, nickname: 'Ann' })
  assert.deepEqual(await client.login({ email, password }), { succeeded: true })
  return { client, email }
}

function inMap(): TokenStorage & { held: Tokens | null } {
  return {
    held: null,
    get() {
      return this.held
    },
    set(tokens) {
      this.held = tokens
    },
  }
}

test('a signed-in user reaches guarded routes, and reads and changes their own account', async () => {
  const { client, email } = await newcomer()
  assert.equal(await (await client.fetch('/hello')).text(), email)
  assert.equal(await (await client.fetch(new URL('/hello', origin))).text(), email)
  assert.deepEqual(await client.info(), { email, isEmailConfirmed: false, nickname: 'Ann' })
  assert.equal((await client.changeInfo({ nickname: 'Annie' })).nickname, 'Annie')
  const [session, ...more] = await client.sessions()
  assert.deepEqual([session?.current, more], [true, []])
  assert.equal(await client.endSession('00000000-0000-7000-8000-000000000000'), false)
  assert.equal(await client.endSession(session!.id), true)
})

test('a refusal is an error with status, codes and messages', async () => {
  const { client, email } = await newcomer()
  await assert.rejects(client.register({ email, password: 'short', nickname: 'Ann' }), (error) => {
    assert.ok(error instanceof IdentityClientError)
    assert.equal(error.status, 400)
    assert.deepEqual(error.codes, [
      'PasswordTooShort',
      'PasswordRequiresNonAlphanumeric',
      'PasswordRequiresDigit',
      'PasswordRequiresUpper',
    ])
    assert.deepEqual(error.errors.PasswordTooShort, ['Passwords must be at least 6 characters.'])
    return true
  })
  await assert.rejects(client.confirmEmail({ userId: 'nobody', code: 'none' }), {
    name: 'IdentityClientError',
    status: 401,
    codes: [],
  })
  assert.equal(await client.isSignedIn(), true)
  await assert.rejects(client.resetPassword({ email, resetCode: 'none', newPassword: password }), {
    status: 400,
    codes: ['InvalidToken'],
  })
  await client.forgotPassword(email)
  await client.resendConfirmationEmail(email)
})

test('a server that is not available says how long to wait', async () => {
  const { client } = await newcomer()
  isBusy = true
  try {
    await assert.rejects(client.info(), { status: 503, retryAfterSeconds: 2, detail: 'Too many people' })
  } finally {
    isBusy = false
  }
  assert.equal(await client.isSignedIn(), true)
})

test('a failed login says why, and keeps nothing', async () => {
  const { client, email } = await newcomer()
  const other = createIdentityClient({ baseUrl: `${origin}/account/` })
  assert.deepEqual(await other.login({ email, password: 'Wrong-Horse-7' }), {
    succeeded: false,
    reason: 'Failed',
    requiresTwoFactor: false,
  })
  assert.equal(await other.isSignedIn(), false)
  assert.equal((await other.fetch('/hello')).status, 401)
  assert.equal(await client.isSignedIn(), true)
})

test('a 401 of another server, such as a proxy, is an error and no failed login', async () => {
  const client = createIdentityClient({
    baseUrl: `${origin}/account`,
    fetch: () => Promise.resolve(new Response('who are you?', { status: 401 })),
  })
  await assert.rejects(client.login({ email: 'ann@example.com', password }), {
    name: 'IdentityClientError',
    status: 401,
    detail: null,
  })
})

test('outside of a browser the URL must be absolute', () => {
  assert.throws(() => createIdentityClient({ baseUrl: '/account' }), TypeError)
})

test('a user with a second factor is asked for it', async () => {
  const { client, email } = await newcomer()
  const { sharedKey } = await client.twoFactor()
  const phone = authenticatorOf(sharedKey, server.clock)
  const { recoveryCodes } = await client.twoFactor({ enable: true, twoFactorCode: phone.code() })
  server.clock.advance(30)
  const other = createIdentityClient<Fields>({ baseUrl: `${origin}/account` })
  assert.deepEqual(await other.login({ email, password }), {
    succeeded: false,
    reason: 'RequiresTwoFactor',
    requiresTwoFactor: true,
  })
  assert.deepEqual(await other.login({ email, password, twoFactorCode: phone.code() }), { succeeded: true })
  assert.deepEqual(await other.login({ email, password, twoFactorRecoveryCode: recoveryCodes![0]! }), {
    succeeded: true,
  })
})

test('ten requests with an expired token cause one refresh, and all are answered', async () => {
  const { send, count } = watched()
  const { client, email } = await newcomer({ fetch: send })
  server.clock.advance(3601)
  const answers = await Promise.all(Array.from({ length: 10 }, () => client.fetch('/hello')))
  assert.deepEqual(await Promise.all(answers.map((answer) => answer.text())), Array(10).fill(email))
  assert.equal(count('/account/refresh'), 1)
})

test('a token that is about to expire is renewed before it is refused', async () => {
  const storage = inMap()
  const { asked, send } = watched()
  const { client } = await newcomer({ fetch: send, storage })
  storage.held = { ...storage.held!, renewAt: Date.now() }
  asked.length = 0
  await Promise.all([client.fetch('/hello'), client.info(), client.fetch('/hello')])
  assert.deepEqual(asked.map(({ path }) => path).sort(), [
    '/account/manage/info',
    '/account/refresh',
    '/hello',
    '/hello',
  ])
  assert.ok(storage.held.renewAt > Date.now() + 3_500_000)
})

test('the access token is returned for connections without headers, renewed when it is due', async () => {
  const storage = inMap()
  const { client, email } = await newcomer({ storage })
  storage.held = { ...storage.held!, renewAt: Date.now() }
  const before = storage.held.accessToken
  const token = (await client.accessToken())!
  assert.notEqual(token, before)
  assert.equal((await server.call('GET', '/hello', { token })).body, email)
  assert.equal(await createIdentityClient({ baseUrl: origin }).accessToken(), null)
})

test('while a token cannot be renewed, the old one is used as long as it is valid', async () => {
  const storage = inMap()
  const { client, email } = await newcomer({ storage })
  storage.held = { ...storage.held!, renewAt: Date.now() }
  isBusy = true
  try {
    assert.equal(await (await client.fetch('/hello')).text(), email)
  } finally {
    isBusy = false
  }
})

test('a request with a body is sent a second time in full', async () => {
  const { client } = await newcomer()
  server.clock.advance(3601)
  const answer = await client.fetch('/echo', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"a":[1,2,3]}',
  })
  assert.deepEqual(await answer.json(), { a: [1, 2, 3] })
})

test('a refresh whose answer is lost is repeated, and the session goes on', async () => {
  let lost = 0
  const { send, count } = watched((path, answer) => {
    if (path !== '/account/refresh' || lost++ > 0) return answer
    throw new TypeError('the network is gone')
  })
  const { client, email } = await newcomer({ fetch: send })
  assert.equal(await client.refresh(), true)
  assert.equal(count('/account/refresh'), 2)
  assert.equal(await client.refresh(), true)
  assert.equal(await (await client.fetch('/hello')).text(), email)
})

test('logging out ends the session and forgets the tokens', async () => {
  const storage = inMap()
  const { client } = await newcomer({ storage })
  const { accessToken } = storage.held!
  await client.logout('others')
  assert.equal(await client.isSignedIn(), true)
  await client.logout()
  assert.equal(storage.held, null)
  assert.equal((await client.fetch('/hello')).status, 401)
  assert.equal((await server.call('GET', '/hello', { token: accessToken })).status, 401)
  await client.logout()
})

test('logging out forgets the tokens even when the server cannot be reached', async () => {
  let isGone = false
  const { send } = watched((_path, answer) => {
    if (isGone) throw new TypeError('the network is gone')
    return answer
  })
  const { client } = await newcomer({ fetch: send })
  isGone = true
  await assert.rejects(client.logout(), TypeError)
  assert.equal(await client.isSignedIn(), false)
})

test('a session that was ended elsewhere ends here with the next request', async () => {
  const { client, email } = await newcomer()
  const user = (await server.app.identity.users.findByName(email))!
  await server.app.identity.sessions.revokeAll(user.id)
  assert.equal((await client.fetch('/hello')).status, 401)
  assert.equal(await client.isSignedIn(), false)
  assert.equal(await client.refresh(), false)
  await assert.rejects(client.info(), { status: 401 })
})

test('two tabs of one storage keep one session, with and without Web Locks', async (t) => {
  for (const locks of [undefined, webLocks()]) {
    setNavigator(t, { locks })
    const storage = inMap()
    const { send, count } = watched()
    const { client, email } = await newcomer({ fetch: send, storage })
    const otherTab = createIdentityClient({ baseUrl: `${origin}/account`, fetch: send, storage })
    storage.held = { ...storage.held!, renewAt: 0 }
    const answers = await Promise.all([client.fetch('/hello'), otherTab.fetch('/hello'), client.fetch('/hello')])
    assert.deepEqual(await Promise.all(answers.map((answer) => answer.text())), [email, email, email])
    if (locks) assert.equal(count('/account/refresh'), 1)
    assert.equal(await otherTab.refresh(), true)
    assert.equal(await (await client.fetch('/hello')).text(), email)
  }
})

test('a user who logs in again in another tab stays signed in when this tab finds its session ended', async () => {
  const storage = inMap()
  const otherTab = inMap()
  const { send } = watched((path, answer) => {
    if (path === '/account/refresh') storage.held = otherTab.held
    return answer
  })
  const { client, email } = await newcomer({ fetch: send, storage })
  await server.app.identity.sessions.revokeAll((await server.app.identity.users.findByName(email))!.id)
  await createIdentityClient({ baseUrl: `${origin}/account`, storage: otherTab }).login({ email, password })
  assert.equal(await (await client.fetch('/hello')).text(), email)
})

test('tokens go to no other origin, neither at once nor by a redirect', async (t) => {
  const seen: IncomingHttpHeaders[] = []
  const stranger = createServer((request, response) => {
    seen.push(request.headers)
    response.end('hi')
  }).listen(0, '127.0.0.1')
  t.after(() => stranger.close())
  await new Promise((resolve) => stranger.once('listening', resolve))
  const away = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}/` // a TCP socket has a port
  const { client } = await newcomer()
  for (const url of [away, new Request(away), `/away?to=${encodeURIComponent(away)}`])
    assert.equal(await (await client.fetch(url)).text(), 'hi')
  assert.deepEqual(
    seen.map(({ authorization, cookie }) => [authorization, cookie]),
    Array(3).fill([undefined, undefined]),
  )
})

/** A fetch whose requests for `/refresh` get no answer, with or without respect for the signal they carry. */
function silentRefresh(respectsSignal: boolean) {
  let answerLate: () => void = () => undefined
  const send: typeof fetch = async (input, init) => {
    const request = new Request(input, init)
    if (!request.url.endsWith('/refresh')) return fetch(request)
    await new Promise<void>((resolve, reject) => {
      answerLate = resolve
      if (respectsSignal) request.signal.addEventListener('abort', () => reject(request.signal.reason as Error))
    })
    return fetch(new Request(request, { signal: null }))
  }
  return { send, answerLate: () => answerLate() }
}

test('a refresh that gets no answer fails every call that waits for it in time, and a logout forgets the tokens', async () => {
  for (const respectsSignal of [true, false]) {
    const storage = inMap()
    const { send } = silentRefresh(respectsSignal)
    const { client, email } = await newcomer({ storage, fetch: send, refreshTimeoutMilliseconds: 200 })
    const { id } = (await server.app.identity.users.findByName(email))!
    // The access token is refused, and every call asks for a new one.
    storage.held = { ...storage.held!, accessToken: 'expired', renewAt: 0 }
    const timedOut = { name: 'TimeoutError' }
    await Promise.all([
      assert.rejects(client.fetch('/hello'), timedOut),
      assert.rejects(client.fetch('/hello'), timedOut),
      assert.rejects(client.refresh(), timedOut),
    ])
    assert.notEqual(storage.held, null)
    await assert.rejects(client.logout(), timedOut)
    assert.equal(storage.held, null)
    assert.equal((await server.app.identity.sessions.list(id)).length, 1)
  }
})

test('an answer that comes after a logout gave up waiting for it signs nobody in again', async () => {
  const storage = inMap()
  const { send, answerLate } = silentRefresh(false)
  const { client } = await newcomer({ storage, fetch: send, refreshTimeoutMilliseconds: 100 })
  await assert.rejects(client.refresh(), { name: 'TimeoutError' })
  await client.logout()
  answerLate()
  // The late answer is handled before the next call may start.
  assert.equal(await client.refresh(), false)
  assert.equal(storage.held, null)
})

test('no endpoint follows a redirect, which would take a password or a refresh token elsewhere', async (t) => {
  const seen: string[] = []
  const stranger = createServer((request, response) => {
    seen.push(request.url ?? '')
    response.end('{}')
  }).listen(0, '127.0.0.1')
  t.after(() => stranger.close())
  await new Promise((resolve) => stranger.once('listening', resolve))
  const away = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}` // a TCP socket has a port
  const mover = createServer((request, response) => {
    response.writeHead(307, { location: `${away}${request.url ?? ''}` }).end()
  }).listen(0, '127.0.0.1')
  t.after(() => mover.close())
  await new Promise((resolve) => mover.once('listening', resolve))
  const storage = inMap()
  storage.held = { accessToken: 'a', refreshToken: 'r', renewAt: Infinity }
  const client = createIdentityClient({
    baseUrl: `http://127.0.0.1:${(mover.address() as AddressInfo).port}/account`,
    storage,
  })
  const email = 'ann@example.com'
  const calls: readonly (() => Promise<unknown>)[] = [
    () => client.register({ email, password }),
    () => client.login({ email, password }),
    () => client.refresh(),
    () => client.changeInfo({ oldPassword: password, newPassword: password }),
    () => client.info(),
    () => client.twoFactor(),
    () => client.endSession('1'),
    () => client.confirmEmail({ userId: '1', code: '1' }),
    () => client.resetPassword({ email, resetCode: '1', newPassword: password }),
    () => client.logout(),
  ]
  for (const call of calls) await assert.rejects(call(), TypeError)
  assert.deepEqual(seen, [])
})

test('in cookie mode the browser keeps the cookie, and the client nothing', async () => {
  const storage = inMap()
  const { asked, send } = watched()
  let cookie: string | null = null
  // What a browser does with `credentials: 'include'`.
  const browser: typeof fetch = async (input, init) => {
    const request = new Request(input, init)
    if (request.credentials === 'include' && cookie !== null) request.headers.set('cookie', cookie)
    const answer = await send(request)
    for (const line of answer.headers.getSetCookie())
      cookie = line.includes('Max-Age=0') ? null : line.slice(0, line.indexOf(';'))
    return answer
  }
  const { client, email } = await newcomer({ fetch: browser, storage, cookies: true })
  assert.equal(await (await client.fetch('/hello')).text(), email)
  assert.equal((await client.info()).email, email)
  await client.logout()
  assert.equal(cookie, null)
  await assert.rejects(client.info(), { status: 401 })
  assert.deepEqual(await client.login({ email, password }, { isPersistent: false }), { succeeded: true })
  assert.equal((await client.info()).email, email)
  assert.equal(storage.held, null)
  assert.deepEqual(
    asked.filter(
      ({ path, credentials, authorization }) =>
        authorization !== null || (path !== '/account/register' && credentials !== 'include'),
    ),
    [],
  )
})

function setNavigator(t: TestContext, value: object): void {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator')
  Object.defineProperty(globalThis, 'navigator', { value, configurable: true })
  t.after(() => {
    if (before) Object.defineProperty(globalThis, 'navigator', before)
    else Reflect.deleteProperty(globalThis, 'navigator')
  })
}

/** Exclusive locks by name, as browsers have them. */
function webLocks() {
  const last = new Map<string, Promise<unknown>>()
  return {
    request<T>(name: string, work: () => Promise<T>): Promise<T> {
      const next = (last.get(name) ?? Promise.resolve()).then(work)
      last.set(
        name,
        next.catch(() => undefined),
      )
      return next
    },
  }
}
