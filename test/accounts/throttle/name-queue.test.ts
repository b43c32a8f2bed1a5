import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createNameQueues, type NameQueueLimits } from '../../../src/accounts/throttle/name-queue.js'
import { SignInsCrowded } from '../../../src/errors.js'
import type { Admission } from '../../../src/store/attempts.js'

const limits = { room: 3, maxWaiting: 10, maxWaitMilliseconds: 60_000 }

/** A database that admits `places` attempts of all queues at once, and counts the questions. */
function place(places: number, these: NameQueueLimits = limits) {
  const state = { free: places, asked: 0, isLocked: false }
  const ask = async (): Promise<Admission> => {
    state.asked++
    await Promise.resolve()
    if (state.isLocked) return { state: 'locked' }
    if (state.free === 0) return { state: 'crowded' }
    state.free--
    return { state: 'admitted', tracked: true, found: null, room: places }
  }
  const queues = createNameQueues(these)
  return { state, ask, queues, enter: (name = 'one') => queues.enter(name, ask) }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

test('as many attempts of a name are asked for at once as may run, and the next when one has ended', async () => {
  const { state, enter } = place(3)
  const entered = Array.from({ length: 8 }, () => enter())
  const first = await entered[0]!
  await settled()
  assert.equal(state.asked, 3)
  state.free++
  first.leave()
  first.leave()
  await entered[3]
  await settled()
  assert.equal(state.asked, 4)
  for (const one of entered.slice(1)) {
    state.free++
    ;(await one).leave()
  }
  assert.equal(state.asked, 8)
})

test('names do not wait for each other', async () => {
  const { queues } = place(0)
  const ask = (): Promise<Admission> => Promise.resolve({ state: 'admitted', tracked: true, found: null, room: 1 })
  const [first] = await Promise.all([queues.enter('one', ask), settled()])
  const waiting = queues.enter('one', ask)
  await queues.enter('other', ask)
  assert.equal(await Promise.race([waiting, settled().then(() => 'waits')]), 'waits')
  first.leave()
  await waiting
})

test('while other instances hold the reservations, only the first of a queue asks again', async () => {
  const { state, enter } = place(1)
  state.free = 0
  const entered = Array.from({ length: 8 }, () => enter())
  const asked: number[] = []
  // Three more questions, each after a pause.
  while (state.asked < 6) {
    asked.push(state.asked)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  assert.ok(asked.length > 1)
  state.free = 1
  for (const one of entered) {
    const { leave } = await one
    state.free++
    leave()
  }
})

test('a lock answers all that wait, with one question', async () => {
  const { state, enter } = place(3, { ...limits, room: 1 })
  state.isLocked = true
  const answers = await Promise.all(Array.from({ length: 8 }, () => enter()))
  assert.deepEqual(
    answers.map(({ admission }) => admission.state),
    Array.from({ length: 8 }, () => 'locked'),
  )
  assert.equal(state.asked, 1)
})

test('a name whose attempts are not counted does not queue', async () => {
  const { queues } = place(0)
  const ask = (): Promise<Admission> =>
    Promise.resolve({ state: 'admitted', tracked: false, found: null, room: Infinity })
  await Promise.all(Array.from({ length: 10 }, () => queues.enter('one', ask)))
})

test('more than may wait are refused at once, and one that has waited too long then', async () => {
  const { enter } = place(1, { room: 1, maxWaiting: 2, maxWaitMilliseconds: 20 })
  await enter()
  // Handled from the start: on a slow machine the wait of the first is over before the third asks.
  const outcomes = await Promise.allSettled([enter(), enter(), enter()])
  for (const one of outcomes) assert.ok(one.status === 'rejected' && one.reason instanceof SignInsCrowded)
})

test('an error of the database is that of its attempt, and the next one is asked for', async () => {
  const { queues, ask } = place(1, { ...limits, room: 1 })
  const broken = queues.enter('one', () => Promise.reject(new Error('gone')))
  const next = queues.enter('one', ask)
  await assert.rejects(broken, /gone/)
  assert.equal((await next).admission.state, 'admitted')
})
