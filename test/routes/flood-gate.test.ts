import { test } from 'node:test'
import assert from 'node:assert/strict'
import Fastify from 'fastify'
import { floodGate } from '../../src/routes/flood-gate.js'

function doorWith(isFull: () => boolean) {
  const app = Fastify()
  app.post('/door', { onRequest: floodGate(isFull) }, (request) => request.body)
  const knock = () => app.inject({ method: 'POST', url: '/door', payload: { knock: true } })
  return { app, knock }
}

test('while there is room nobody waits', async (t) => {
  const { app, knock } = doorWith(() => false)
  t.after(() => app.close())
  assert.equal((await knock()).statusCode, 200)
})

test('who finds the line full waits a second and is refused where it is still full', async (t) => {
  const { app, knock } = doorWith(() => true)
  t.after(() => app.close())
  const started = performance.now()
  const answers = await Promise.all([knock(), knock()])
  assert.deepEqual(
    answers.map(({ statusCode }) => statusCode),
    [503, 503],
  )
  assert.equal(answers[0].json<{ code: string }>().code, 'FST_IDENTITY_HASHER_BUSY')
  assert.ok(performance.now() - started >= 990)
})

test('who finds room after the wait is let in', async (t) => {
  let isFull = true
  const { app, knock } = doorWith(() => isFull)
  t.after(() => app.close())
  const answer = knock()
  setTimeout(() => {
    isFull = false
  }, 10)
  assert.deepEqual((await answer).json<object>(), { knock: true })
})

test('of more than a thousand the rest is refused at once, and the places are free again afterwards', async (t) => {
  let isFull = true
  const { app, knock } = doorWith(() => isFull)
  t.after(() => app.close())
  const held = Promise.all(Array.from({ length: 1_000 }, knock))
  let settled = false
  void held.then(() => {
    settled = true
  })
  assert.equal((await knock()).statusCode, 503)
  assert.equal(settled, false)
  await held
  isFull = false
  assert.equal((await knock()).statusCode, 200)
})
