// Key rotation under load, on two instances: no user is signed out by it, and revoked keys are refused by both.
// bench/key-rotation.ts does the same with 1,000 requests a second for minutes.
import assert from 'node:assert/strict'
import type { FastifyInstance } from 'fastify'
import { test } from 'node:test'
import { guarded, newcomer, refresh, signIn, startTwins, tally, tokensOf, until } from '../support/instances.js'

/** Bytes 2 to 5 of a token name its key. */
function keyOf(token: string): string {
  return Buffer.from(token, 'base64url').subarray(2, 6).toString('hex')
}

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

test('no request is refused during a key rotation, whichever instance made the token, the key or the answer', async (t) => {
  const twins = await startTwins(t)
  const people = await Promise.all(
    ['alice', 'bob', 'carol', 'dora'].map((name, index) => newcomer(twins[index % 2]!, `${name}@example.com`)),
  )
  const statuses: number[] = []
  const seen = new Set<string>()
  let isOver = false
  // Each person asks both instances, and both again with the tokens that one of them has just made.
  const asking = people.map(async (given, person) => {
    let pair = given
    for (let round = 0; !isOver; round++) {
      if (round % 5 === person) {
        const answer = await refresh(twins[(round + person) % 2]!, pair.refreshToken)
        statuses.push(answer.status)
        pair = tokensOf(answer)
        seen.add(keyOf(pair.accessToken))
      }
      for (const app of twins) statuses.push((await guarded(app, pair.accessToken)).status)
      await sleep(10)
    }
  })
  const turning = (async () => {
    for (let turn = 0; turn < 4; turn++) {
      // Each instance reads the ring every two seconds.
      const { id } = await twins[turn % 2]!.identity.keys.rotate({ activateAfterSeconds: 4 })
      await until(() => seen.has(id))
    }
  })().finally(() => {
    isOver = true
  })
  await Promise.all([turning, ...asking])
  t.diagnostic(`${statuses.length} requests under ${seen.size} keys`)
  assert.deepEqual(Object.keys(tally(statuses)), ['200'])
  assert.equal(seen.size, 5)
})

test('a revoked key is refused by this instance at once and by the other within seconds, and so are all', async (t) => {
  const twins = await startTwins(t)
  const [app, twin] = twins
  const isRefused = async (where: FastifyInstance, token: string) => (await guarded(where, token)).status === 401
  const old = await newcomer(app, 'alice@example.com')
  const { id } = await app.identity.keys.rotate({ activateAfterSeconds: 4 })
  let leaked = old
  await until(async () => {
    leaked = await signIn(app, 'alice@example.com')
    return keyOf(leaked.accessToken) === id
  })
  assert.equal((await guarded(twin, leaked.accessToken)).status, 200)
  assert.equal(await app.identity.keys.revoke(id), true)
  assert.ok(await isRefused(app, leaked.accessToken))
  const one = await until(() => isRefused(twin, leaked.accessToken))
  for (const where of twins) assert.equal((await guarded(where, old.accessToken)).status, 200)

  const kept = await signIn(twin, 'alice@example.com')
  await app.identity.keys.revokeAll()
  for (const { accessToken } of [old, kept]) assert.ok(await isRefused(app, accessToken))
  const all = await until(() => isRefused(twin, kept.accessToken))
  t.diagnostic(`refused by the other instance after ${Math.round(one)} ms, all after ${Math.round(all)} ms`)
  const fresh = await signIn(app, 'alice@example.com')
  for (const where of twins) await until(async () => (await guarded(where, fresh.accessToken)).status === 200)
})
