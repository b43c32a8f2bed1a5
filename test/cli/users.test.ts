// An administrator's changes in a shell, while the application runs in this process.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import pg from 'pg'
import type { User } from '../../src/index.js'
import { guarded, login, newcomer, password, refresh, register, signIn, startApp, until } from '../support/instances.js'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'
import { jsonOf, shell } from '../support/shell.js'

interface ShownUser {
  readonly id: string
  readonly userName: string
  readonly lockoutEnd: string | null
  readonly twoFactorEnabled: boolean
  readonly [other: string]: unknown
}

async function userOf(app: FastifyInstance, name: string): Promise<User> {
  const user = await app.identity.users.findByName(name)
  assert.ok(user)
  return user
}

test('a user is listed, shown, locked, unlocked and deleted', async (t) => {
  const schema = uniqueSchema()
  const app = await startApp(t, { schema })
  const { accessToken } = await newcomer(app, 'ada@example.com')
  await register(app, 'bob@example.com')
  const ada = await userOf(app, 'ada@example.com')
  await app.identity.roles.create({ name: 'clerk' })
  await app.identity.users.addToRole(ada, 'clerk')
  await app.identity.users.addClaim(ada, { type: 'department', value: 'sales' })
  const call = (...args: string[]) => jsonOf(['users', ...args, '--schema', schema, '--yes'])

  const { users } = (await call('list')) as { users: ShownUser[] }
  assert.deepEqual(
    users.map(({ userName }) => userName),
    ['ada@example.com', 'bob@example.com'],
  )
  const { user: shown } = (await call('show', 'ADA@example.com')) as { user: ShownUser }
  assert.deepEqual(
    [shown.id, shown.roles, shown.claims, (shown.sessions as unknown[]).length],
    [ada.id, ['clerk'], [{ type: 'department', value: 'sales' }], 1],
  )

  const { user: locked } = (await call('lock', ada.id, '--until', '2999-01-31T12:00:00Z')) as { user: ShownUser }
  assert.equal(locked.lockoutEnd, '2999-01-31T12:00:00.000Z')
  await until(async () => (await guarded(app, accessToken)).status === 401)
  assert.match((await login(app, 'ada@example.com')).text, /LockedOut/)
  assert.equal(((await call('unlock', ada.id)) as { user: ShownUser }).user.lockoutEnd, null)
  await signIn(app, 'ada@example.com')

  assert.deepEqual(await call('delete', 'ada@example.com'), { deleted: ada.id })
  assert.equal(await app.identity.users.findById(ada.id), null)
  assert.equal((await shell(['users', 'show', ada.id, '--schema', schema])).code, 1)
})

test('a running application refuses the sessions that a shell has ended, by token and by refresh', async (t) => {
  const schema = uniqueSchema()
  const app = await startApp(t, { schema })
  const { accessToken, refreshToken } = await newcomer(app, 'ada@example.com')
  const other = await newcomer(app, 'bob@example.com')
  const { id } = await userOf(app, 'ada@example.com')
  assert.deepEqual(await jsonOf(['users', 'end-sessions', 'ada@example.com', '--yes', '--schema', schema]), {
    userId: id,
    ended: 1,
  })
  await until(async () => (await guarded(app, accessToken)).status === 401)
  assert.equal((await refresh(app, refreshToken)).status, 401)
  assert.equal((await guarded(app, other.accessToken)).status, 200)
  assert.equal((await login(app, 'ada@example.com')).status, 200)
})

test('passkeys of a user are listed without their keys, and one is taken away with the sessions', async (t) => {
  const schema = uniqueSchema()
  const app = await startApp(t, { schema })
  const { accessToken } = await newcomer(app, 'ada@example.com')
  await register(app, 'bob@example.com')
  const ada = await userOf(app, 'ada@example.com')
  const [credentialId, other] = ['first', 'second'].map((id) => Buffer.from(id))
  for (const [id, name] of [
    [credentialId!, 'Laptop\u202e'],
    [other!, null],
  ] as const) {
    const result = await app.identity.users.addOrUpdatePasskey(ada, {
      credentialId: id,
      publicKey: Buffer.from('a public key'),
      name,
      createdAt: new Date('2026-01-31T12:00:00Z'),
      signCount: 3,
      transports: ['internal'],
      isUserVerified: true,
      isBackupEligible: true,
      isBackedUp: true,
      attestationObject: Buffer.from('an attestation'),
      clientDataJson: Buffer.from('{}'),
    })
    assert.ok(result.succeeded)
  }
  const id = credentialId!.toString('base64url')
  const call = (...args: string[]) => ['users', 'passkeys', 'ada@example.com', '--schema', schema, ...args]

  const { passkeys } = (await jsonOf(call())) as { passkeys: Record<string, unknown>[] }
  assert.deepEqual(
    passkeys.map((passkey) => [passkey.credentialId, passkey.createdAt, passkey.isBackedUp]),
    [
      [id, '2026-01-31T12:00:00.000Z', true],
      [other!.toString('base64url'), '2026-01-31T12:00:00.000Z', true],
    ],
  )
  const { stdout } = await shell(call())
  assert.match(stdout, /Laptop/)
  assert.doesNotMatch(stdout, /\u202e|public/)

  const failures = [
    [call('--remove', 'no id!', '--yes'), 2],
    [call('--remove', id), 2],
    [call('--remove', 'AAAA', '--yes'), 1],
    [['users', 'passkeys', 'bob@example.com', '--schema', schema, '--remove', id, '--yes'], 1],
  ] as const
  for (const [args, code] of failures) assert.equal((await shell([...args])).code, code)
  assert.equal((await app.identity.users.getPasskeys(ada)).length, 2)

  assert.deepEqual(await jsonOf(call('--remove', id, '--yes')), { userId: ada.id, removed: id })
  assert.deepEqual(
    (await app.identity.users.getPasskeys(ada)).map((one) => Buffer.from(one.credentialId).toString()),
    ['second'],
  )
  await until(async () => (await guarded(app, accessToken)).status === 401)
})

test('a user who has lost every factor signs in with the password once a shell has reset them', async (t) => {
  const schema = uniqueSchema()
  const app = await startApp(t, { schema })
  await register(app, 'ada@example.com')
  const ada = await userOf(app, 'ada@example.com')
  await app.identity.users.resetAuthenticatorKey(ada)
  await app.identity.users.setTwoFactorEnabled(ada, true)
  const codes = await app.identity.users.generateNewTwoFactorRecoveryCodes(ada, 3)
  const key = await app.identity.users.getAuthenticatorKey(ada)
  assert.match((await login(app, 'ada@example.com')).text, /RequiresTwoFactor/)
  const { user } = (await jsonOf(['users', 'show', ada.id, '--schema', schema])) as { user: ShownUser }
  assert.equal(user.recoveryCodesLeft, 3)
  for (const secret of [...codes, key!]) assert.ok(!JSON.stringify(user).includes(secret))

  const reset = (await jsonOf(['users', 'reset-second-factor', ada.id, '--yes', '--schema', schema])) as {
    user: ShownUser
  }
  assert.equal(reset.user.twoFactorEnabled, false)
  assert.equal((await login(app, 'ada@example.com')).status, 200)
})

test('unlock forgets failed sign-ins, also in a realm of another name', async (t) => {
  const schema = uniqueSchema()
  const app = await startApp(t, { schema, decorator: 'staff', lockout: { maxFailedAccessAttempts: 2 } })
  await register(app, 'ada@example.com')
  for (let attempt = 0; attempt < 2; attempt++) await login(app, 'ada@example.com', 'wrong')
  assert.match((await login(app, 'ada@example.com')).text, /LockedOut/)
  const { user } = (await jsonOf(['users', 'show', 'ada@example.com', '--schema', schema, '--decorator', 'staff'])) as {
    user: ShownUser
  }
  assert.equal(user.isLockedOut, true)
  await jsonOf(['users', 'unlock', 'ada@example.com', '--schema', schema, '--decorator', 'staff'])
  assert.equal((await login(app, 'ada@example.com')).status, 200)
})

for (const command of ['lock', 'delete', 'end-sessions', 'reset-second-factor']) {
  test(`users ${command} without --yes does nothing without a terminal, with exit code 2`, async (t) => {
    const schema = uniqueSchema()
    const app = await startApp(t, { schema })
    const { accessToken } = await newcomer(app, 'ada@example.com')
    const before = await userOf(app, 'ada@example.com')
    const { code, stdout, stderr } = await shell(['users', command, 'ada@example.com', '--schema', schema])
    assert.deepEqual({ code, stdout }, { code: 2, stdout: '' })
    assert.match(stderr, /Pass --yes to confirm\n$/)
    assert.deepEqual(await userOf(app, 'ada@example.com'), before)
    assert.equal((await app.identity.sessions.list(before.id)).length, 1)
    assert.equal((await guarded(app, accessToken)).status, 200)
  })
}

test('pages of a list follow each other by the printed cursor, and a search finds by name or address', async (t) => {
  const schema = uniqueSchema()
  const app = await startApp(t, { schema })
  for (const name of ['ada', 'alan', 'bob']) await register(app, `${name}@example.com`)
  const names = (page: Record<string, unknown>) => (page.users as ShownUser[]).map(({ userName }) => userName)
  const first = await jsonOf(['users', 'list', '--limit', '2', '--schema', schema])
  const second = await jsonOf(['users', 'list', '--limit', '2', '--after', String(first.next), '--schema', schema])
  assert.deepEqual(
    [names(first), names(second), second.next],
    [['ada@example.com', 'alan@example.com'], ['bob@example.com'], null],
  )
  assert.deepEqual(names(await jsonOf(['users', 'list', '--search', 'AL', '--schema', schema])), ['alan@example.com'])
  const { stdout } = await shell(['users', 'list', '--limit', '2', '--schema', schema])
  assert.match(stdout, /^ID +USER NAME +EMAIL +2ND FACTOR +LOCKED +CREATED\n/)
  assert.match(stdout, new RegExp(`\n\nMore: --after ${String(first.next)}\n$`))
})

test('an address that several users share is ambiguous; their ids are printed', async (t) => {
  const schema = uniqueSchema()
  const app = await startApp(t, { schema })
  const ids: string[] = []
  for (const userName of ['ada', 'family']) {
    const created = await app.identity.users.create({ userName, email: 'shared@example.com' }, password)
    assert.ok(created.succeeded)
    ids.push(created.user.id)
  }
  // A user whose name is the address of others.
  const squatter = await app.identity.users.create({ userName: 'shared@example.com' }, password)
  assert.ok(squatter.succeeded)
  const { code, stderr } = await shell(['users', 'delete', 'shared@example.com', '--yes', '--json', '--schema', schema])
  assert.equal(code, 1)
  const [line] = stderr.trimEnd().split('\n').slice(-1)
  const { error } = JSON.parse(line!) as { error: { code: string; message: string } }
  assert.equal(error.code, 'AMBIGUOUS')
  for (const id of [...ids, squatter.user.id]) assert.ok(error.message.includes(id))
  assert.equal(((await jsonOf(['users', 'list', '--schema', schema])) as { users: ShownUser[] }).users.length, 3)
})

test("the application's rules for names and addresses are neither applied nor lost", async (t) => {
  const schema = uniqueSchema()
  const app = await startApp(t, {
    schema,
    user: { requireUniqueEmail: true, allowedUserNameCharacters: null, userNameIsEmail: false },
  })
  const created = await app.identity.users.create({ userName: 'Ada Lovelace', email: 'ada@example.com' }, password)
  assert.ok(created.succeeded)
  await jsonOf(['users', 'lock', 'ada@example.com', '--yes', '--schema', schema])
  await jsonOf(['users', 'unlock', 'Ada Lovelace', '--schema', schema])
  const twin = await Promise.all(
    [1, 2].map((n) => app.identity.users.create({ userName: `twin-${n}`, email: 'ada@example.com' }, password)),
  )
  assert.deepEqual(
    twin.map((result) => (result.succeeded ? 'taken twice' : result.errors[0]?.code)),
    ['DuplicateEmail', 'DuplicateEmail'],
  )
  const client = new pg.Client(await databaseUrl())
  await client.connect()
  t.after(() => client.end())
  const { rows } = await client.query<{ unique_email: string }>(`select unique_email from ${schema}.users`)
  assert.deepEqual(
    rows.map((row) => row.unique_email),
    ['ADA@EXAMPLE.COM'],
  )
})

test('a failure of a manager is printed by its code, with exit code 1', async (t) => {
  const schema = uniqueSchema()
  const app = await startApp(t, { schema })
  await app.identity.users.create({ userName: 'ada', lockoutEnabled: false })
  const { code, stdout, stderr } = await shell(['users', 'lock', 'ada', '--yes', '--json', '--schema', schema], {
    IDENTITY_SECRET: '',
  })
  assert.deepEqual({ code, stdout }, { code: 1, stdout: '' })
  const [last] = stderr.trimEnd().split('\n').slice(-1)
  assert.deepEqual(JSON.parse(last!), {
    error: { code: 'UserLockoutNotEnabled', message: 'Lockout is not enabled for this user.' },
  })
})

test('no hash, stamp or session token of a user is shown, and no typed text sends commands to the terminal', async (t) => {
  const schema = uniqueSchema()
  const app = await startApp(t, { schema, user: { allowedUserNameCharacters: null } })
  const userName = 'ada\u202Eexample'
  const created = await app.identity.users.create(
    { userName, email: 'ada@example.com', profile: { note: '\u001B[2J\u0007' } },
    password,
  )
  assert.ok(created.succeeded)
  const { user } = created
  for (const args of [['show', user.id], ['list'], ['show', user.id, '--json'], ['list', '--json']]) {
    const { code, stdout } = await shell(['users', ...args, '--schema', schema])
    assert.equal(code, 0)
    assert.doesNotMatch(stdout.replaceAll('\n', ''), /[\p{Cc}\p{Cf}]/u)
    for (const secret of [user.passwordHash!, user.securityStamp, user.concurrencyStamp])
      assert.ok(!stdout.includes(secret))
    if (args.includes('--json')) assert.ok(JSON.stringify(JSON.parse(stdout)).includes(userName))
  }
})
