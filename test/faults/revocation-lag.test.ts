// How long another instance, in a process of its own, goes on accepting what has ended or was taken away. Its polls are half a second apart.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { isLong, report } from '../support/experiment.js'
import { newcomer, startApp } from '../support/instances.js'
import { freshDatabase } from '../support/postgres.js'
import { startProcess } from '../support/processes.js'

const rounds = isLong ? 200 : 20

/** Milliseconds from the commit of each change until the other instance answers with `refusal`. */
async function lags(t: TestContext, refusal: number, change: 'a role is taken away' | 'a session is ended') {
  const database = await freshDatabase()
  const app = await startApp(t, { database, schema: 'identity' })
  const other = await startProcess(t, { database, schema: 'identity' })
  const { users, roles, sessions } = app.identity
  assert.equal((await roles.create('clerk')).succeeded, true)
  const found: number[] = []
  for (let round = 0; round < rounds; round++) {
    const email = `user${round}@example.com`
    await newcomer(app, email)
    const user = await users.findByName(email)
    assert.ok(user)
    assert.equal((await users.addToRole(user, 'clerk')).succeeded, true)
    const { body } = await other.call('POST', '/login', {}, { email, password: 'Correct-horse-1' })
    const { accessToken: token } = body as { accessToken: string } // a sign-in by bearer
    const ask = async () => (await other.call('GET', '/clerks', { token })).status
    assert.equal(await ask(), 200)
    if (change === 'a role is taken away') await users.removeFromRole(user, 'clerk')
    else await sessions.revokeAll(user.id)
    const from = performance.now()
    for (let status = await ask(); status !== refusal; status = await ask()) assert.equal(status, 200)
    found.push(performance.now() - from)
  }
  return found.sort((a, b) => a - b)
}

const quantile = (sorted: readonly number[], share: number) => Math.round(sorted[Math.ceil(sorted.length * share) - 1]!)

for (const [change, refusal] of [
  ['a role is taken away', 403],
  ['a session is ended', 401],
] as const)
  test(`when ${change}, another instance refuses with its next poll`, async (t) => {
    const found = await lags(t, refusal, change)
    assert.equal(found.length, rounds)
    report(t, { changes: rounds, 'p50 ms': quantile(found, 0.5), 'p99 ms': quantile(found, 0.99) })
  })
