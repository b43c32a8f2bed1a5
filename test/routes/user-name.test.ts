// Option user.userNameIsEmail: false: people are called otherwise than their address, and log in by either.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { MailMessage } from '../../src/index.js'
import {
  expectEmpty,
  expectProblem,
  goodPassword,
  startApp,
  type TestApp,
  type Tokens,
  withApp,
} from '../support/app.js'

const mails: MailMessage[] = []
let server: TestApp

before(async () => {
  server = await startApp({
    identity: {
      user: { userNameIsEmail: false },
      publicUrl: 'https://app.example',
      email: {
        send: (message) => {
          mails.push(message)
          return Promise.resolve()
        },
      },
    },
  })
})
after(() => server.close())

const post = (path: string, json: object, of: TestApp = server) => of.call('POST', `/account${path}`, { json })
const register = (userName: string, email: string, of: TestApp = server) =>
  post('/register', { userName, email, password: goodPassword }, of)
const login = (by: object, password = goodPassword) => post('/login', { ...by, password })
const failed =
  '{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.2","title":"Unauthorized","status":401,"detail":"Failed"}'
const validation = (errors: string) =>
  '{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.1",' +
  `"title":"One or more validation errors occurred.","status":400,"errors":{${errors}}}`

async function mailTo(address: string): Promise<URL> {
  await server.app.identity.mail.flush()
  const link = /https:\S+/.exec(mails.findLast(({ to }) => to === address)?.text ?? '')?.[0]
  return new URL(link!)
}

test('a person registers with name and address and logs in by either, in any letter case', async () => {
  expectEmpty(await register('ann', 'ann@example.com'), 200)
  for (const by of [
    { userName: 'ann' },
    { userName: 'ANN' },
    { username: 'Ann' },
    { user_name: 'ann' },
    { email: 'ann@example.com' },
    { email: 'ANN@example.com' },
  ]) {
    const answer = await login(by)
    assert.equal(answer.status, 200, JSON.stringify(by))
    const { accessToken } = answer.json() as Tokens
    assert.equal(
      (await server.call('GET', '/account/manage/info', { token: accessToken })).body,
      '{"email":"ann@example.com","isEmailConfirmed":false}',
    )
  }
})

test('without a name the address is the name', async () => {
  expectEmpty(await post('/register', { email: 'bea@example.com', password: goodPassword }), 200)
  assert.equal((await server.app.identity.users.findByName('bea@example.com'))?.email, 'bea@example.com')
  assert.equal((await login({ userName: 'bea@example.com' })).status, 200)
})

test('name wins over address where a login says both', async () => {
  await register('cleo', 'cleo@example.com')
  assert.equal((await login({ userName: 'cleo', email: 'nobody@example.com' })).status, 200)
  expectProblem(await login({ userName: 'nobody', email: 'cleo@example.com' }), 401, failed)
})

test('a login that says neither is 400, and one that says null for a name as well', async () => {
  expectEmpty(await login({}), 400)
  expectEmpty(await login({ userName: null }), 400)
  expectEmpty(await login({ email: null }), 400)
  expectEmpty(await login({ userName: 5 }), 400)
})

test('a taken name is reported; a taken address only where it must be unique', async () => {
  await register('dora', 'dora@example.com')
  expectProblem(
    await register('DORA', 'other@example.com'),
    400,
    validation('"DuplicateUserName":["Username \'DORA\' is already taken."]'),
  )
  expectEmpty(await register('dora-2', 'dora@example.com'), 200)
  await withApp({ identity: { user: { userNameIsEmail: false, requireUniqueEmail: true } } }, async (unique) => {
    expectEmpty(await register('dora', 'dora@example.com', unique), 200)
    expectProblem(
      await register('dora-2', 'Dora@example.com', unique),
      400,
      validation('"DuplicateEmail":["Email \'Dora@example.com\' is already taken."]'),
    )
  })
})

test('a name with characters that are not allowed is refused', async () => {
  expectProblem(
    await register('ä b', 'x@example.com'),
    400,
    validation('"InvalidUserName":["Username \'ä b\' is invalid, can only contain letters or digits."]'),
  )
  expectProblem(
    await register('', 'x@example.com'),
    400,
    validation('"InvalidUserName":["Username \'\' is invalid, can only contain letters or digits."]'),
  )
})

test("a name that looks like another user's address opens its own account only", async () => {
  await register('eve', 'eve@example.com')
  expectEmpty(await register('eve@example.com', 'mallory@example.com'), 200)
  const answer = await login({ email: 'eve@example.com' })
  const { accessToken } = answer.json() as Tokens
  assert.equal(
    (await server.call('GET', '/account/manage/info', { token: accessToken })).body,
    '{"email":"eve@example.com","isEmailConfirmed":false}',
  )
})

test('an address of several people logs nobody in who has not confirmed it, and the one who has as ever', async () => {
  await register('fay', 'fay@example.com')
  await register('fake-fay', 'fay@example.com')
  expectProblem(await login({ email: 'fay@example.com' }), 401, failed)
  assert.equal((await login({ userName: 'fay' })).status, 200)
  await server.sql("update users set email_confirmed = true where user_name = 'fay'")
  const answer = await login({ email: 'fay@example.com' })
  assert.equal(answer.status, 200)
  await server.sql("update users set email_confirmed = true where user_name = 'fake-fay'")
  expectProblem(await login({ email: 'fay@example.com' }), 401, failed)
})

test("a user who has confirmed an address that others claim gets a code by it, which resets their password and nobody else's", async () => {
  await register('hal', 'hal@example.com')
  await server.sql("update users set email_confirmed = true where user_name = 'hal'")
  await register('fake-hal', 'hal@example.com')
  await post('/forgotPassword', { email: 'hal@example.com' })
  await server.app.identity.mail.flush()
  const code = mails
    .findLast(({ to, subject }) => to === 'hal@example.com' && subject === 'Reset your password')!
    .text.split('\n\n')[1]!
    .trim()
  expectEmpty(
    await post('/resetPassword', { email: 'hal@example.com', resetCode: code, newPassword: 'Other-Horse-7' }),
    200,
  )
  assert.equal((await login({ userName: 'hal' }, 'Other-Horse-7')).status, 200)
  assert.equal((await login({ userName: 'fake-hal' })).status, 200)
})

test('a new address leaves the name as it is', async () => {
  await register('ida', 'ida@example.com')
  const { accessToken } = (await login({ userName: 'ida' })).json() as Tokens
  await server.call('POST', '/account/manage/info', { token: accessToken, json: { newEmail: 'ida@new.example' } })
  const link = await mailTo('ida@new.example')
  assert.equal((await server.call('GET', link.pathname + link.search)).status, 200)
  const user = (await server.app.identity.users.findByName('ida'))!
  assert.deepEqual([user.userName, user.email, user.emailConfirmed], ['ida', 'ida@new.example', true])
  assert.equal((await login({ email: 'ida@new.example' })).status, 200)
})

test('an unknown address and an unknown name are refused alike, and lock alike', async () => {
  for (const by of [{ email: 'nobody@nowhere.example' }, { userName: 'nobody-at-all' }]) {
    for (let guess = 0; guess < 4; guess++) expectProblem(await login(by, 'x'), 401, failed)
    for (let guess = 0; guess < 2; guess++)
      assert.equal(((await login(by, 'x')).json() as { detail: string }).detail, 'LockedOut')
  }
})

test('guesses by name and by address count together', async () => {
  await register('jo', 'jo@example.com')
  for (let guess = 0; guess < 2; guess++) {
    expectProblem(await login({ userName: 'jo' }, 'x'), 401, failed)
    expectProblem(await login({ email: 'jo@example.com' }, 'x'), 401, failed)
  }
  assert.equal(((await login({ email: 'jo@example.com' }, 'x')).json() as { detail: string }).detail, 'LockedOut')
  assert.equal(((await login({ userName: 'jo' })).json() as { detail: string }).detail, 'LockedOut')
})

test('by default a name at registration is ignored, and a login must say email', () =>
  withApp({}, async (byEmail) => {
    expectEmpty(await register('kim', 'kim@example.com', byEmail), 200)
    assert.equal(await byEmail.app.identity.users.findByName('kim'), null)
    expectEmpty(await post('/login', { userName: 'kim@example.com', password: goodPassword }, byEmail), 400)
    assert.equal((await post('/login', { email: 'kim@example.com', password: goodPassword }, byEmail)).status, 200)
  }))

const ownerOf = async (answer: Awaited<ReturnType<typeof login>>) => {
  assert.equal(answer.status, 200, answer.body)
  const { accessToken } = answer.json() as Tokens
  const info = await server.call('GET', '/account/manage/info', { token: accessToken })
  return (info.json() as { email: string }).email
}

/** A user called by an address-like name, and a stranger who has that name as address; or the other way around. */
const pairs: Record<string, (name: string) => Promise<unknown>> = {
  'who registers my user name as address': async (x) => [
    await register(`${x}@example.com`, `mine-${x}@example.com`),
    await register(`stranger-${x}`, `${x}@example.com`, server),
  ],
  'who registers and confirms my user name as address': async (x) => [
    await register(`${x}@example.com`, `mine-${x}@example.com`),
    await register(`stranger-${x}`, `${x}@example.com`),
    await server.sql('update users set email_confirmed = true where user_name = $1', [`stranger-${x}`]),
  ],
  'who moves to my user name as address': async (x) => {
    await register(`${x}@example.com`, `mine-${x}@example.com`)
    await register(`stranger-${x}`, `other-${x}@example.com`)
    const { users } = server.app.identity
    const stranger = (await users.findByName(`stranger-${x}`))!
    const code = users.generateChangeEmailToken(stranger, `${x}@example.com`)
    assert.ok((await users.changeEmail(stranger, `${x}@example.com`, code)).succeeded)
  },
}

for (const [index, [who, meet]] of Object.entries(pairs).entries()) {
  test(`a stranger ${who} neither gets into my account nor keeps me out`, async () => {
    const x = `victim${index}`
    await meet(x)
    const { users } = server.app.identity
    const stranger = (await users.findByName(`stranger-${x}`))!
    assert.ok((await users.changePassword(stranger, goodPassword, 'Strange-Horse-8')).succeeded)
    for (const by of [{ email: `${x}@example.com` }, { userName: `${x}@example.com` }])
      assert.equal(await ownerOf(await login(by)), `mine-${x}@example.com`)
    assert.equal(await ownerOf(await login({ email: `${x}@example.com` }, 'Strange-Horse-8')), `${x}@example.com`)
    expectProblem(await login({ userName: `${x}@example.com` }, 'Strange-Horse-8'), 401, failed)
    // Neither counts against the other, however often each signs in.
    for (let time = 0; time < 6; time++) {
      assert.equal((await login({ email: `${x}@example.com` })).status, 200)
      assert.equal((await login({ email: `${x}@example.com` }, 'Strange-Horse-8')).status, 200)
    }
    // Locked under his own name, the stranger does not lock me.
    for (let guess = 0; guess < 5; guess++) await login({ userName: `stranger-${x}` }, 'x')
    assert.equal(await ownerOf(await login({ email: `${x}@example.com` })), `mine-${x}@example.com`)
  })
}

test('a stranger who is called by my address neither gets into my account nor keeps me out', async () => {
  for (const confirmed of [false, true]) {
    const x = `owner-${confirmed}`
    await register(x, `${x}@example.com`)
    if (confirmed) await server.sql('update users set email_confirmed = true where user_name = $1', [x])
    await register(`${x}@example.com`, `stranger-of-${x}@example.com`)
    const { users } = server.app.identity
    const stranger = (await users.findByName(`${x}@example.com`))!
    assert.ok((await users.changePassword(stranger, goodPassword, 'Strange-Horse-8')).succeeded)
    assert.equal(await ownerOf(await login({ email: `${x}@example.com` })), `${x}@example.com`)
    assert.equal(
      await ownerOf(await login({ email: `${x}@example.com` }, 'Strange-Horse-8')),
      `stranger-of-${x}@example.com`,
    )
    const letters = mails.length
    await post('/forgotPassword', { email: `stranger-of-${x}@example.com` })
    await server.app.identity.mail.flush()
    assert.deepEqual(
      mails.slice(letters).map(({ to }) => to),
      [],
    )
  }
})

test('wrong passwords for a name that is also an address count against both users', async () => {
  await register('both@example.com', 'first@example.com')
  await register('second', 'both@example.com')
  for (let guess = 0; guess < 4; guess++) expectProblem(await login({ email: 'both@example.com' }, 'x'), 401, failed)
  for (const by of [{ email: 'both@example.com' }, { userName: 'second' }, { userName: 'both@example.com' }])
    assert.equal(((await login(by, 'x')).json() as { detail: string }).detail, 'LockedOut')
})

test('many sign-ins at once of two users whose names and addresses are crossed all end', async () => {
  await register('left@example.com', 'right@example.com')
  await register('right@example.com', 'left@example.com')
  const { users } = server.app.identity
  const right = (await users.findByName('right@example.com'))!
  assert.ok((await users.changePassword(right, goodPassword, 'Strange-Horse-8')).succeeded)
  const emails = Array.from({ length: 16 }, (_, index) => (index % 2 === 0 ? 'left@example.com' : 'right@example.com'))
  const answers = await Promise.all(
    emails.map((email, index) => login({ email }, index % 4 < 2 ? goodPassword : 'Strange-Horse-8')),
  )
  assert.deepEqual(
    answers.map(({ status }) => status),
    emails.map(() => 200),
  )
})
