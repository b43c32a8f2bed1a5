import assert from 'node:assert/strict'
import { test } from 'node:test'
import { codesOf, goodPassword, startHost, uniqueName } from '../../support/managers.js'

const host = await startHost()
const { users } = host
const claim = (value: string, type = 'colour') => ({ type, value })

test('claims are listed in the order of their addition, also twice', async () => {
  const user = await host.newUser()
  assert.deepEqual(await users.addClaim(user, claim('green')), { succeeded: true })
  host.clock.advance(1)
  const many = Array.from({ length: 20 }, (_, index) => claim(String(index)))
  assert.deepEqual(await users.addClaims(user, many), { succeeded: true })
  assert.deepEqual(await users.addClaims(user, []), { succeeded: true })
  host.clock.advance(1)
  await users.addClaim(user, claim('green'))
  assert.deepEqual(await users.getClaims(user), [claim('green'), ...many, claim('green')])
})

test('a ticket contains the claims from the next sign-in on', async () => {
  const user = await host.newUser({}, goodPassword)
  await users.addClaim(user, claim('it\'s "quoted", \\{commas}'))
  const result = await host.signIn.passwordSignIn(user.userName, goodPassword)
  assert.deepEqual(result.succeeded && result.signedIn.claims, [claim('it\'s "quoted", \\{commas}')])
})

test('removeClaim takes away every one of that type and value, and nothing else', async () => {
  const [user, other] = [await host.newUser(), await host.newUser()]
  await users.addClaims(user, [claim('green'), claim('Green'), claim('green', 'Colour'), claim('green')])
  await users.addClaim(other, claim('green'))
  assert.deepEqual(await users.removeClaim(user, claim('green')), { succeeded: true })
  assert.deepEqual(await users.getClaims(user), [claim('Green'), claim('green', 'Colour')])
  assert.deepEqual(await users.getClaims(other), [claim('green')])
})

test('removeClaims takes several away; those that are not there are no failure', async () => {
  const user = await host.newUser()
  await users.addClaims(user, [claim('a'), claim('b'), claim('c')])
  assert.deepEqual(await users.removeClaims(user, [claim('a'), claim('c'), claim('d'), claim('\0')]), {
    succeeded: true,
  })
  assert.deepEqual(await users.getClaims(user), [claim('b')])
  assert.deepEqual(await users.removeClaims(user, []), { succeeded: true })
})

test('replaceClaim changes every one in its place', async () => {
  const user = await host.newUser()
  await users.addClaims(user, [claim('a'), claim('b'), claim('a')])
  assert.deepEqual(await users.replaceClaim(user, claim('a'), claim('z', 'letter')), { succeeded: true })
  assert.deepEqual(await users.getClaims(user), [claim('z', 'letter'), claim('b'), claim('z', 'letter')])
  assert.deepEqual(await users.replaceClaim(user, claim('none'), claim('x')), { succeeded: true })
  assert.deepEqual(await users.replaceClaim(user, claim('\0'), claim('x')), { succeeded: true })
  assert.equal((await users.getClaims(user)).length, 3)
})

test('a claim that cannot be carried is refused, and none of those beside it is written', async () => {
  const user = await host.newUser()
  for (const bad of [claim('\0'), claim('x', ''), claim('x', '\0'), claim('\ud800'), claim('é'.repeat(1022))]) {
    assert.deepEqual(codesOf(await users.addClaims(user, [claim('good'), bad])), ['DefaultError'])
    assert.deepEqual(codesOf(await users.replaceClaim(user, claim('good'), bad)), ['DefaultError'])
    assert.deepEqual(await users.getUsersForClaim(bad), { users: [], next: null })
  }
  assert.deepEqual(await users.getClaims(user), [])
})

test('a claim of 2,048 bytes that nothing can press is written and found', async () => {
  const user = await host.newUser()
  const value = Array.from({ length: 2042 }, (_, index) =>
    String.fromCharCode(33 + ((index * index * 7919) % 90)),
  ).join('')
  assert.deepEqual(await users.addClaim(user, claim(value)), { succeeded: true })
  assert.deepEqual((await users.getUsersForClaim(claim(value))).users, [user])
})

test('getUsersForClaim returns its users page by page, each once', async () => {
  const value = uniqueName()
  const all = []
  for (let i = 0; i < 7; i++) {
    const user = await host.newUser()
    await users.addClaims(user, [claim(value), claim(value)])
    all.push(user.id)
  }
  await users.addClaim(await host.newUser(), claim(`${value}x`))
  const found = []
  let next: string | null = null
  let pages = 0
  do {
    const page = await users.getUsersForClaim(claim(value), { after: next, limit: 3 })
    found.push(...page.users.map(({ id }) => id))
    next = page.next
    pages++
  } while (next !== null)
  assert.deepEqual(found, all.sort())
  assert.equal(pages, 3)
})

test('a page behind what is no page is empty', async () => {
  assert.deepEqual(await users.getUsersForClaim(claim('x'), { after: 'nowhere' }), { users: [], next: null })
})
