import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  expectEmpty,
  expectProblem,
  goodPassword,
  startApp,
  type Answer,
  type TestApp,
  withApp,
} from '../support/app.js'

let server: TestApp

before(async () => {
  server = await startApp()
})
after(() => server.close())

const send = (json: unknown, to: TestApp = server) => to.call('POST', '/account/register', { json })

function validation(errors: string): string {
  return `{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.1","title":"One or more validation errors occurred.","status":400,"errors":{${errors}}}`
}

async function users(to: TestApp = server): Promise<Record<string, unknown>[]> {
  return to.sql('select * from users order by id')
}

test('a registration answers 200 with nothing in it, and signs nobody in', async () => {
  const answer = await send({ email: 'Ann@Example.com', password: goodPassword })
  expectEmpty(answer, 200)
  const [user] = await server.sql("select * from users where user_name = 'Ann@Example.com'")
  assert.equal(user!.email, 'Ann@Example.com')
  assert.equal(user!.normalized_user_name, 'ANN@EXAMPLE.COM')
  assert.equal(user!.normalized_email, 'ANN@EXAMPLE.COM')
  assert.equal(user!.email_confirmed, false)
  assert.equal(user!.lockout_enabled, true)
  assert.equal(user!.two_factor_enabled, false)
  assert.match(String(user!.password_hash), /^\$argon2id\$v=19\$/)
  assert.deepEqual(await server.sql('select id from sessions where user_id = $1', [user!.id]), [])
})

test('without an e-mail address there is no user', async () => {
  const before = (await users()).length
  const invalid: [email: string | null, shown: string][] = [
    [null, ''],
    ['', ''],
    ['plain', 'plain'],
    ['@example.com', '@example.com'],
    ['ann@', 'ann@'],
    ['a@b@c', 'a@b@c'],
    ['@', '@'],
    ['ann\n@example.com', 'ann\\n@example.com'],
    ['ann@exam\rple.com', 'ann@exam\\rple.com'],
    ['"', '\\"'],
  ]
  for (const [email, shown] of invalid) {
    // The address is judged before the password, which here is bad too.
    expectProblem(
      await send({ email, password: 'x' }),
      400,
      validation(`"InvalidEmail":["Email '${shown}' is invalid."]`),
    )
  }
  assert.equal((await users()).length, before)
})

test('a@b is an e-mail address, also in the shortest spelling of the request', async () => {
  expectEmpty(await send({ email: 'a@b', password: goodPassword }), 200)
})

test('characters outside the allowed ones make an invalid user name, also those that fold onto ASCII', async () => {
  for (const email of [
    'a b@c',
    'mike@gıthub.com',
    'ſam@example.com',
    "o'neil#@example.com",
    'o’neil@example.com',
    'a\t@b',
    '<b>@x',
    'a\u0000@x',
    '🙂@example.com',
    'é@x',
  ]) {
    const shown = JSON.stringify(email).slice(1, -1)
    expectProblem(
      await send({ email, password: goodPassword }),
      400,
      validation(`"InvalidUserName":["Username '${shown}' is invalid, can only contain letters or digits."]`),
    )
  }
})

test('an address with an apostrophe before the @ is a user name, and signs in', async () => {
  for (const email of ["o'neil@example.com", "'o''n'@example.com"]) {
    expectEmpty(await send({ email, password: goodPassword }), 200)
    const login = { email: email.toUpperCase(), password: goodPassword }
    assert.equal((await server.call('POST', '/account/login', { json: login })).status, 200)
    expectProblem(
      await send({ email: email.toUpperCase(), password: goodPassword }),
      400,
      validation(`"DuplicateUserName":["Username '${email.toUpperCase()}' is already taken."]`),
    )
  }
})

test('an apostrophe elsewhere is refused', async () => {
  const codes = async (email: string) =>
    Object.keys(((await send({ email, password: goodPassword })).json() as { errors: object }).errors)
  assert.deepEqual(await codes("x@o'neil.example"), ['InvalidUserName'])
  const { users } = server.app.identity
  const created = await users.create({ userName: "o'neil" }, goodPassword)
  assert.deepEqual(created.succeeded ? [] : created.errors.map(({ code }) => code), ['InvalidUserName'])
})

test('apostrophes, plus signs and letters of other alphabets stand in the answer as they are', async () => {
  const answer = await send({ email: 'ü+<&>@@', password: goodPassword })
  assert.ok(answer.body.includes("Email 'ü+<&>@@' is invalid."))
})

test('an address longer than a row is an invalid user name, and one that no mail can be written to an invalid address', async () => {
  const codes = async (email: string) => {
    const answer = await send({ email, password: goodPassword })
    assert.equal(answer.status, 400)
    return Object.keys((answer.json() as { errors: object }).errors)
  }
  assert.deepEqual(await codes(`${'a'.repeat(255)}@b`), ['InvalidUserName'])
  assert.deepEqual(await codes(`${'a'.repeat(65)}@b`), ['InvalidEmail'])
  assert.deepEqual(await codes('a@b..c'), ['InvalidEmail'])
  expectEmpty(await send({ email: `${'a'.repeat(64)}@b`, password: goodPassword }), 200)
})

test('an empty password misses every rule, in the order of the reference', async () => {
  expectProblem(
    await send({ email: 'weak@example.com', password: '' }),
    400,
    validation(
      [
        '"PasswordTooShort":["Passwords must be at least 6 characters."]',
        '"PasswordRequiresNonAlphanumeric":["Passwords must have at least one non alphanumeric character."]',
        '"PasswordRequiresDigit":["Passwords must have at least one digit (\'0\'-\'9\')."]',
        '"PasswordRequiresLower":["Passwords must have at least one lowercase (\'a\'-\'z\')."]',
        '"PasswordRequiresUpper":["Passwords must have at least one uppercase (\'A\'-\'Z\')."]',
        '"PasswordRequiresUniqueChars":["Passwords must use at least 1 different characters."]',
      ].join(','),
    ),
  )
})

test('a password that is too long is refused before it is hashed', async () => {
  expectProblem(
    await send({ email: 'long@example.com', password: `Aa1!${'x'.repeat(509)}` }),
    400,
    validation('"PasswordTooLong":["Passwords must be at most 512 characters."]'),
  )
  expectEmpty(await send({ email: 'long@example.com', password: `Aa1!${'x'.repeat(508)}` }), 200)
})

test('a taken name is reported as it was typed, in any letter case', async () => {
  const { email } = await server.register({ email: 'taken@example.com' })
  for (const typed of [email, 'TAKEN@example.com', 'Taken@Example.Com']) {
    expectProblem(
      await send({ email: typed, password: goodPassword }),
      400,
      validation(`"DuplicateUserName":["Username '${typed}' is already taken."]`),
    )
  }
})

test('a taken name with a weak password shows the password errors only', async () => {
  const { email } = await server.register()
  expectProblem(
    await send({ email, password: 'Weak-Password' }),
    400,
    validation('"PasswordRequiresDigit":["Passwords must have at least one digit (\'0\'-\'9\')."]'),
  )
})

test('with requireUniqueEmail a taken address gives two keys', () =>
  withApp({ identity: { user: { requireUniqueEmail: true } } }, async (unique) => {
    const { email } = await unique.register()
    expectProblem(
      await send({ email, password: goodPassword }, unique),
      400,
      validation(
        `"DuplicateUserName":["Username '${email}' is already taken."],"DuplicateEmail":["Email '${email}' is already taken."]`,
      ),
    )
  }))

test('of parallel registrations of one name exactly one succeeds, and the others get DuplicateUserName', async () => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => send({ email: 'race@example.com', password: goodPassword })),
  )
  const refused = answers.filter(({ status }) => status !== 200)
  assert.equal(refused.length, 19)
  for (const answer of refused) {
    expectProblem(answer, 400, validation('"DuplicateUserName":["Username \'race@example.com\' is already taken."]'))
  }
  assert.equal((await server.sql("select id from users where normalized_user_name = 'RACE@EXAMPLE.COM'")).length, 1)
})

test('errors come in the words of option errors, under the codes of the reference', () =>
  withApp({ identity: { errors: (code, args) => `${code}: ${args.join('/')} geht nicht` } }, async (german) => {
    expectProblem(
      await send({ email: 'ann', password: goodPassword }, german),
      400,
      validation('"InvalidEmail":["InvalidEmail: ann geht nicht"]'),
    )
  }))

test('password null, a missing member and a wrong type are 400 without a body', async () => {
  const bodies: unknown[] = [
    { email: 'x@example.com', password: null },
    { email: 'x@example.com' },
    { password: goodPassword },
    {},
    [],
    null,
    'text',
    5,
    true,
    { email: 5, password: goodPassword },
    { email: ['x@example.com'], password: goodPassword },
    { email: 'x@example.com', password: [goodPassword] },
    { email: true, password: goodPassword },
    { email: 'x@example.com', password: {} },
  ]
  for (const body of bodies) expectEmpty(await send(body), 400)
})

test('members are found in any letter case, and the last one wins', async () => {
  expectEmpty(await send({ EMAIL: 'upper@example.com', PassWord: goodPassword }), 200)
  const headers = { 'content-type': 'application/json' }
  const password = JSON.stringify(goodPassword)
  for (const payload of [
    `{"email":"first@example.com","email":"second@example.com","password":"x","PASSWORD":${password}}`,
    `{"email":"first@example.com","Email":"third@example.com","password":${password}}`,
    `{"EMAIL":"first@example.com","eMail":"no","email":"fourth@example.com","password":${password}}`,
  ])
    expectEmpty(await server.call('POST', '/account/register', { payload, headers }), 200)
  const names = (await users()).map((user) => user.user_name)
  for (const name of ['upper', 'second', 'third', 'fourth']) assert.ok(names.includes(`${name}@example.com`), name)
  assert.ok(!names.includes('first@example.com'))
})

test('unknown members are ignored and nothing of them is stored', async () => {
  const id = '0191e4c0-0000-7000-8000-000000000001'
  const answer = await send({
    email: 'mass@example.com',
    password: goodPassword,
    id,
    userName: 'admin',
    user_name: 'admin',
    emailConfirmed: true,
    email_confirmed: true,
    isEmailConfirmed: true,
    roles: ['admin'],
    claims: [{ type: 'role', value: 'admin' }],
    lockoutEnd: null,
    lockoutEnabled: false,
    securityStamp: 'mine',
    concurrencyStamp: id,
    passwordHash: 'mine',
    twoFactorEnabled: true,
    profile: { isAdmin: true },
    isAdmin: true,
    createdAt: '2000-01-01T00:00:00Z',
    phoneNumber: '1',
    phoneNumberConfirmed: true,
  })
  expectEmpty(answer, 200)
  const [user] = await server.sql("select * from users where email = 'mass@example.com'")
  assert.notEqual(user!.id, id)
  assert.equal(user!.user_name, 'mass@example.com')
  assert.equal(user!.email_confirmed, false)
  assert.equal(user!.lockout_enabled, true)
  assert.equal(user!.two_factor_enabled, false)
  assert.equal(user!.phone_number, null)
  assert.equal(user!.phone_number_confirmed, false)
  assert.deepEqual(user!.profile, {})
  assert.notEqual(user!.security_stamp, 'mine')
  assert.notEqual(user!.concurrency_stamp, id)
  assert.match(String(user!.password_hash), /^\$argon2id\$/)
  assert.equal((user!.created_at as Date).getTime(), server.clock())
  assert.deepEqual(await server.sql('select 1 from user_roles where user_id = $1', [user!.id]), [])
  assert.deepEqual(await server.sql('select 1 from user_claims where user_id = $1', [user!.id]), [])
})

test('__proto__ and constructor in a body change nothing but are no reason to refuse it', async () => {
  const headers = { 'content-type': 'application/json' }
  const bodies = [
    `{"__proto__":{"polluted":1,"email":"p@x.com"},"email":"proto1@example.com","password":"${goodPassword}"}`,
    `{"constructor":{"prototype":{"polluted":1}},"email":"proto2@example.com","password":"${goodPassword}"}`,
  ]
  const answers: Answer[] = []
  for (const payload of bodies) answers.push(await server.call('POST', '/account/register', { payload, headers }))
  for (const answer of answers) expectEmpty(answer, 200)
  assert.equal(({} as Record<string, unknown>).polluted, undefined)
  // The members of a prototype are not the members of the body.
  expectEmpty(
    await server.call('POST', '/account/register', {
      payload: `{"__proto__":{"email":"q@x.com","password":"${goodPassword}"}}`,
      headers,
    }),
    400,
  )
})

test('a validator of the host has a say after the rules', () =>
  withApp(
    {
      identity: {
        password: {
          validators: [
            (password, user) =>
              password.includes('Horse') ? [{ code: 'TooFamous', description: `Not for ${user.userName}` }] : [],
          ],
        },
      },
    },
    async (strict) => {
      expectProblem(
        await send({ email: 'ann@example.com', password: 'Horse' }, strict),
        400,
        validation(
          [
            '"PasswordTooShort":["Passwords must be at least 6 characters."]',
            '"PasswordRequiresNonAlphanumeric":["Passwords must have at least one non alphanumeric character."]',
            '"PasswordRequiresDigit":["Passwords must have at least one digit (\'0\'-\'9\')."]',
            '"TooFamous":["Not for ann@example.com"]',
          ].join(','),
        ),
      )
    },
  ))

test('failures of one code stand in one list, in their order', async () => {
  const twice = [
    { code: 'Odd', description: 'first' },
    { code: 'Other', description: 'second' },
    { code: 'Odd', description: 'third' },
  ]
  await withApp({ identity: { password: { validators: [() => twice] } } }, async (strict) => {
    expectProblem(
      await send({ email: 'ann@example.com', password: goodPassword }, strict),
      400,
      validation('"Odd":["first","third"],"Other":["second"]'),
    )
  })
})
