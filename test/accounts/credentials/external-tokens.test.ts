import assert from 'node:assert/strict'
import { test } from 'node:test'
import { codesOf, startHost } from '../../support/managers.js'

const host = await startHost()
const { users } = host

test('a token is written, written over, read and taken away', async () => {
  const user = await host.newUser()
  assert.equal(await users.getAuthenticationToken(user, 'google', 'access_token'), null)
  assert.deepEqual(await users.setAuthenticationToken(user, 'google', 'access_token', 'abc'), { succeeded: true })
  assert.deepEqual(await users.setAuthenticationToken(user, 'google', 'access_token', 'x'.repeat(100_000)), {
    succeeded: true,
  })
  assert.equal(await users.getAuthenticationToken(user, 'google', 'access_token'), 'x'.repeat(100_000))
  assert.deepEqual(await users.setAuthenticationToken(user, 'google', 'access_token', null), { succeeded: true })
  assert.equal(await users.getAuthenticationToken(user, 'google', 'access_token'), null)
  assert.equal((await host.app.sql('select 1 from user_tokens where user_id = $1', [user.id])).length, 1)
  assert.deepEqual(await users.removeAuthenticationToken(user, 'google', 'access_token'), { succeeded: true })
  assert.equal((await host.app.sql('select 1 from user_tokens where user_id = $1', [user.id])).length, 0)
})

test('tokens are told apart by user, provider and name', async () => {
  const [user, other] = [await host.newUser(), await host.newUser()]
  await users.setAuthenticationToken(user, 'google', 'a', '1')
  await users.setAuthenticationToken(user, 'google', 'b', '2')
  await users.setAuthenticationToken(user, 'github', 'a', '3')
  await users.setAuthenticationToken(other, 'google', 'a', '4')
  await users.removeAuthenticationToken(user, 'google', 'b')
  assert.deepEqual(
    [
      await users.getAuthenticationToken(user, 'google', 'a'),
      await users.getAuthenticationToken(user, 'google', 'b'),
      await users.getAuthenticationToken(user, 'github', 'a'),
      await users.getAuthenticationToken(other, 'google', 'a'),
    ],
    ['1', null, '3', '4'],
  )
})

test('the authenticator key is out of reach: not read, not replaced, not taken away', async () => {
  const user = await host.newUser()
  await users.resetAuthenticatorKey(user)
  const key = await users.getAuthenticatorKey(user)
  const before = { ...user }
  for (const provider of ['[AspNetUserStore]', '[Identity]']) {
    assert.equal(await users.getAuthenticationToken(user, provider, 'AuthenticatorKey'), null)
    assert.deepEqual(codesOf(await users.setAuthenticationToken(user, provider, 'AuthenticatorKey', 'x')), [
      'DefaultError',
    ])
    assert.deepEqual(codesOf(await users.removeAuthenticationToken(user, provider, 'AuthenticatorKey')), [
      'DefaultError',
    ])
  }
  assert.equal(await users.getAuthenticatorKey(user), key)
  assert.deepEqual(user, before)
})

test('a place or a value that no row can hold is refused', async () => {
  const user = await host.newUser()
  for (const bad of ['x'.repeat(129), '\0', '\ud800']) {
    assert.deepEqual(codesOf(await users.setAuthenticationToken(user, bad, 'n', 'v')), ['DefaultError'])
    assert.deepEqual(codesOf(await users.setAuthenticationToken(user, 'p', bad, 'v')), ['DefaultError'])
    assert.equal(await users.getAuthenticationToken(user, bad, 'n'), null)
    assert.equal(await users.getAuthenticationToken(user, 'p', bad), null)
    assert.deepEqual(await users.removeAuthenticationToken(user, 'p', bad), { succeeded: true })
  }
  for (const bad of ['\0', '\ud800'])
    assert.deepEqual(codesOf(await users.setAuthenticationToken(user, 'p', 'n', bad)), ['DefaultError'])
})

test('a token lies sealed in the database, for its user, provider and name', async () => {
  const [user, other] = [await host.newUser(), await host.newUser()]
  await users.setAuthenticationToken(user, 'google', 'refresh_token', 'planted-token-of-google')
  const stored = await host.app.sql('select user_tokens::text as row, value from user_tokens where user_id = $1', [
    user.id,
  ])
  assert.ok(stored.every(({ row }) => !String(row).includes('planted')))
  const { value } = stored[0]!
  for (const [userId, provider, name] of [
    [other.id, 'google', 'refresh_token'],
    [user.id, 'github', 'refresh_token'],
    [user.id, 'google', 'access_token'],
  ] as const) {
    await host.app.sql('insert into user_tokens values ($1, $2, $3, $4)', [userId, provider, name, value])
    const owner = userId === user.id ? user : other
    assert.equal(await users.getAuthenticationToken(owner, provider, name), null)
  }
})

test('a token that was stored before tokens were sealed is read, and sealed when it is written', async () => {
  const user = await host.newUser()
  await host.app.sql("insert into user_tokens values ($1, 'google', 'a', 'plain')", [user.id])
  assert.equal(await users.getAuthenticationToken(user, 'google', 'a'), 'plain')
  await users.setAuthenticationToken(user, 'google', 'a', 'plain')
  const [row] = await host.app.sql('select value from user_tokens where user_id = $1', [user.id])
  assert.doesNotMatch(String(row!.value), /plain/)
  assert.equal(await users.getAuthenticationToken(user, 'google', 'a'), 'plain')
})
