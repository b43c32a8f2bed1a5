// POST /resendConfirmationEmail and POST /forgotPassword: their answers, and their mails with recipients.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Answer, emptyHeaders, expectEmpty, headersOf, type Person, withApp } from '../support/app.js'
import { type MailApp, parameterOf, publicUrl, startMailApp, withMailApp } from '../support/mailbox.js'

let server: MailApp

before(async () => {
  server = await startMailApp()
})
after(() => server.close())

const endpoints = ['/resendConfirmationEmail', '/forgotPassword'] as const
const ask = (endpoint: string, json: unknown, app: MailApp = server) =>
  app.call('POST', `/account${endpoint}`, { json })

async function confirmed(app: MailApp = server, given: Partial<Person> = {}): Promise<Person> {
  let person: Person | undefined
  const letter = await app.mailOf(async () => {
    person = await app.register(given)
  })
  expectThanks(await app.call('GET', letter.path))
  return person!
}

function expectThanks(answer: Answer): void {
  assert.equal(answer.body, 'Thank you for confirming your email.')
}

/** The answer as its bytes lie on the wire, but for the date. */
function wire(answer: Answer): unknown {
  return [answer.status, Object.entries(answer.headers).filter(([name]) => name !== 'date'), answer.body]
}

for (const endpoint of endpoints) {
  test(`${endpoint} answers 200 with an empty body, for every caller and address`, async () => {
    const unconfirmed = await server.register()
    const { email } = await confirmed()
    const addresses = [
      email,
      email.toUpperCase(),
      unconfirmed.email,
      'nobody@example.com',
      '',
      'no address',
      '@',
      'a@b@c',
      ' ',
      '\0',
      'nul\0@example.com',
      `${email}\0`,
      'x'.repeat(300),
      `${'x'.repeat(10_000)}@example.com`,
      '🙂@example.com',
      `${email}\r\nBcc: eve@example.com`,
      `${email},eve@example.com`,
      "' or 1=1 --",
    ]
    const answers: Answer[] = []
    for (const address of addresses) answers.push(await ask(endpoint, { email: address }))
    for (const answer of answers) expectEmpty(answer, 200)
    assert.equal(new Set(answers.map((answer) => JSON.stringify(wire(answer)))).size, 1)
  })

  test(`${endpoint} answers 400 with nothing in it where email is null, missing or no text`, async () => {
    for (const body of [
      { email: null },
      {},
      { mail: 'a@b' },
      { email: 5 },
      { email: ['a@b'] },
      { email: {} },
      { email: true },
      [],
      null,
      'a@b',
      1,
    ]) {
      expectEmpty(await ask(endpoint, body), 400)
    }
    expectEmpty(await server.call('POST', `/account${endpoint}`), 400)
    expectEmpty(
      await server.call('POST', `/account${endpoint}`, {
        payload: '{"email":',
        headers: { 'content-type': 'application/json' },
      }),
      400,
    )
    expectEmpty(
      await server.call('POST', `/account${endpoint}`, {
        payload: '{"email":"\\ud800@x"}',
        headers: { 'content-type': 'application/json' },
      }),
      400,
    )
  })

  test(`${endpoint} answers 415 to a body that is not JSON, and 413 to one over 16 KiB`, async () => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/xml',
      'application/jsonx',
    ]) {
      expectEmpty(
        await server.call('POST', `/account${endpoint}`, {
          payload: '{"email":"a@b"}',
          headers: { 'content-type': type },
        }),
        415,
      )
    }
    const payload = JSON.stringify({ email: 'x'.repeat(16 * 1024) })
    const answer = await server.call('POST', `/account${endpoint}`, {
      payload,
      headers: { 'content-type': 'application/json' },
    })
    assert.deepEqual([answer.status, answer.body], [413, ''])
  })

  test(`${endpoint} finds the address in any letter case, and the member too`, async () => {
    const { email } = await confirmed()
    const letter = await server.mailOf(() =>
      server.call('POST', `/account${endpoint.toUpperCase()}/`, { json: { EMail: email.toUpperCase() } }),
    )
    assert.equal(letter.to, email)
  })

  test(`${endpoint} writes to the stored address, never to the one that was typed`, async () => {
    const { email } = await confirmed(server, { email: `Stored.${endpoint.slice(1, 5)}@Example.com` })
    const letter = await server.mailOf(() => ask(endpoint, { email: email.toLowerCase() }))
    assert.equal(letter.to, email)
    for (const typed of ['STORED', 'ſtored', 'ᵴtored', 'stored\u0000', ' stored']) {
      const lookalike = `${typed}.${endpoint.slice(1, 5)}@example.com`
      for (const { to } of await server.mailsOf(() => ask(endpoint, { email: lookalike }))) assert.equal(to, email)
    }
  })

  test(`${endpoint} mails nothing to an address without a user`, async () => {
    assert.deepEqual(await server.mailsOf(() => ask(endpoint, { email: 'nobody@example.com' })), [])
  })
}

test('a request writes one mail whether or not there is a user: its work reveals nothing', () =>
  withMailApp({}, async (app) => {
    const { email } = await confirmed(app)
    await app.sql('create table written (kind text, length integer)')
    await app.sql(`create function note() returns trigger language plpgsql as $$
    begin insert into ${app.schema}.written values (new.kind, length(new.sealed)); return new; end $$`)
    await app.sql('create trigger note after insert on outbox for each row execute function note()')
    for (const endpoint of endpoints) {
      await ask(endpoint, { email }, app)
      await ask(endpoint, { email: 'nobody@example.com' }, app)
      const rows = await app.sql('delete from written returning kind, length')
      assert.equal(rows.length, 2, endpoint)
      assert.equal(rows.filter(({ kind }) => kind === 'nothing').length, 1, endpoint)
    }
  }))

test('resending mails another link, which is as good as the first', async () => {
  let person: Person | undefined
  const first = await server.mailOf(async () => {
    person = await server.register()
  })
  const second = await server.mailOf(() => ask('/resendConfirmationEmail', { email: person!.email }))
  assert.equal(second.kind, 'confirmationLink')
  assert.equal(second.to, person!.email)
  assert.notEqual(second.content, first.content)
  const userId = parameterOf(first, 'userId')
  assert.equal(second.content, `${publicUrl}/account/confirmEmail?userId=${userId}&code=${second.code}`)
  expectThanks(await server.call('GET', second.path))
  expectThanks(await server.call('GET', first.path))
})

test('resending to a confirmed address mails a link too', async () => {
  const { email } = await confirmed()
  const letter = await server.mailOf(() => ask('/resendConfirmationEmail', { email }))
  expectThanks(await server.call('GET', letter.path))
})

test('a forgotten password brings a code by mail', async () => {
  const { email } = await confirmed()
  const letter = await server.mailOf(() => ask('/forgotPassword', { email }))
  assert.equal(letter.kind, 'passwordResetCode')
  assert.equal(letter.to, email)
  assert.equal(letter.user.email, email)
  assert.match(letter.content, /^[A-Za-z0-9_-]{100}$/)
})

test('nobody can reset the password of an address that was never confirmed, whatever the options say', async () => {
  const { email } = await server.register()
  assert.deepEqual(await server.mailsOf(() => ask('/forgotPassword', { email })), [])
  for (const signIn of [{ requireConfirmedEmail: true }, { requireConfirmedAccount: true }, {}]) {
    await withMailApp({ identity: { signIn } }, async (app) => {
      const person = await app.register()
      assert.deepEqual(
        (await app.mailsOf(() => ask('/forgotPassword', { email: person.email }, app))).map(({ kind }) => kind),
        [],
      )
    })
  }
})

test('asking for a code changes nothing of the user: sessions and earlier codes go on', async () => {
  const person = await confirmed()
  const { refreshToken } = await server.signIn(person)
  const [before] = await server.sql('select * from users where email = $1', [person.email])
  await ask('/forgotPassword', { email: person.email })
  await ask('/resendConfirmationEmail', { email: person.email })
  assert.deepEqual((await server.sql('select * from users where email = $1', [person.email]))[0], before)
  assert.equal((await server.call('POST', '/account/refresh', { json: { refreshToken } })).status, 200)
})

test('a user without an address gets no mail', async () => {
  const created = await server.app.identity.users.create({ userName: 'nomail' }, 'Correct-Horse-7')
  assert.ok(created.succeeded)
  for (const endpoint of endpoints) assert.deepEqual(await server.mailsOf(() => ask(endpoint, { email: 'nomail' })), [])
})

test('links.confirmEmail sends people to a page of the host, which asks us by itself', () =>
  withMailApp({ identity: { links: { confirmEmail: 'https://app.example.com/confirm?lang=en#top' } } }, async (app) => {
    let person: Person | undefined
    const first = await app.mailOf(async () => {
      person = await app.register()
    })
    const userId = parameterOf(first, 'userId')
    const code = first.code
    assert.equal(first.content, `https://app.example.com/confirm?lang=en&userId=${userId}&code=${code}#top`)
    const second = await app.mailOf(() => ask('/resendConfirmationEmail', { email: person!.email }, app))
    assert.ok(second.content.startsWith(`https://app.example.com/confirm?lang=en&userId=${userId}&code=`))
    const { accessToken } = await app.signIn(person)
    const change = await app.mailOf(() =>
      app.call('POST', '/account/manage/info', { token: accessToken, json: { newEmail: 'new@example.com' } }),
    )
    assert.equal(
      change.content,
      `https://app.example.com/confirm?lang=en&userId=${userId}&code=${change.code}&changedEmail=new%40example.com#top`,
    )
    expectThanks(await app.call('GET', `/account/confirmEmail?userId=${userId}&code=${code}`))
  }))

test('links.resetPassword mails a link to a page of the host instead of a code', () =>
  withMailApp({ identity: { links: { resetPassword: 'https://app.example.com/reset' } } }, async (app) => {
    const { email } = await confirmed(app, { email: 'ann+1@example.com' })
    const letter = await app.mailOf(() => ask('/forgotPassword', { email }, app))
    assert.equal(letter.kind, 'passwordResetLink')
    const code = letter.code
    assert.equal(letter.content, `https://app.example.com/reset?email=ann%2B1%40example.com&code=${code}`)
    expectEmpty(
      await app.call('POST', '/account/resetPassword', {
        json: { email, resetCode: code, newPassword: 'Another-Horse-8' },
      }),
      200,
    )
  }))

test('a mailed link goes to the prefix that was asked, inside the scope of the host', () =>
  withMailApp(
    {
      identity: { prefix: '/api/v1/account' },
    },
    async (app) => {
      const letter = await app.mailOf(() => app.register())
      assert.ok(letter.content.startsWith(`${publicUrl}/api/v1/account/confirmEmail?userId=`))
      expectThanks(await app.call('GET', letter.path))
    },
  ))

test('without a prefix the link goes to the root', () =>
  withMailApp({ identity: { prefix: '' } }, async (app) => {
    const letter = await app.mailOf(() => app.register())
    assert.ok(letter.content.startsWith(`${publicUrl}/confirmEmail?userId=`))
    expectThanks(await app.call('GET', letter.path))
  }))

test('without option email both answer the same, and nothing is written', () =>
  withApp({}, async (app) => {
    const { email } = await app.register()
    for (const endpoint of endpoints) {
      for (const address of [email, 'nobody@example.com']) {
        const answer = await app.call('POST', `/account${endpoint}`, { json: { email: address } })
        assert.equal(answer.status, 200)
        assert.deepEqual(headersOf(answer), emptyHeaders)
      }
    }
    assert.deepEqual(await app.sql('select * from outbox'), [])
  }))
