import assert from 'node:assert/strict'
import { test } from 'node:test'
import { codesOf, goodPassword, startHost, uniqueName } from '../../support/managers.js'

const host = await startHost()
const { users } = host

test('the getters say what the user is', async () => {
  const user = await host.newUser({ userName: 'Alice', email: 'alice@example.com' })
  assert.deepEqual(
    [
      users.getUserId(user),
      users.getUserName(user),
      users.getEmail(user),
      users.isEmailConfirmed(user),
      users.getSecurityStamp(user),
    ],
    [user.id, 'Alice', 'alice@example.com', true, user.securityStamp],
  )
})

test('getUserId, getUserName and getUser take who is calling', async () => {
  const user = await host.newUser()
  const principal = { userId: user.id, userName: 'as of then' }
  assert.equal(users.getUserId(principal), user.id)
  assert.equal(users.getUserName(principal), 'as of then')
  assert.deepEqual(await users.getUser(principal), user)
  assert.deepEqual(await users.getUser({ userId: user.id.toUpperCase() }), user)
})

test('nobody is calling: there is no id, no name and no user', async () => {
  for (const nobody of [null, undefined]) {
    assert.deepEqual(
      [users.getUserId(nobody), users.getUserName(nobody), await users.getUser(nobody)],
      [null, null, null],
    )
  }
  assert.equal(users.getUserName({ userId: 'x' }), null)
})

test('a principal whose user was deleted, or whose id is none, has no user', async () => {
  const user = await host.newUser()
  await users.delete(user)
  for (const userId of [user.id, 'nobody', '', '\0', 'x'.repeat(1000)])
    assert.equal(await users.getUser({ userId }), null)
})

test('setUserName gives another name to sign in by', async () => {
  const user = await host.newUser({}, goodPassword)
  const [before, after] = [user.userName, uniqueName('Élodie')]
  assert.deepEqual(codesOf(await users.setUserName(user, after)), ['InvalidUserName'])
  const name = uniqueName('Elodie')
  assert.deepEqual(await users.setUserName(user, name), { succeeded: true })
  assert.equal(user.normalizedUserName, name.toUpperCase())
  assert.equal((await host.signIn.passwordSignIn(name.toLowerCase(), goodPassword)).succeeded, true)
  assert.equal((await host.signIn.passwordSignIn(before, goodPassword)).succeeded, false)
})

test('a taken name is refused, and the object stays as it was', async () => {
  const [user, other] = [await host.newUser(), await host.newUser()]
  const before = { ...user }
  assert.deepEqual(codesOf(await users.setUserName(user, other.userName.toUpperCase())), ['DuplicateUserName'])
  assert.deepEqual(user, before)
})

test("a name in another spelling is no other user's", async () => {
  const user = await host.newUser()
  assert.deepEqual(await users.setUserName(user, user.userName.toUpperCase()), { succeeded: true })
})

test('of many who take one name at once one succeeds', async () => {
  const name = uniqueName('wanted')
  const all = await Promise.all(Array.from({ length: 10 }, () => host.newUser()))
  const results = await Promise.all(all.map((user) => users.setUserName(user, name)))
  assert.deepEqual(
    results.flatMap(codesOf),
    Array.from({ length: 9 }, () => 'DuplicateUserName'),
  )
})

test('names that no row can hold are refused', async () => {
  const user = await host.newUser()
  for (const name of ['', ' ', 'a\0b', 'x'.repeat(257), '\ud800'])
    assert.deepEqual(codesOf(await users.setUserName(user, name)), ['InvalidUserName'])
})

test('updateNormalizedUserName and updateNormalizedEmail bring the object in line and write nothing', async () => {
  const user = await host.newUser()
  const before = await host.reread(user)
  user.userName = 'someone.else'
  user.email = 'someone@else.example'
  users.updateNormalizedUserName(user)
  users.updateNormalizedEmail(user)
  assert.deepEqual([user.normalizedUserName, user.normalizedEmail], ['SOMEONE.ELSE', 'SOMEONE@ELSE.EXAMPLE'])
  user.email = null
  users.updateNormalizedEmail(user)
  assert.equal(user.normalizedEmail, null)
  assert.deepEqual(await host.reread(user), before)
})

test('normalizeName and normalizeEmail fold letters one to one, and return null for what no row can hold', () => {
  for (const normalize of [(text: string) => users.normalizeName(text), (text: string) => users.normalizeEmail(text)]) {
    assert.equal(normalize('e\u0301ls@x.ı'), 'ÉLS@X.ı')
    for (const bad of ['\0', 'x'.repeat(257), '\ud800']) assert.equal(normalize(bad), null)
  }
})

test('updateSecurityStamp refuses what was issued before', async () => {
  const user = await host.newUser({}, goodPassword)
  const { accessToken, refreshToken } = await host.app.signIn({ email: user.userName, password: goodPassword })
  const code = users.generatePasswordResetToken(user)
  assert.deepEqual(await users.updateSecurityStamp(user), { succeeded: true })
  assert.match(user.securityStamp, /^[A-Z2-7]{32}$/)
  assert.equal((await host.app.call('GET', '/account/manage/info', { token: accessToken })).status, 401)
  assert.equal((await host.app.call('POST', '/account/refresh', { json: { refreshToken } })).status, 401)
  assert.deepEqual(codesOf(await users.resetPassword(user, code, goodPassword)), ['InvalidToken'])
})

test('createSecurityToken is the stamp in UTF-16LE', async () => {
  const user = await host.newUser()
  assert.deepEqual(Buffer.from(users.createSecurityToken(user)), Buffer.from(user.securityStamp, 'utf16le'))
})
