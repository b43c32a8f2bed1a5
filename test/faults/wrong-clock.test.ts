// An instance whose clock is off says so: every other instance refuses its tokens, and it refuses theirs.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Health } from '../../src/index.js'
import { createClock } from '../../src/testing/index.js'
import { startChild } from '../support/child.js'
import { report } from '../support/experiment.js'
import { startApp } from '../support/instances.js'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'

/** What an instance reports whose machine's clock is so many seconds ahead. */
async function healthOf(t: TestContext, aheadSeconds: number): Promise<Health> {
  const child = startChild(
    t,
    `
    const now = Date.now
    Date.now = () => now() + ${aheadSeconds} * 1000
    const { default: Fastify } = await import('fastify')
    const { default: identity } = await import('~/src/index.js')
    const app = Fastify()
    await app.register(identity, { schema: '${uniqueSchema()}' })
    console.log(JSON.stringify(await app.identity.healthCheck()))
    await app.close()`,
    { DATABASE_URL: await databaseUrl() },
  )
  return JSON.parse(await child.line()) as Health // what the child prints
}

test("healthCheck compares the clock with the database's, tolerates what tokens tolerate, and reports the skew", async (t) => {
  const skews: string[] = []
  for (const [ahead, ok] of [
    [0, true],
    [50, true],
    [-50, true],
    [75, false],
    [-75, false],
    [3600, false],
    [-3600, false],
  ] as const) {
    const health = await healthOf(t, ahead)
    assert.deepEqual(
      { ok: health.ok, database: health.database, revocations: health.revocations },
      { ok, database: true, revocations: true },
      String(ahead),
    )
    const skew = health.clockSkewSeconds ?? NaN
    // Half the time that an answer takes on a busy machine.
    assert.ok(Math.abs(skew - ahead) < 5, `${skew} for ${ahead}`)
    skews.push(`${ahead}→${skew}`)
  }
  report(t, { 'seconds ahead and reported': skews.join(' ') })
})

test("with a clock of the host's, which takes the place of both, nothing is compared", async (t) => {
  const clock = createClock()
  const app = await startApp(t, { clock })
  clock.advance(3600)
  assert.deepEqual(await app.identity.healthCheck(), { ok: true, database: true, revocations: true })
})
