import { test } from 'node:test'
import assert from 'node:assert/strict'
import Fastify from 'fastify'
import { holdWhileFull } from '../../src/routes/hold-while-full.js'

function appWith(isFull: () => boolean) {
  const app = Fastify()
  app.post('/hash', { onRequest: holdWhileFull(isFull) }, (request) => request.body)
  const call = () => app.inject({ method: 'POST', url: '/hash', payload: { call: true } })
  return { app, call }
}

test('while the queue has room no request waits', async (t) => {
  const { app, call } = appWith(() => false)
  t.after(() => app.close())
  assert.equal((await call()).statusCode, 200)
})

test('a request that finds the queue full waits a second, and is refused when it is still full', async (t) => {
  const { app, call } = appWith(() => true)
  t.after(() => app.close())
  const started = performance.now()
  const answers = await Promise.all([call(), call()])
  assert.deepEqual(
    answers.map(({ statusCode }) => statusCode),
    [503, 503],
  )
  assert.equal(answers[0].json<{ code: string }>().code, 'FST_IDENTITY_HASHER_BUSY')
  assert.ok(performance.now() - started >= 990)
})

test('a request that finds room after the wait is let through', async (t) => {
  let isFull = true
  const { app, call } = appWith(() => isFull)
  t.after(() => app.close())
  const answer = call()
  setTimeout(() => {
    isFull = false
  }, 10)
  assert.deepEqual((await answer).json<object>(), { call: true })
})

test('of more than a thousand waiting requests the rest is refused at once, and the places are free again afterwards', async (t) => {
  let isFull = true
  const { app, call } = appWith(() => isFull)
  t.after(() => app.close())
  const held = Promise.all(Array.from({ length: 1_000 }, call))
  let settled = false
  void held.then(() => {
    settled = true
  })
  assert.equal((await call()).statusCode, 503)
  assert.equal(settled, false)
  await held
  isFull = false
  assert.equal((await call()).statusCode, 200)
})
