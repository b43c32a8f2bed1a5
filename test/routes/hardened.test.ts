// Preset 'hardened': passwords that are long instead of mixed, and answers that do not reveal who has an account.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { IdentityOptions, MailMessage } from '../../src/index.js'
import { type Answer, expectEmpty, expectProblem, headersOf, type Tokens } from '../support/app.js'
import { isBackground } from '../support/background.js'
import { type Letter, type MailApp, parameterOf, startMailApp, withMailApp } from '../support/mailbox.js'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'
import { startTcpProxy } from '../support/tcp-proxy.js'

const identity = { preset: 'hardened' } as const
const password = 'correct horse battery'

let server: MailApp

before(async () => {
  server = await startMailApp({ identity })
})
after(() => server.close())

const register = (email: string, given = password, app: MailApp = server): Promise<Answer> =>
  app.call('POST', '/account/register', { json: { email, password: given } })

const login = (email: string, given = password, app: MailApp = server): Promise<Answer> =>
  app.call('POST', '/account/login', { json: { email, password: given } })

/** Registers somebody and follows the mailed link. */
async function confirmed(email: string, app: MailApp = server): Promise<void> {
  const letter = await app.mailOf(() => register(email, password, app))
  assert.equal((await app.call('GET', letter.path)).status, 200)
}

async function signedIn(email: string, app: MailApp = server): Promise<string> {
  await confirmed(email, app)
  return ((await login(email, password, app)).json() as Tokens).accessToken
}

const received = (letters: readonly Letter[]) =>
  letters.map(({ kind, to, content }) => (kind === 'securityNotice' ? [to, content] : [to, kind]))

/** All that a caller sees. */
const wire = (answer: Answer) => ({ status: answer.status, headers: headersOf(answer), body: answer.body })

const hardened = (more: IdentityOptions, work: (app: MailApp) => Promise<void>) =>
  withMailApp({ identity: { ...identity, ...more } }, work)

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

test('a taken address is answered as a free one, changes nothing, and its owner gets a mail', async () => {
  await confirmed('taken@example.com')
  const before = await server.sql('select * from users where email = $1', ['taken@example.com'])
  for (const typed of ['taken@example.com', 'TAKEN@Example.com']) {
    const answers: Answer[] = []
    const letters = await server.mailsOf(async () => answers.push(await register(typed, 'another long password')))
    expectEmpty(answers[0]!, 200)
    // To the address as stored, never as typed.
    assert.deepEqual(received(letters), [['taken@example.com', 'accountExists']])
  }
  const free = await server.mailsOf(async () =>
    expectEmpty(await register('free@example.com', 'another long password'), 200),
  )
  assert.deepEqual(received(free), [['free@example.com', 'confirmationLink']])
  assert.deepEqual(
    await server.sql('select * from users where normalized_user_name = $1', ['TAKEN@EXAMPLE.COM']),
    before,
  )
  assert.equal((await login('taken@example.com')).status, 200)
  assert.equal((await login('taken@example.com', 'another long password')).status, 401)
})

test('faults of a registration are reported alike for taken and free addresses', async () => {
  await confirmed('judged@example.com')
  const [taken, free] = [await register('judged@example.com', 'short'), await register('unjudged@example.com', 'short')]
  assert.equal(taken.status, 400)
  assert.deepEqual(wire(taken), wire(free))
})

test('taken and free cost the same: as many statements, the same hash', async (t) => {
  const proxy = await startTcpProxy(await databaseUrl())
  t.after(() => proxy.close())
  const hashed: string[] = []
  const hasher = {
    hash(given: string) {
      hashed.push(given)
      return Promise.resolve(`plain ${given}`)
    },
    verify: (stored: string, given: string) =>
      Promise.resolve(stored === `plain ${given}` ? ('yes' as const) : ('no' as const)),
  }
  await hardened({ database: proxy.url, password: { hasher } }, async (app) => {
    await confirmed('taken@example.com', app)
    const token = await signedIn('caller@example.com', app)
    const cost = async (work: () => Promise<Answer>) => {
      await app.app.identity.mail.flush()
      proxy.forget()
      hashed.length = 0
      await work()
      // Not what asks by itself, and not the delivery.
      const own = proxy.statements.filter(
        (text) => !isBackground(text) && !/"revocations"|^\s*(update|delete from|select extract).*"outbox"/s.test(text),
      )
      return { statements: own.map((text) => /\w+/.exec(text)![0].toLowerCase()).sort(), hashes: hashed.length }
    }
    const change = (newEmail: string) => app.call('POST', '/account/manage/info', { token, json: { newEmail } })
    // The confirmation changed what tickets say: the session's next request reads that once.
    assert.equal((await app.call('GET', '/account/manage/info', { token })).status, 200)
    const taken = await cost(() => register('taken@example.com', password, app))
    assert.deepEqual(taken, { statements: ['insert', 'select'], hashes: 1 })
    // The user and the mail are one statement.
    const free = await cost(() => register('free@example.com', password, app))
    assert.deepEqual(free, { statements: ['select', 'with'], hashes: 1 })
    assert.deepEqual(await cost(() => change('taken@example.com')), await cost(() => change('other@example.com')))
  })
})

test('a caller who registers an address and then tries the password learns nothing, not even by a lock', () =>
  hardened({}, async (app) => {
    await confirmed('taken@example.com', app)
    const mine = 'a password of the attacker'
    for (const email of ['taken@example.com', 'free@example.com']) expectEmpty(await register(email, mine, app), 200)
    for (let guess = 0; guess < 7; guess++) {
      const [taken, free] = [await login('taken@example.com', mine, app), await login('free@example.com', mine, app)]
      assert.deepEqual(wire(taken), wire(free))
      assert.equal((taken.json() as { detail: string }).detail, guess < 4 ? 'Failed' : 'LockedOut')
    }
  }))

test('the right password works as soon as the address is confirmed', async () => {
  const letter = await server.mailOf(() => register('later@example.com'))
  assert.equal((await login('later@example.com')).status, 401)
  assert.equal((await server.call('GET', letter.path)).status, 200)
  assert.equal((await login('later@example.com')).status, 200)
})

test('an address that is registered but not confirmed is treated in the same way, and its first password stays', async () => {
  const letter = await server.mailOf(() => register('pending@example.com'))
  assert.deepEqual(received(await server.mailsOf(() => register('pending@example.com', 'a password of somebody'))), [
    ['pending@example.com', 'accountExists'],
  ])
  assert.equal((await server.call('GET', letter.path)).status, 200)
  assert.equal((await login('pending@example.com')).status, 200)
})

test('of many registrations of one address at once one makes a user, and all are answered alike', async () => {
  const answers: Answer[] = []
  const letters = await server.mailsOf(async () => {
    answers.push(
      ...(await Promise.all(
        Array.from({ length: 20 }, (_, index) => register('crowd@example.com', `a password, number ${index}`)),
      )),
    )
  })
  for (const answer of answers) expectEmpty(answer, 200)
  assert.equal((await server.sql('select 1 from users where email = $1', ['crowd@example.com'])).length, 1)
  assert.deepEqual(letters.map(({ kind }) => kind).sort(), [
    'confirmationLink',
    ...Array.from({ length: 19 }, () => 'securityNotice'),
  ])
})

test('a taken name whose user has no address, or another one, is not revealed either', async () => {
  const { users } = server.app.identity
  for (const user of [{ userName: 'nomail@example.com' }, { userName: 'old@example.com', email: 'new@example.com' }]) {
    assert.ok((await users.create(user, password)).succeeded)
  }
  assert.deepEqual(await server.mailsOf(async () => expectEmpty(await register('nomail@example.com'), 200)), [])
  assert.deepEqual(received(await server.mailsOf(async () => expectEmpty(await register('old@example.com'), 200))), [
    ['new@example.com', 'accountExists'],
  ])
})

test('where addresses are unique, one that a user of another name has is not revealed, in an index or not', () =>
  hardened({ user: { requireUniqueEmail: true } }, async (app) => {
    const created = await app.app.identity.users.create({ userName: 'ann', email: 'ann@example.com' }, password)
    assert.ok(created.succeeded)
    for (const isIndexed of [true, false]) {
      if (!isIndexed) await app.sql('update users set unique_email = null')
      assert.deepEqual(
        received(await app.mailsOf(async () => expectEmpty(await register('ann@example.com', password, app), 200))),
        [['ann@example.com', 'accountExists']],
      )
      assert.equal((await app.sql('select 1 from users')).length, 1)
    }
  }))

test('a user name apart from the address is reported as taken, and reveals nothing about the address', () =>
  hardened(
    {
      user: { userNameIsEmail: false, requireUniqueEmail: true },
    },
    async (app) => {
      const ask = (userName: string, email: string) =>
        app.call('POST', '/account/register', { json: { userName, email, password } })
      expectEmpty(await ask('ann', 'ann@example.com'), 200)
      const [known, unknown] = [await ask('ann', 'ann@example.com'), await ask('ann', 'nobody@example.com')]
      assert.deepEqual(wire(known), wire(unknown))
      assert.deepEqual((known.json() as { errors: unknown }).errors, {
        DuplicateUserName: ["Username 'ann' is already taken."],
      })
      assert.deepEqual(received(await app.mailsOf(async () => expectEmpty(await ask('bob', 'ann@example.com'), 200))), [
        ['ann@example.com', 'accountExists'],
      ])
    },
  ))

test('a hook before the creation leaves nothing where the address is taken, and the one after it is not called', async () => {
  const called: string[] = []
  const schema = uniqueSchema()
  await hardened(
    {
      schema,
      hooks: {
        async userCreating({ trx, user }) {
          called.push('creating')
          await trx.withSchema(schema).insertInto('greeted').values({ name: user.userName }).execute()
        },
        userCreated() {
          called.push('created')
        },
      },
    },
    async (app) => {
      await app.sql('create table greeted (name text)')
      await register('ann@example.com', password, app)
      await register('ann@example.com', password, app)
      assert.deepEqual(called, ['creating', 'created', 'creating'])
      assert.deepEqual(await app.sql('select name from greeted'), [{ name: 'ann@example.com' }])
    },
  )
})

test('moving to a taken address is answered as to a free one; its owner gets a notice and no link', async () => {
  await confirmed('settled@example.com')
  const token = await signedIn('mover@example.com')
  const change = (newEmail: string) => server.call('POST', '/account/manage/info', { token, json: { newEmail } })
  const answers: Answer[] = []
  const letters = await server.mailsOf(async () =>
    answers.push(await change('settled@example.com'), await change('SETTLED@example.com')),
  )
  assert.deepEqual(received(letters), [
    ['settled@example.com', 'accountExists'],
    ['settled@example.com', 'accountExists'],
  ])
  const letter = await server.mailOf(async () => answers.push(await change('moved@example.com')))
  assert.equal(parameterOf(letter, 'changedEmail'), 'moved@example.com')
  assert.deepEqual(
    answers.map(wire),
    Array.from(answers, () => wire(answers[2]!)),
  )
  assert.equal((await server.call('GET', letter.path)).status, 200)
  assert.equal((await login('moved@example.com')).status, 200)
})

test("another spelling of one's own address is nobody else's", async () => {
  const token = await signedIn('same@example.com')
  const letter = await server.mailOf(() =>
    server.call('POST', '/account/manage/info', { token, json: { newEmail: 'Same@example.com' } }),
  )
  assert.equal(letter.kind, 'confirmationLink')
})

test('the mail to an owner says what happened, and holds no link and nothing that was typed', async () => {
  const messages: MailMessage[] = []
  const email = {
    send(message: MailMessage) {
      messages.push(message)
      return Promise.resolve()
    },
  }
  await hardened({ email }, async (app) => {
    await register('ann@example.com', password, app)
    await register('Ann@example.com', 'a password of somebody', app)
    await app.app.identity.mail.flush()
  })
  const [, notice] = messages
  assert.equal(notice!.to, 'ann@example.com')
  assert.equal(notice!.subject, 'You already have an account')
  assert.match(notice!.text, /It has one already/)
  assert.doesNotMatch(JSON.stringify(notice), /https?:|<|Ann@|a password of somebody/)
})
