// Which sessions are asked for, and what the answers mean.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { type PresenceOptions, startPresence } from '../../src/revocation/presence.js'

function start(t: TestContext, rows: Set<string>, options: Partial<PresenceOptions> = {}) {
  const asked: (readonly string[])[] = []
  const presence = startPresence({
    findMissing(ids) {
      asked.push(ids)
      return Promise.resolve(ids.filter((id) => !rows.has(id)))
    },
    rememberSeconds: 3600,
    ...options,
  })
  t.after(() => presence.stop())
  return { presence, asked }
}

test('a session without a row is missing from the next check on, and no longer when the row comes back', async (t) => {
  const rows = new Set(['one', 'two'])
  const { presence } = start(t, rows)
  presence.seen('one')
  presence.seen('two')
  await presence.check()
  assert.equal(presence.isMissing('one'), false)
  rows.delete('one')
  await presence.check()
  assert.deepEqual([presence.isMissing('one'), presence.isMissing('two')], [true, false])
  rows.add('one')
  await presence.check()
  assert.equal(presence.isMissing('one'), false)
})

test('each session is asked for once a check, some thousands in one question, and nothing when none was seen', async (t) => {
  const { presence, asked } = start(t, new Set())
  await presence.check()
  assert.equal(asked.length, 0)
  for (let count = 0; count < 12_000; count++) presence.seen(`session ${count % 6_000}`)
  await presence.check()
  assert.deepEqual(
    asked.map((ids) => ids.length),
    [5_000, 1_000],
  )
})

test('memory is bounded: the sessions that were seen first are forgotten', async (t) => {
  const { presence, asked } = start(t, new Set(), { maxSessions: 1_000 })
  for (let count = 0; count < 10_000; count++) presence.seen(`session ${count}`)
  await presence.check()
  const ids = asked.flat()
  assert.ok(ids.length <= 1_000 && ids.includes('session 9999'), String(ids.length))
})

test('a check that fails changes nothing', async (t) => {
  let fails = false
  const presence = startPresence({
    findMissing: (ids) => (fails ? Promise.reject(new Error('away')) : Promise.resolve(ids)),
    rememberSeconds: 3600,
  })
  t.after(() => presence.stop())
  presence.seen('one')
  await presence.check()
  fails = true
  presence.seen('two')
  await assert.rejects(presence.check(), /away/)
  assert.deepEqual([presence.isMissing('one'), presence.isMissing('two')], [true, false])
})
