// Every kind of token and cookie, changed in every way, shown over HTTP where it belongs and where it does not
// (security TK-01 to TK-07). What is refused gets the very bytes that garbage gets, and no line of the log.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { requireAuthorization } from '../../src/index.js'
import { type Answer, headersOf, pairOf, type Person } from '../support/app.js'
import { authenticatorOf } from '../support/authenticator.js'
import { type MailApp, parameterOf, startMailApp } from '../support/mailbox.js'
import { bitFlips, respellings, truncations } from '../support/tampering.js'

interface Kind {
  /** What is handed out. */
  readonly value: string
  /** Shows a value where this kind belongs. */
  readonly show: (value: string) => Promise<Answer>
  /** A header carries no control characters, and blanks around what it carries do not count. */
  readonly inHeader: boolean
  /** Whether it travels as a parameter of a link. */
  readonly isInQuery?: boolean
}

let server: MailApp

before(async () => {
  server = await startMailApp({
    after: (app) =>
      app.get('/me', { onRequest: requireAuthorization() }, (request) => ({ id: request.identity?.userId })),
  })
})
after(() => server.close())

async function accessToken(): Promise<Kind> {
  const { accessToken: value } = await server.signIn()
  return { value, inHeader: true, show: (token) => server.call('GET', '/me', { token }) }
}

async function refreshToken(): Promise<Kind> {
  const { refreshToken: value } = await server.signIn()
  return {
    value,
    inHeader: false,
    show: (token) => server.call('POST', '/account/refresh', { json: { refreshToken: token } }),
  }
}

async function cookie(): Promise<Kind> {
  const { cookie: pair } = await server.signInWithCookie()
  const [name, value] = pair.split('=') as [string, string]
  return { value, inHeader: true, show: (text) => server.call('GET', '/me', { cookie: `${name}=${text}` }) }
}

async function rememberedMachine(): Promise<Kind> {
  const person = await server.register()
  const { accessToken: token } = await server.signIn(person)
  const { sharedKey } = (await server.call('POST', '/account/manage/2fa', { token, json: {} })).json() as {
    sharedKey: string
  }
  const phone = authenticatorOf(sharedKey, server.clock)
  await server.call('POST', '/account/manage/2fa', { token, json: { enable: true, twoFactorCode: phone.code() } })
  server.clock.advance(30)
  const signedIn = await server.call('POST', '/account/login?useCookies=true', {
    json: { ...person, twoFactorCode: phone.code() },
  })
  const [name, value] = pairOf(signedIn.setCookies.find((line) => line.includes('-machine='))!).split('=') as [
    string,
    string,
  ]
  return {
    value,
    inHeader: true,
    show: (text) => server.call('POST', '/account/login', { json: person, cookie: `${name}=${text}` }),
  }
}

async function confirmed(): Promise<Person> {
  const person = { email: `${Math.floor(performance.now() * 1000)}@example.com`, password: 'Correct-Horse-7' }
  const letter = await server.mailOf(() => server.register(person))
  await server.call('GET', `/account/confirmEmail?userId=${parameterOf(letter, 'userId')}&code=${letter.code}`)
  return person
}

async function confirmationCode(): Promise<Kind> {
  const letter = await server.mailOf(() => server.register())
  const userId = parameterOf(letter, 'userId')
  const show = (code: string) =>
    server.call('GET', `/account/confirmEmail?userId=${userId}&code=${encodeURIComponent(code.toWellFormed())}`)
  return { value: letter.code, inHeader: false, isInQuery: true, show }
}

async function changeCode(): Promise<Kind> {
  const { accessToken: token, email } = await server.signIn(await confirmed())
  const newEmail = `new-${email}`
  const letter = await server.mailOf(() => server.call('POST', '/account/manage/info', { token, json: { newEmail } }))
  const path = `/account/confirmEmail?userId=${parameterOf(letter, 'userId')}&changedEmail=${encodeURIComponent(newEmail)}`
  return {
    value: letter.code,
    inHeader: false,
    isInQuery: true,
    show: (code) => server.call('GET', `${path}&code=${encodeURIComponent(code)}`),
  }
}

async function resetCode(): Promise<Kind> {
  const { email } = await confirmed()
  const { content: value } = await server.mailOf(() =>
    server.call('POST', '/account/forgotPassword', { json: { email } }),
  )
  const show = (code: string) =>
    server.call('POST', '/account/resetPassword', { json: { email, resetCode: code, newPassword: 'Another-Horse-7' } })
  return { value, inHeader: false, show }
}

const kinds: Record<string, () => Promise<Kind>> = {
  'an access token': accessToken,
  'a refresh token': refreshToken,
  'a cookie': cookie,
  'the cookie of a remembered machine': rememberedMachine,
  'the code that confirms an address': confirmationCode,
  'the code that changes an address': changeCode,
  'the code that resets a password': resetCode,
}

// One after the other, so that each gets the mail it waits for.
async function everyKind(): Promise<Kind[]> {
  const made: Kind[] = []
  for (const make of Object.values(kinds)) made.push(await make())
  return made
}

const said = (answer: Answer) => ({ status: answer.status, body: answer.body, headers: headersOf(answer) })

/** Shows all of them; each gets what garbage gets, and the log only the lines that Fastify writes for every request, and the reason at level debug. */
async function refusesAll({ show, inHeader, isInQuery }: Kind, texts: Iterable<string>): Promise<number> {
  const garbage = said(await show('garbage'))
  assert.ok(garbage.status === 400 || garbage.status === 401)
  const logged = server.logLines.length
  let shown = 0
  for (const text of texts) {
    // An empty parameter of a link counts as a missing one: 400, as in the reference.
    if (text === '' && isInQuery === true) continue
    if (inHeader && !/^[\x21-\x7e]*$/.test(text)) continue
    assert.deepEqual(said(await show(text)), garbage, `number ${shown}`)
    shown++
  }
  for (const line of server.logLines.slice(logged)) {
    const { level, msg } = JSON.parse(line) as { level: number; msg: string }
    const isOfFastify = level === 30 && ['incoming request', 'request completed'].includes(msg)
    assert.ok(isOfFastify || (level === 20 && msg.startsWith('identity: refused, ')), line)
  }
  return shown
}

for (const [name, make] of Object.entries(kinds)) {
  test(`${name} with any one bit flipped is refused like garbage, in silence, and stays as good as it was`, async (t) => {
    const kind = await make()
    const shown = await refusesAll(kind, bitFlips(kind.value))
    assert.equal(shown, Buffer.from(kind.value, 'base64url').length * 8)
    t.diagnostic(`${shown} bits`)
    assert.equal((await kind.show(kind.value)).status, 200)
  })

  test(`${name} that is cut, prolonged or spelled otherwise is refused like garbage, in silence`, async () => {
    const kind = await make()
    await refusesAll(kind, truncations(kind.value))
    await refusesAll(kind, respellings(kind.value))
    assert.equal((await kind.show(kind.value)).status, 200)
  })
}

test('nothing is good for anything but what it was made for', async () => {
  const names = Object.keys(kinds)
  const all = (await everyKind()).map((kind, index) => ({ ...kind, name: names[index]! }))
  for (const one of all)
    await refusesAll(
      one,
      all.filter(({ name }) => name !== one.name).map(({ value }) => value),
    )
  // Nor under a header that says otherwise: bytes 0 and 1 are version and purpose.
  for (const one of all) {
    const [version, purpose] = Buffer.from(one.value, 'base64url')
    await refusesAll(
      one,
      all
        .filter(({ name }) => name !== one.name)
        .map(({ value }) => {
          const bytes = Buffer.from(value, 'base64url')
          bytes.set([version!, purpose!])
          return bytes.toString('base64url')
        }),
    )
  }
  for (const one of all) assert.equal((await one.show(one.value)).status, 200, one.name)
})

test('nothing opens under another key of the ring than its own', async () => {
  const old = await everyKind()
  server.clock.advance(1)
  const { id } = await server.app.identity.keys.rotate({ activateAfterSeconds: 0 })
  const young = await everyKind()
  // Bytes 2 to 5 name the key.
  const named = (value: string) => Buffer.from(value, 'base64url').subarray(2, 6)
  const under = (value: string, key: Buffer) => {
    const bytes = Buffer.from(value, 'base64url')
    bytes.set(key, 2)
    return bytes.toString('base64url')
  }
  for (const [index, one] of old.entries()) {
    const other = young[index]!
    assert.equal(named(other.value).toString('hex'), id)
    assert.notDeepEqual(named(one.value), named(other.value))
    await refusesAll(one, [under(one.value, named(other.value))])
    await refusesAll(other, [under(other.value, named(one.value))])
    for (const kind of [one, other]) assert.equal((await kind.show(kind.value)).status, 200)
  }
})
