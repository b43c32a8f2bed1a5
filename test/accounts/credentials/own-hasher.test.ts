// Option password.hasher as an object of the host's own: it stores and verifies, behind our queue and our throttle.
import assert from 'node:assert/strict'
import { randomBytes, scryptSync, timingSafeEqual } from 'node:crypto'
import { after, before, beforeEach, test } from 'node:test'
import type { PasswordHasher, VerifyResult } from '../../../src/index.js'
import { expectProblem, goodPassword, startApp, type TestApp, withApp } from '../../support/app.js'

interface Recorded extends PasswordHasher {
  readonly verified: string[]
}

/** `version$salt$key`; a hash of another version is right and due to be replaced. */
function scryptHasher(version = 'v1'): Recorded {
  const verified: string[] = []
  return {
    verified,
    hash(password) {
      const salt = randomBytes(8)
      return Promise.resolve(
        [version, salt.toString('hex'), scryptSync(password, salt, 16, { N: 16 }).toString('hex')].join('$'),
      )
    },
    verify(hash, password) {
      verified.push(hash)
      const [made = '', salt = '', key = ''] = hash.split('$')
      const expected = Buffer.from(key, 'hex')
      if (expected.length !== 16) return Promise.resolve<VerifyResult>('no')
      const isRight = timingSafeEqual(scryptSync(password, Buffer.from(salt, 'hex'), 16, { N: 16 }), expected)
      return Promise.resolve(isRight ? (made === version ? 'yes' : 'yes-rehash') : 'no')
    },
  }
}

const hasher = scryptHasher()
let server: TestApp

before(async () => {
  server = await startApp({ identity: { password: { hasher } } })
})
after(() => server.close())
beforeEach(() => {
  hasher.verified.length = 0
})

const login = (person: object, of: TestApp = server) => of.call('POST', '/account/login', { json: person })
const failed =
  '{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.2","title":"Unauthorized","status":401,"detail":"Failed"}'

test('what the hasher makes is stored, and what it verifies is let in', async () => {
  const { email, password } = await server.signIn()
  const user = (await server.app.identity.users.findByName(email))!
  assert.match(user.passwordHash!, /^v1\$[0-9a-f]{16}\$[0-9a-f]{32}$/)
  expectProblem(await login({ email, password: `${password}x` }), 401, failed)
  assert.equal(await server.app.identity.users.checkPassword(user, goodPassword), true)
})

test('an unknown user costs a verification too', async () => {
  expectProblem(await login({ email: 'nobody@example.com', password: goodPassword }), 401, failed)
  assert.equal(hasher.verified.length, 1)
  assert.match(hasher.verified[0]!, /^v1\$/)
})

test('a hash that is due is replaced at sign-in, and the sign-in stands', () =>
  withApp({ identity: { password: { hasher: scryptHasher('v2') } } }, async (own) => {
    const person = await own.register()
    await own.sql('update users set password_hash = $1 where user_name = $2', [
      await scryptHasher('v1').hash(goodPassword),
      person.email,
    ])
    await own.signIn(person)
    const user = (await own.app.identity.users.findByName(person.email))!
    assert.match(user.passwordHash!, /^v2\$/)
    await own.signIn(person)
  }))

test('a hash that the hasher cannot read is a wrong password', async () => {
  const person = await server.register()
  await server.sql(
    "update users set password_hash = '$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA' where user_name = $1",
    [person.email],
  )
  expectProblem(await login(person), 401, failed)
})

test('a hasher that fails is a 500 that says nothing of it and counts as no wrong password', async () => {
  let isDown = false
  const shaky: PasswordHasher = {
    ...hasher,
    verify: (hash, password) =>
      isDown ? Promise.reject(new Error('the vault is sealed')) : hasher.verify(hash, password),
  }
  await withApp({ identity: { password: { hasher: shaky } } }, async (own) => {
    const person = await own.register()
    isDown = true
    for (let attempt = 0; attempt < 8; attempt++) {
      const answer = await login(person, own)
      assert.equal(answer.status, 500)
      assert.ok(!answer.body.includes('vault'))
    }
    isDown = false
    await own.signIn(person)
  })
})

test('half a hasher is refused at registration', async () => {
  await assert.rejects(
    startApp({ identity: { password: { hasher: { hash: (text: string) => hasher.hash(text) } as PasswordHasher } } }),
    { code: 'FST_IDENTITY_INVALID_OPTION', message: /^Option 'password\.hasher\.hash' is unknown/ },
  )
})
