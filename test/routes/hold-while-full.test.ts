import { test, type TestContext } from 'node:test'
import assert from 'node:assert/strict'
import Fastify from 'fastify'
import { holdWhileFull } from '../../src/routes/hold-while-full.js'

/** The hold's timer is the test's: `advance` moves it once so many requests in all have arrived. */
function appWith(t: TestContext, isFull: () => boolean) {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const app = Fastify({ pluginTimeout: 0 })
  t.after(() => app.close())
  let arrived = 0
  app.addHook('onRequest', (_request, _reply, done) => {
    arrived++
    done()
  })
  app.post('/hash', { onRequest: holdWhileFull(isFull) }, (request) => request.body)
  return {
    call: () => app.inject({ method: 'POST', url: '/hash', payload: { call: true } }),
    advance: async (milliseconds: number, requests: number) => {
      while (arrived < requests) await new Promise((resolve) => setImmediate(resolve))
      t.mock.timers.tick(milliseconds)
    },
  }
}

/** Whether an answer has come, after a few turns of the event loop. */
async function isAnswered(answer: Promise<unknown>): Promise<boolean> {
  let answered = false
  void answer.then(() => {
    answered = true
  })
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
  return answered
}

test('while the queue has room no request waits', async (t) => {
  const { call } = appWith(t, () => false)
  assert.equal((await call()).statusCode, 200)
})

test('a request that finds the queue full waits a second, and is refused when it is still full', async (t) => {
  const { call, advance } = appWith(t, () => true)
  const asked = Promise.all([call(), call()])
  await advance(999, 2)
  assert.equal(await isAnswered(asked), false)
  await advance(1, 2)
  const answers = await asked
  assert.deepEqual(
    answers.map(({ statusCode }) => statusCode),
    [503, 503],
  )
  assert.equal(answers[0].json<{ code: string }>().code, 'FST_IDENTITY_HASHER_BUSY')
})

test('a request that finds room after the wait is let through', async (t) => {
  let isFull = true
  const { call, advance } = appWith(t, () => isFull)
  const answer = call()
  await advance(999, 1)
  isFull = false
  await advance(1, 1)
  assert.deepEqual((await answer).json<object>(), { call: true })
})

test('of more than a thousand waiting requests the rest is refused at once, and the places are free again afterwards', async (t) => {
  let isFull = true
  const { call, advance } = appWith(t, () => isFull)
  const held = Promise.all(Array.from({ length: 1_000 }, call))
  await advance(0, 1_000)
  assert.equal((await call()).statusCode, 503)
  assert.equal(await isAnswered(held), false)
  await advance(1_000, 1_001)
  assert.deepEqual(new Set((await held).map(({ statusCode }) => statusCode)), new Set([503]))
  isFull = false
  assert.equal((await call()).statusCode, 200)
})
