// A host's own login in two steps over HTTP: the half-way ticket in its cookie, and browsers that several people are remembered by.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { allowAnonymous, type User } from '../../src/index.js'
import { decodeBase32 } from '../../src/two-factor/base32.js'
import { totpCode, totpStep } from '../../src/two-factor/totp.js'
import { type Answer, type AppOptions, goodPassword, pairOf, type TestApp, withApp } from '../support/app.js'

type Body<Members extends string> = Record<Members, string>

function host(app: FastifyInstance): void {
  const { signIn, users } = app.identity
  const open = { onRequest: allowAnonymous() }
  app.post<{ Body: Body<'name' | 'password'> }>('/first', open, async (request, reply) => {
    const { name, password } = request.body
    const result = await signIn.passwordSignIn(name, password, {
      isRemembered: (user) => signIn.isTwoFactorClientRemembered(request, user),
    })
    if (result.succeeded) {
      signIn.setCookie(reply, result.signedIn)
      return { done: true }
    }
    if (result.reason !== 'RequiresTwoFactor') return reply.code(401).send({ reason: result.reason })
    if (request.headers['x-no-cookies'] === undefined) signIn.setTwoFactorCookie(reply, result.twoFactorTicket)
    return { done: false, ticket: result.twoFactorTicket }
  })
  app.post<{ Body: Body<'code'> & Partial<Body<'ticket' | 'remember' | 'tokens'>> }>(
    '/second',
    open,
    async (request, reply) => {
      const { code, remember, tokens } = request.body
      const ticket = request.body.ticket ?? signIn.readTwoFactorCookie(request) ?? ''
      const result = await signIn.twoFactorAuthenticatorSignIn(ticket, code)
      if (!result.succeeded) return reply.code(401).send({ reason: result.reason })
      if (remember !== undefined) signIn.rememberTwoFactorClient(reply, result.signedIn.user)
      if (tokens !== undefined) return signIn.sendTokens(reply, result.signedIn)
      signIn.setCookie(reply, result.signedIn)
      return { done: true }
    },
  )
  app.post<{ Body: Partial<Body<'name'>> }>('/forget', open, async (request, reply) => {
    const user = request.body.name === undefined ? null : await users.findByName(request.body.name)
    signIn.forgetTwoFactorClient(reply, user ?? undefined)
    return { done: true }
  })
  app.get<{ Params: Body<'name'> }>(
    '/known/:name',
    open,
    async (request: FastifyRequest<{ Params: Body<'name'> }>) => ({
      known: signIn.isTwoFactorClientRemembered(request, (await users.findByName(request.params.name))!),
    }),
  )
  app.get('/half', open, (request) => ({ ticket: signIn.readTwoFactorCookie(request) }))
}

const options: AppOptions = { after: host }

/** A browser: keeps cookies, and forgets those that are expired. */
class Jar {
  readonly cookies = new Map<string, string>()
  constructor(readonly app: TestApp) {}
  get header(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }
  async call(method: 'GET' | 'POST', url: string, json?: object): Promise<Answer> {
    const answer = await this.app.call(method, url, { json, ...(this.cookies.size > 0 && { cookie: this.header }) })
    for (const line of answer.setCookies) {
      const [name = '', value = ''] = pairOf(line).split(/=(.*)/s)
      if (value === '') this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    return answer
  }
}

async function newTwoFactorUser({ app }: TestApp, name: string): Promise<User> {
  const { users } = app.identity
  const created = await users.create({ userName: name, email: name }, goodPassword)
  assert.ok(created.succeeded)
  await users.resetAuthenticatorKey(created.user)
  await users.setTwoFactorEnabled(created.user, true)
  return created.user
}

async function codeOf({ app, clock }: TestApp, user: User): Promise<string> {
  return totpCode(decodeBase32((await app.identity.users.getAuthenticatorKey(user)) ?? '')!, totpStep(clock()))
}

/** Both steps. */
async function logIn(jar: Jar, user: User, more: object = {}): Promise<Answer> {
  const first = await jar.call('POST', '/first', { name: user.userName, password: goodPassword })
  assert.equal((first.json() as { done: boolean }).done, false)
  jar.app.clock.advance(30)
  return jar.call('POST', '/second', { code: await codeOf(jar.app, user), ...more })
}

test('the ticket travels in a cookie until the browser closes, which a login removes', async () => {
  await withApp(options, async (app) => {
    const user = await newTwoFactorUser(app, 'ada@example.com')
    const jar = new Jar(app)
    const first = await jar.call('POST', '/first', { name: user.userName, password: goodPassword })
    assert.equal(first.setCookies.length, 1)
    assert.match(first.setCookies[0]!, /^identity-two-factor=[\w-]+; Path=\/; HttpOnly; SameSite=Lax$/)
    assert.equal(first.headers['cache-control'], 'no-cache,no-store')
    const wrong = await jar.call('POST', '/second', { code: '000000' })
    assert.deepEqual([wrong.status, wrong.setCookies], [401, []])
    const second = await jar.call('POST', '/second', { code: await codeOf(app, user) })
    assert.equal(second.status, 200)
    assert.deepEqual([...jar.cookies.keys()], ['identity'])
    assert.equal((await jar.call('GET', '/account/manage/info')).status, 200)
    assert.deepEqual((await jar.call('GET', '/half')).json(), { ticket: null })
  })
})

test('sendTokens removes the cookie of the ticket too, and a client without cookies sends the ticket itself', async () => {
  await withApp(options, async (app) => {
    const user = await newTwoFactorUser(app, 'ada@example.com')
    const jar = new Jar(app)
    const { accessToken } = (await logIn(jar, user, { tokens: 'yes' })).json() as { accessToken: string }
    assert.deepEqual([...jar.cookies.keys()], [])
    assert.equal((await app.call('GET', '/account/manage/info', { token: accessToken })).status, 200)
    const first = await app.call('POST', '/first', {
      json: { name: user.userName, password: goodPassword },
      headers: { 'x-no-cookies': '1' },
    })
    app.clock.advance(30)
    const json = { code: await codeOf(app, user), ticket: (first.json() as { ticket: string }).ticket, tokens: 'yes' }
    assert.equal((await app.call('POST', '/second', { json })).status, 200)
    assert.equal((await app.call('POST', '/second', { json })).status, 401)
  })
})

test('several people are remembered by one browser, each until they or the browser are forgotten', async () => {
  await withApp(options, async (app) => {
    const [ada, bob, eve] = [
      await newTwoFactorUser(app, 'ada@example.com'),
      await newTwoFactorUser(app, 'bob@example.com'),
      await newTwoFactorUser(app, 'eve@example.com'),
    ]
    const jar = new Jar(app)
    const known = async () =>
      Promise.all(
        [ada, bob, eve].map(
          async ({ userName }) => ((await jar.call('GET', `/known/${userName}`)).json() as { known: boolean }).known,
        ),
      )
    await logIn(jar, ada, { remember: 'yes' })
    await logIn(jar, bob, { remember: 'yes' })
    assert.deepEqual(await known(), [true, true, false])
    const login = (user: User) =>
      app.call('POST', '/account/login', { json: { email: user.userName, password: goodPassword }, cookie: jar.header })
    assert.deepEqual([(await login(ada)).status, (await login(bob)).status, (await login(eve)).status], [200, 200, 401])
    await jar.call('POST', '/forget', { name: ada.userName })
    assert.deepEqual(await known(), [false, true, false])
    await jar.call('POST', '/forget', {})
    assert.deepEqual(await known(), [false, false, false])
    assert.equal(jar.cookies.has('identity-machine'), false)
  })
})

test('a browser remembers the ten latest people, in less than 2 kB', async () => {
  await withApp(options, async (app) => {
    const jar = new Jar(app)
    const people: User[] = []
    for (let index = 0; index < 12; index++) {
      const user = await newTwoFactorUser(app, `user${index}@example.com`)
      people.push(user)
      assert.equal((await logIn(jar, user, { remember: 'yes' })).status, 200)
    }
    const known: boolean[] = []
    for (const { userName } of people)
      known.push(((await jar.call('GET', `/known/${userName}`)).json() as { known: boolean }).known)
    assert.deepEqual(known, [false, false, ...Array.from({ length: 10 }, () => true)])
    assert.ok(jar.cookies.get('identity-machine')!.length < 2048)
  })
})

test('a change of one person leaves the others remembered, and each is remembered for as long as option twoFactor says', async () => {
  const short = { ...options, identity: { twoFactor: { rememberMachineSeconds: 600 } } }
  await withApp(short, async (app) => {
    const [ada, bob] = [await newTwoFactorUser(app, 'ada@example.com'), await newTwoFactorUser(app, 'bob@example.com')]
    const jar = new Jar(app)
    const known = async ({ userName }: User) =>
      ((await jar.call('GET', `/known/${userName}`)).json() as { known: boolean }).known
    await logIn(jar, ada, { remember: 'yes' })
    app.clock.advance(300)
    await logIn(jar, bob, { remember: 'yes' })
    assert.deepEqual([await known(ada), await known(bob)], [true, true])
    app.clock.advance(299)
    assert.deepEqual([await known(ada), await known(bob)], [false, true])
    await app.app.identity.users.changePassword(bob, goodPassword, 'Another-Horse-8')
    assert.equal(await known(bob), false)
  })
})

test('/login remembers several people, and forgetMachine forgets its caller alone', async () => {
  await withApp(options, async (app) => {
    const [ada, bob] = [await newTwoFactorUser(app, 'ada@example.com'), await newTwoFactorUser(app, 'bob@example.com')]
    const jar = new Jar(app)
    const login = async (email: string, more: object = {}) =>
      (await jar.call('POST', '/account/login?useCookies=true', { email, password: goodPassword, ...more })).status
    for (const user of [ada, bob]) {
      assert.equal(await login(user.userName, { twoFactorCode: await codeOf(app, user) }), 200)
      app.clock.advance(30)
    }
    assert.deepEqual([await login('ada@example.com'), await login('bob@example.com')], [200, 200])
    const answer = await jar.call('POST', '/account/manage/2fa', { forgetMachine: true })
    assert.equal((answer.json() as { isMachineRemembered: boolean }).isMachineRemembered, true)
    assert.deepEqual([await login('bob@example.com'), await login('ada@example.com')], [401, 200])
  })
})

test('what is not a cookie of ours remembers nobody, and is gone with the next one', async () => {
  await withApp(options, async (app) => {
    const ada = await newTwoFactorUser(app, 'ada@example.com')
    const jar = new Jar(app)
    for (const junk of ['x', '....', 'x.'.repeat(500), 'A'.repeat(3000)]) {
      jar.cookies.set('identity-machine', junk)
      assert.deepEqual((await jar.call('GET', '/known/ada@example.com')).json(), { known: false })
    }
    await logIn(jar, ada, { remember: 'yes' })
    assert.doesNotMatch(jar.cookies.get('identity-machine')!, /\./)
    assert.deepEqual((await jar.call('GET', '/known/ada@example.com')).json(), { known: true })
  })
})

test('without cookies the ticket is a string alone: setting one of the cookies is an error, reading them finds nothing', async () => {
  await withApp({ after: host, identity: { cookies: false } }, async (app) => {
    const user = await newTwoFactorUser(app, 'ada@example.com')
    const { signIn } = app.app.identity
    const reply = {} as FastifyReply // never used
    for (const set of [() => signIn.setTwoFactorCookie(reply, 'x'), () => signIn.rememberTwoFactorClient(reply, user)])
      assert.throws(set, { code: 'FST_IDENTITY_COOKIES_OFF' })
    const answer = await app.call('GET', '/half', { cookie: 'identity-two-factor=x; identity-machine=x' })
    assert.deepEqual(answer.json(), { ticket: null })
    assert.deepEqual((await app.call('GET', '/known/ada@example.com')).json(), { known: false })
    assert.deepEqual((await app.call('POST', '/forget', { json: {} })).setCookies, [])
  })
})
