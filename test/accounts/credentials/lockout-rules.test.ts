import assert from 'node:assert/strict'
import type { FastifyInstance } from 'fastify'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { IdentityOptions } from '../../../src/index.js'
import { login, password, register, startTwins, tally } from '../../support/instances.js'

const wrong = 'Wrong-horse-1'

// A hasher that is slow enough to be overtaken, and knows which passwords it was asked about.
async function place(t: TestContext, options: IdentityOptions = {}) {
  const verified: string[] = []
  const hasher = {
    hash: (text: string) => Promise.resolve(`plain:${text}`),
    async verify(hash: string, text: string) {
      verified.push(text)
      await sleep(2)
      return hash === `plain:${text}` ? ('yes' as const) : ('no' as const)
    },
  }
  const twins = await startTwins(t, { ...options, password: { hasher } })
  await register(twins[0], 'alice@example.com')
  return { twins, verified, wrongOnes: () => verified.filter((text) => text === wrong).length }
}

function inParallel(twins: readonly FastifyInstance[], passwords: readonly string[], email = 'alice@example.com') {
  return Promise.all(
    passwords.map(async (pass, index) => {
      const { status, body } = await login(twins[index % twins.length]!, email, pass)
      return status === 200 ? 'in' : String(body?.detail)
    }),
  )
}

const times = (count: number, text: string) => Array.from({ length: count }, () => text)

test('of 100 wrong passwords at once on two instances 5 are verified', async (t) => {
  const { twins, wrongOnes } = await place(t)
  assert.deepEqual(tally(await inParallel(twins, times(100, wrong))), { Failed: 4, LockedOut: 96 })
  assert.equal(wrongOnes(), 5)
})

test('of 100 wrong passwords at once for a name that nobody has 5 are verified', async (t) => {
  const { twins, wrongOnes } = await place(t)
  assert.deepEqual(tally(await inParallel(twins, times(100, wrong), 'nobody@example.com')), {
    Failed: 4,
    LockedOut: 96,
  })
  assert.equal(wrongOnes(), 5)
})

test('100 right passwords at once on two instances all sign in', async (t) => {
  const { twins } = await place(t)
  assert.deepEqual(tally(await inParallel(twins, times(100, password))), { in: 100 })
})

test('100 right passwords at once all sign in when one more failure would lock', async (t) => {
  const { twins } = await place(t)
  assert.deepEqual(tally(await inParallel(twins, times(4, wrong))), { Failed: 4 })
  assert.deepEqual(tally(await inParallel(twins, times(100, password))), { in: 100 })
})

test('among 95 wrong passwords 5 right ones buy no more than 5 guesses each', async (t) => {
  const { twins, wrongOnes } = await place(t)
  const mixed = Array.from({ length: 100 }, (_, index) => (index % 20 === 3 ? password : wrong))
  const answers = await inParallel(twins, mixed)
  const signedIn = answers.filter((answer) => answer === 'in').length
  const rightOnes = answers.filter((_, index) => mixed[index] === password)
  assert.deepEqual(
    rightOnes.filter((answer) => answer !== 'in' && answer !== 'LockedOut'),
    [],
  )
  assert.ok(wrongOnes() <= 5 * (1 + signedIn), `${wrongOnes()} wrong ones verified, ${signedIn} signed in`)
})

test('a locked account is refused even with the right password, without hashing, until its time is over', async (t) => {
  let now = Date.parse('2026-01-01T00:00:00Z')
  const {
    twins: [app, twin],
    verified,
  } = await place(t, { clock: () => now })
  await inParallel([app, twin], times(5, wrong))
  const before = verified.length
  now += 299_999
  assert.equal((await login(app, 'alice@example.com')).body?.detail, 'LockedOut')
  assert.equal((await login(twin, 'ALICE@example.com')).body?.detail, 'LockedOut')
  assert.equal(verified.length, before)
  now += 1
  assert.equal((await login(twin, 'alice@example.com')).status, 200)
  // Success forgets: the next lock is a first one again.
  await inParallel([app, twin], times(5, wrong))
  now += 300_000
  assert.equal((await login(twin, 'alice@example.com')).status, 200)
})

test('a name that nobody has locks and opens exactly as one that somebody has', async (t) => {
  let now = Date.parse('2026-01-01T00:00:00Z')
  const {
    twins: [app],
  } = await place(t, { clock: () => now })
  const story = async (email: string) => {
    const answers = []
    for (const seconds of [0, 0, 0, 0, 0, 0, 299, 1, 0, 0, 0, 0, 0, 599, 1]) {
      now += seconds * 1000
      const { status, headers, text } = await login(app, email, wrong)
      answers.push([status, headers['content-type'], Object.keys(headers), text])
    }
    return answers
  }
  const known = await story('alice@example.com')
  assert.equal(known.filter(([, , , text]) => String(text).includes('LockedOut')).length, 6)
  assert.deepEqual(await story('nobody@example.com'), known)
})

test('nobody is locked where new users are not to be, whether the name exists or not', async (t) => {
  const { twins } = await place(t, { lockout: { allowedForNewUsers: false } })
  assert.deepEqual(tally(await inParallel(twins, times(20, wrong))), { Failed: 20 })
  assert.deepEqual(tally(await inParallel(twins, times(20, wrong), 'nobody@example.com')), { Failed: 20 })
  assert.deepEqual(await inParallel(twins, [password]), ['in'])
})

test('a user without lockout is never locked, also when a lock was on before', async (t) => {
  const { twins, wrongOnes } = await place(t)
  await inParallel(twins, times(5, wrong))
  const { users } = twins[0].identity
  const alice = await users.findByName('alice@example.com')
  assert.ok(alice)
  alice.lockoutEnabled = false
  assert.deepEqual(await users.update(alice), { succeeded: true })
  assert.deepEqual(tally(await inParallel(twins, times(20, wrong))), { Failed: 20 })
  assert.equal(wrongOnes(), 25)
  assert.deepEqual(await inParallel(twins, [password]), ['in'])
})
