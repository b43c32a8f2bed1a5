import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Answer, expectEmpty, goodPassword, headersOf, type Person } from '../support/app.js'
import { type Letter, type MailApp, parameterOf, publicUrl, startMailApp, withMailApp } from '../support/mailbox.js'
import { bitFlips, blankings, respellings } from '../support/tampering.js'

let server: MailApp

before(async () => {
  server = await startMailApp()
})
after(() => server.close())

const thanks = 'Thank you for confirming your email.'
const unsaid = { 'referrer-policy': 'no-referrer' }

interface Confirmation extends Person {
  readonly letter: Letter
  readonly userId: string
  readonly code: string
}

async function registered(app: MailApp = server): Promise<Confirmation> {
  let person: Person | undefined
  const letter = await app.mailOf(async () => {
    person = await app.register()
  })
  return { ...person!, letter, userId: parameterOf(letter, 'userId'), code: letter.code }
}

/** The letter that changes an address, asked for by its owner. */
async function changing(person: Person, newEmail: string, app: MailApp = server): Promise<Letter> {
  const { accessToken } = await app.signIn(person)
  return app.mailOf(() => app.call('POST', '/account/manage/info', { token: accessToken, json: { newEmail } }))
}

const follow = (path: string, app: MailApp = server) => app.call('GET', path)
const ask = (query: Record<string, string>, app: MailApp = server) =>
  follow(`/account/confirmEmail?${new URLSearchParams(query).toString()}`, app)

async function userOf(userId: string, app: MailApp = server): Promise<Record<string, unknown>> {
  const [user] = await app.sql('select * from users where id = $1', [userId])
  return user!
}

function expectThanks(answer: Answer): void {
  assert.equal(answer.body, thanks)
  assert.equal(answer.status, 200)
  assert.deepEqual(headersOf(answer), {
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-type': 'text/plain; charset=utf-8',
    'content-length': '36',
    ...unsaid,
  })
}

// A plain 401: no challenge, since no credentials would help.
const expectRefused = (answer: Answer) => expectEmpty(answer, 401, unsaid)

test('the link of a registration is our own confirmEmail under publicUrl, with userId and code', async () => {
  const { email, letter, userId, code } = await registered()
  assert.equal(letter.kind, 'confirmationLink')
  assert.equal(letter.to, email)
  assert.deepEqual(letter.user, { id: userId, userName: email, email })
  assert.equal(letter.content, `${publicUrl}/account/confirmEmail?userId=${userId}&code=${code}`)
  assert.match(userId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  assert.match(code, /^[A-Za-z0-9_-]{100}$/)
})

test('the link confirms the address and says so in plain text', async () => {
  const { letter, userId } = await registered()
  assert.equal((await userOf(userId)).email_confirmed, false)
  expectThanks(await follow(letter.path))
  assert.equal((await userOf(userId)).email_confirmed, true)
})

test('the same link confirms again: mail scanners open it first', async () => {
  const { letter } = await registered()
  for (let time = 0; time < 3; time++) expectThanks(await follow(letter.path))
})

test('confirming rotates no stamp: sessions and other codes of the user go on', async () => {
  const { email, password, letter, userId } = await registered()
  const { accessToken, refreshToken } = await server.signIn({ email, password })
  const { security_stamp: stamp } = await userOf(userId)
  expectThanks(await follow(letter.path))
  assert.equal((await userOf(userId)).security_stamp, stamp)
  assert.deepEqual((await server.call('GET', '/account/manage/info', { token: accessToken })).json(), {
    email,
    isEmailConfirmed: true,
  })
  assert.equal((await server.call('POST', '/account/refresh', { json: { refreshToken } })).status, 200)
})

test('no cookie is set or renewed by following a link', async () => {
  const { email, password, letter } = await registered()
  const { cookie } = await server.signInWithCookie({ email, password })
  server.clock.advance(8 * 86_400)
  assert.deepEqual((await server.call('GET', letter.path, { cookie })).setCookies, [])
})

test('query names are found in any letter case, unknown ones do not count', async () => {
  const { userId, code } = await registered()
  expectThanks(await ask({ USERID: userId, Code: code, foo: 'bar', returnUrl: 'https://evil.example' }))
  expectThanks(await ask({ user_id: userId, CODE: code }))
  expectThanks(await ask({ userId: userId.toUpperCase(), code }))
})

test('the path is found in any letter case and with a slash at the end', async () => {
  const { userId, code } = await registered()
  for (const path of ['/account/confirmemail', '/account/CONFIRMEMAIL', '/account/confirmEmail/']) {
    expectThanks(await follow(`${path}?userId=${userId}&code=${code}`))
  }
})

test('without userId or without code the answer is 400 with nothing in it', async () => {
  const { userId, code } = await registered()
  for (const query of ['', `?userId=${userId}`, `?code=${code}`, `?changedEmail=x@example.com`, '?userid&kode']) {
    expectEmpty(await follow(`/account/confirmEmail${query}`), 400)
  }
})

test('an unknown user and an id that is none are refused alike', async () => {
  const { code } = await registered()
  const ids = [
    '0191e4c0-0000-7000-8000-000000000000',
    'x',
    "' or 1=1 --",
    '\0',
    '0191e4c0',
    '[]',
    'null',
    '%00',
    '🙂'.repeat(1000),
  ]
  for (const userId of ids) expectRefused(await ask({ userId, code }))
})

test('an empty id or code is as good as none: 400, as in the reference', async () => {
  const { userId, code } = await registered()
  for (const query of [
    { userId: '', code },
    { userId, code: '' },
    { userId: '', code: '' },
  ])
    expectEmpty(await ask(query), 400)
})

test('a code that is mangled, shortened or spelled otherwise is refused like any other', async () => {
  const { userId, code } = await registered()
  for (const wrong of ['x', '!', '=', 'null', 'A'.repeat(100), 'A'.repeat(5000), '\0', 'é'.repeat(50)])
    expectRefused(await ask({ userId, code: wrong }))
  for (const wrong of respellings(code)) expectRefused(await ask({ userId, code: wrong }))
  let place = 0
  for (const wrong of bitFlips(code)) if (place++ % 7 === 0) expectRefused(await ask({ userId, code: wrong }))
  for (let length = 5; length < code.length; length += 5)
    expectRefused(await ask({ userId, code: code.slice(0, length) }))
  assert.equal((await userOf(userId)).email_confirmed, false)
  for (const pasted of blankings(code)) assert.equal((await ask({ userId, code: pasted })).status, 200)
})

test("another user's code is refused, and confirms neither of them", async () => {
  const [ann, bob] = [await registered(), await registered()]
  expectRefused(await ask({ userId: ann.userId, code: bob.code }))
  expectRefused(await ask({ userId: bob.userId, code: ann.code }))
  for (const { userId } of [ann, bob]) assert.equal((await userOf(userId)).email_confirmed, false)
})

test('a code of another purpose is refused', async () => {
  const { email, password, letter, userId, code } = await registered()
  const user = (await server.app.identity.users.findById(userId))!
  const reset = server.app.identity.users.generatePasswordResetToken(user)
  const change = server.app.identity.users.generateChangeEmailToken(user, 'other@example.com')
  const { accessToken, refreshToken } = await server.signIn({ email, password })
  for (const foreign of [reset, change, accessToken, refreshToken]) {
    expectRefused(await ask({ userId, code: foreign }))
    expectRefused(await ask({ userId, code: foreign, changedEmail: '' }))
  }
  for (const foreign of [reset, code, accessToken, refreshToken]) {
    expectRefused(await ask({ userId, code: foreign, changedEmail: 'other@example.com' }))
    expectRefused(await ask({ userId, code: foreign, changedEmail: email }))
  }
  assert.equal((await userOf(userId)).email_confirmed, false)
  expectThanks(await follow(letter.path))
})

test('a code of another realm is refused', () =>
  withMailApp({}, async (other) => {
    const { userId } = await registered()
    const foreign = await registered(other)
    expectRefused(await ask({ userId, code: foreign.code }))
    expectRefused(await ask({ userId: foreign.userId, code: foreign.code }))
  }))

test('a link is good until the second before its end', () =>
  withMailApp({}, async (app) => {
    const { letter } = await registered(app)
    app.clock.advance(86_399)
    expectThanks(await follow(letter.path, app))
    app.clock.advance(1)
    expectRefused(await follow(letter.path, app))
  }))

test('option codes.confirmEmailSeconds says how long, for a change of address too', () =>
  withMailApp({ identity: { codes: { confirmEmailSeconds: 90 } } }, async (app) => {
    const { email, password, letter } = await registered(app)
    const change = await changing({ email, password }, 'later@example.com', app)
    app.clock.advance(89)
    expectThanks(await follow(letter.path, app))
    app.clock.advance(1)
    expectRefused(await follow(letter.path, app))
    expectRefused(await follow(change.path, app))
    const another = await changing({ email, password }, 'later@example.com', app)
    app.clock.advance(89)
    expectThanks(await follow(another.path, app))
  }))

test('a link is refused once the stamp has changed', async () => {
  const { letter, userId } = await registered()
  const { users } = server.app.identity
  assert.ok((await users.setTwoFactorEnabled((await users.findById(userId))!, false)).succeeded)
  expectRefused(await follow(letter.path))
})

test('a link of a user who is gone is refused', async () => {
  const { letter, userId } = await registered()
  const { users } = server.app.identity
  assert.ok((await users.delete((await users.findById(userId))!)).succeeded)
  expectRefused(await follow(letter.path))
})

test('other verbs, HEAD among them, are 405 and confirm nothing', async () => {
  const { letter, userId } = await registered()
  for (const verb of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
    expectEmpty(await server.call(verb, letter.path), 405, { allow: 'GET' })
  for (const verb of ['HEAD', 'TRACE']) assert.equal((await server.call(verb, letter.path)).status, 405)
  const override = { 'x-http-method-override': 'GET', 'x-http-method': 'GET', 'x-method-override': 'GET' }
  expectEmpty(await server.call('POST', letter.path, { headers: override }), 405, { allow: 'GET' })
  assert.equal((await userOf(userId)).email_confirmed, false)
})

test('the link of a change names the new address last, and goes to it', async () => {
  const person = await registered()
  const newEmail = 'ann+new@example.com'
  const letter = await changing(person, newEmail)
  assert.equal(letter.to, newEmail)
  assert.deepEqual(letter.user, { id: person.userId, userName: person.email, email: person.email })
  assert.equal(
    letter.content,
    `${publicUrl}/account/confirmEmail?userId=${person.userId}&code=${letter.code}&changedEmail=ann%2Bnew%40example.com`,
  )
  // A plus sign that some program has made a blank of is another address.
  expectRefused(await follow(letter.path.replace('%2B', '+')))
  expectThanks(await follow(letter.path))
})

test('a change sets, confirms and renames in one step, rotates the stamp, and ends no session', async () => {
  const person = await registered()
  const { refreshToken } = await server.signIn(person)
  const before = await userOf(person.userId)
  const letter = await changing(person, 'Ann.New@Example.com')
  assert.deepEqual(await userOf(person.userId), before)
  expectThanks(await follow(letter.path))
  const after = await userOf(person.userId)
  assert.deepEqual(
    [after.user_name, after.normalized_user_name, after.email, after.normalized_email, after.email_confirmed],
    ['Ann.New@Example.com', 'ANN.NEW@EXAMPLE.COM', 'Ann.New@Example.com', 'ANN.NEW@EXAMPLE.COM', true],
  )
  assert.notEqual(after.security_stamp, before.security_stamp)
  assert.equal((await server.call('POST', '/account/refresh', { json: { refreshToken } })).status, 200)
  assert.equal(
    (await server.call('POST', '/account/login', { json: { email: person.email, password: goodPassword } })).status,
    401,
  )
  assert.equal(
    (await server.call('POST', '/account/login', { json: { email: 'ann.new@example.com', password: goodPassword } }))
      .status,
    200,
  )
})

test('a link of a change answers alike each time within its life, and changes the user once', async () => {
  const person = await registered()
  const letter = await changing(person, 'twice@example.com')
  expectThanks(await follow(letter.path))
  const after = await userOf(person.userId)
  for (let time = 0; time < 3; time++) expectThanks(await follow(letter.path))
  assert.deepEqual(await userOf(person.userId), after)
})

test('a link of a change that is followed several times at once answers alike each time', async () => {
  const person = await registered()
  const letter = await changing(person, 'parallel@example.com')
  for (const answer of await Promise.all(Array.from({ length: 6 }, () => follow(letter.path)))) expectThanks(answer)
  assert.equal((await userOf(person.userId)).email, 'parallel@example.com')
})

test('a used link of a change is refused after its life, and once the user has another address', () =>
  withMailApp({}, async (app) => {
    const person = await registered(app)
    const first = await changing(person, 'first@example.com', app)
    expectThanks(await follow(first.path, app))
    app.clock.advance(86_400)
    expectRefused(await follow(first.path, app))
    const moved = { email: 'first@example.com', password: person.password }
    const second = await changing(moved, 'second@example.com', app)
    expectThanks(await follow(second.path, app))
    const { users } = app.app.identity
    assert.ok((await users.setEmail((await users.findById(person.userId))!, 'third@example.com')).succeeded)
    expectRefused(await follow(second.path, app))
    assert.equal((await userOf(person.userId, app)).email, 'third@example.com')
  }))

test('of several requested addresses the last counts: the links of the others are dead at once', async () => {
  const person = await registered()
  const letters: Letter[] = []
  for (const newEmail of ['typo@example.com', 'typo@example.com', 'right@example.com'])
    letters.push(await changing(person, newEmail))
  const before = await userOf(person.userId)
  const [typo, again, right] = letters
  for (const letter of [typo!, again!]) expectRefused(await follow(letter.path))
  assert.deepEqual(await userOf(person.userId), before)
  expectThanks(await follow(right!.path))
  for (const letter of [typo!, again!]) expectRefused(await follow(letter.path))
  expectThanks(await follow(right!.path))
  assert.equal((await userOf(person.userId)).email, 'right@example.com')
})

test('a request for the present address takes an earlier request back', async () => {
  const person = await registered()
  const letter = await changing(person, 'unwanted@example.com')
  const { accessToken } = await server.signIn(person)
  const json = { newEmail: person.email }
  assert.deepEqual(
    await server.mailsOf(() => server.call('POST', '/account/manage/info', { token: accessToken, json })),
    [],
  )
  expectRefused(await follow(letter.path))
  assert.equal((await userOf(person.userId)).email, person.email)
})

test('a request of another user ends no link', async () => {
  const [ann, bob] = [await registered(), await registered()]
  const letter = await changing(ann, 'anns@example.com')
  await changing(bob, 'bobs@example.com')
  expectThanks(await follow(letter.path))
})

test("a code that the application generates counts, unless the user's own request comes after it", async () => {
  const { users } = server.app.identity
  const person = await registered()
  const codeFor = async (newEmail: string) =>
    users.generateChangeEmailToken((await users.findById(person.userId))!, newEmail)
  const change = (code: string, changedEmail: string) => ask({ userId: person.userId, code, changedEmail })
  const early = await codeFor('early@example.com')
  const letter = await changing(person, 'asked@example.com')
  expectRefused(await change(early, 'early@example.com'))
  expectThanks(await follow(letter.path))
  const late = await codeFor('late@example.com')
  expectThanks(await change(late, 'late@example.com'))
  expectThanks(await change(late, 'late@example.com'))
  expectRefused(await follow(letter.path))
  assert.equal((await userOf(person.userId)).email, 'late@example.com')
})

test('a change of address ends the confirmation link of the old one', async () => {
  const person = await registered()
  expectThanks(await follow((await changing(person, 'newer@example.com')).path))
  expectRefused(await follow(person.letter.path))
})

test('the address of a change is sealed in its code: any other one in the link is refused', async () => {
  const person = await registered()
  const code = (await changing(person, 'mine@example.com')).code
  const before = await userOf(person.userId)
  for (const changedEmail of [
    'victim@example.com',
    'MINE@example.com',
    'mine@example.com ',
    ' mine@example.com',
    'mine@example.com\0',
    'mine',
    '\0',
    'é@x',
  ]) {
    expectRefused(await ask({ userId: person.userId, code, changedEmail }))
  }
  // Left out or left empty it is a confirmation, which needs another code.
  expectRefused(await ask({ userId: person.userId, code }))
  expectRefused(await ask({ userId: person.userId, code, changedEmail: '' }))
  assert.deepEqual(await userOf(person.userId), before)
  expectThanks(await ask({ userId: person.userId, code, changedEmail: 'mine@example.com' }))
})

test('an empty changedEmail is a confirmation', async () => {
  const { userId, code } = await registered()
  expectThanks(await ask({ userId, code, changedEmail: '' }))
})

test('a change to a name that was taken meanwhile is refused whole', async () => {
  const person = await registered()
  const letter = await changing(person, 'Wanted@example.com')
  await server.register({ email: 'wanted@example.com' })
  const before = await userOf(person.userId)
  expectRefused(await follow(letter.path))
  assert.deepEqual(await userOf(person.userId), before)
})

test('an address that cannot become the user name is refused when it is requested, and nothing is mailed or changed', async () => {
  const person = await registered()
  const { accessToken } = await server.signIn(person)
  const before = await userOf(person.userId)
  const request = (newEmail: string) =>
    server.call('POST', '/account/manage/info', {
      token: accessToken,
      json: { newEmail, newPassword: 'Another-Horse-8', oldPassword: person.password },
    })
  const letters = await server.mailsOf(async () => {
    for (const newEmail of ['nina#9@example.com', 'a/b@example.com', 'a!b@example.com', 'ä@example.com']) {
      const answer = await request(newEmail)
      assert.equal(answer.status, 400)
      assert.deepEqual((answer.json() as { errors: object }).errors, {
        InvalidUserName: [`Username '${newEmail}' is invalid, can only contain letters or digits.`],
      })
    }
  })
  assert.deepEqual(letters, [])
  assert.deepEqual(await userOf(person.userId), before)
})

test('an address with an apostrophe before the @ can be moved to', async () => {
  const person = await registered()
  expectThanks(await follow((await changing(person, "o'hara@example.com")).path))
  assert.equal((await userOf(person.userId)).user_name, "o'hara@example.com")
})

test('where the user name is another, an address may have any letters', () =>
  withMailApp({ identity: { user: { userNameIsEmail: false } } }, async (app) => {
    const person = await registered(app)
    expectThanks(await follow((await changing(person, 'nina#9@example.com', app)).path, app))
  }))

test('rules of the application for users are asked when an address is requested', () =>
  withMailApp(
    {
      identity: {
        user: {
          validators: [
            ({ email }) => (email?.endsWith('@rival.example') === true ? [{ code: 'Rival', description: 'No.' }] : []),
          ],
        },
      },
    },
    async (app) => {
      const { accessToken } = await app.signIn()
      const json = { newEmail: 'ann@rival.example' }
      const letters = await app.mailsOf(async () => {
        const answer = await app.call('POST', '/account/manage/info', { token: accessToken, json })
        assert.deepEqual((answer.json() as { errors: object }).errors, { Rival: ['No.'] })
      })
      assert.deepEqual(letters, [])
    },
  ))

test('an address of another user is answered as a free one is, ends earlier links as one does, and is mailed nothing', async () => {
  const owner = await registered()
  const person = await registered()
  const free = await changing(person, 'free@example.com')
  const { accessToken } = await server.signIn(person)
  const request = (newEmail: string) =>
    server.call('POST', '/account/manage/info', { token: accessToken, json: { newEmail } })
  const answers: Answer[] = []
  const letters = await server.mailsOf(async () =>
    answers.push(await request(owner.email), await request(owner.email.toUpperCase())),
  )
  assert.deepEqual(letters, [])
  const letter = await server.mailOf(async () => answers.push(await request('another@example.com')))
  for (const answer of answers) {
    assert.deepEqual(
      [answer.status, answer.body, headersOf(answer)],
      [answers[2]!.status, answers[2]!.body, headersOf(answers[2]!)],
    )
  }
  expectRefused(await follow(free.path))
  expectThanks(await follow(letter.path))
  // Dead by the taken address alone too.
  const later = await changing({ ...person, email: 'another@example.com' }, 'later@example.com')
  await request(owner.email)
  expectRefused(await follow(later.path))
})

test('an own address in other letters is a change to itself', async () => {
  const person = await registered()
  expectThanks(await follow((await changing(person, person.email.toUpperCase())).path))
  const { user_name: name, email } = await userOf(person.userId)
  assert.deepEqual([name, email], [person.email.toUpperCase(), person.email.toUpperCase()])
})
