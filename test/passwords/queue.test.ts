import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { HasherBusy } from '../../src/errors.js'
import { createQueue, type Queue } from '../../src/passwords/queue.js'

/** A queue on a clock of its own, and jobs that end on request. */
function fixture(limits: { maxConcurrent?: number; maxQueue?: number; maxWaitSeconds?: number } = {}) {
  const clock = { milliseconds: 0 }
  const queue = createQueue({ maxConcurrent: 1, maxQueue: 10, maxWaitSeconds: 3, ...limits }, () => clock.milliseconds)
  const begun: string[] = []
  const endings = new Map<string, () => void>()
  const run = (name: string, signal?: AbortSignal) =>
    queue.run(() => {
      begun.push(name)
      return new Promise<string>((resolve) => endings.set(name, () => resolve(name)))
    }, signal)
  const end = async (name: string) => {
    endings.get(name)!()
    await settled()
  }
  return { clock, queue, begun, run, end }
}

/** Everything that was to happen without further ado has happened. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Holds its one place for ever. */
function occupy(queue: Queue): void {
  void queue.run(() => new Promise(() => undefined))
}

test('a job runs at once and its result is returned', async () => {
  const { queue } = fixture()
  assert.equal(await queue.run(() => Promise.resolve(42)), 42)
})

test('an error of a job is thrown, and its slot becomes free', async () => {
  const { queue } = fixture({ maxQueue: 0 })
  const fault = new Error('fault')
  await assert.rejects(
    queue.run(() => Promise.reject(fault)),
    fault,
  )
  await assert.rejects(
    queue.run(() => {
      throw fault
    }),
    fault,
  )
  assert.equal(await queue.run(() => Promise.resolve(42)), 42)
})

test('jobs begin in the order they came', async () => {
  const { run, begun, end } = fixture()
  const all = Promise.all(['a', 'b', 'c', 'd'].map((name) => run(name)))
  for (const name of ['a', 'b', 'c', 'd']) {
    await settled()
    assert.equal(begun.at(-1), name)
    await end(name)
  }
  assert.deepEqual(await all, ['a', 'b', 'c', 'd'])
})

test('a new job does not overtake a waiting one, even as a slot becomes free', async () => {
  const { run, begun, end } = fixture()
  const first = run('first')
  const waiting = run('waiting')
  const newcomer = end('first').then(() => run('newcomer'))
  await first
  await settled()
  assert.deepEqual(begun, ['first', 'waiting'])
  await end('waiting')
  await settled()
  await end('newcomer')
  assert.deepEqual(await Promise.all([waiting, newcomer]), ['waiting', 'newcomer'])
})

test('never more than maxConcurrent jobs are in flight, and as many whenever there is work', async () => {
  const queue = createQueue({ maxConcurrent: 3, maxQueue: 100, maxWaitSeconds: 60 })
  let inFlight = 0
  const seen: number[] = []
  await Promise.all(
    Array.from({ length: 60 }, (_, index) =>
      queue
        .run(async () => {
          seen.push(++inFlight)
          for (let pause = index % 4; pause >= 0; pause--) await settled()
          inFlight--
          if (index % 7 === 0) throw new Error('fault')
        })
        .catch(() => undefined),
    ),
  )
  assert.equal(Math.max(...seen), 3)
  assert.equal(seen.length, 60)
  assert.ok(seen.slice(2).every((count) => count === 3))
})

test('maxQueue jobs may wait, one more is refused at once and the others are not disturbed', async () => {
  const { queue, run, end } = fixture({ maxQueue: 2 })
  const accepted = [run('a'), run('b')]
  assert.equal(queue.busy, false)
  accepted.push(run('c'))
  assert.equal(queue.busy, true)
  await assert.rejects(run('d'), HasherBusy)
  await end('a')
  assert.equal(queue.busy, false)
  await end('b')
  await end('c')
  assert.deepEqual(await Promise.all(accepted), ['a', 'b', 'c'])
})

test('without room to wait a job runs when a slot is free, and is refused otherwise', async () => {
  const { queue, run, end } = fixture({ maxQueue: 0 })
  assert.equal(queue.busy, false)
  const only = run('a')
  assert.equal(queue.busy, true)
  await assert.rejects(run('b'), HasherBusy)
  await end('a')
  assert.equal(await only, 'a')
  assert.equal(queue.busy, false)
})

test('a job that waited exactly as long as allowed still runs, one tick longer and it is dropped', async () => {
  const { clock, run, begun, end } = fixture({ maxWaitSeconds: 3 })
  const first = run('first')
  const late = run('late')
  clock.milliseconds = 1
  const intime = run('in time')
  clock.milliseconds = 3001
  const refused = assert.rejects(late, HasherBusy)
  await end('first')
  await refused
  assert.deepEqual(begun, ['first', 'in time'])
  await end('in time')
  assert.deepEqual(await Promise.all([first, intime]), ['first', 'in time'])
})

test('expired jobs make room for new ones', async () => {
  const { clock, queue, run } = fixture({ maxQueue: 1 })
  occupy(queue)
  const aged = assert.rejects(run('aged'), HasherBusy)
  clock.milliseconds = 3000
  await assert.rejects(run('too early'), HasherBusy)
  clock.milliseconds = 3001
  const newcomer = new AbortController()
  const placed = assert.rejects(run('newcomer', newcomer.signal), { name: 'AbortError' })
  await aged
  newcomer.abort()
  await placed
})

test('jobs that wait behind one that never ends are dropped too', async () => {
  const queue = createQueue({ maxConcurrent: 1, maxQueue: 10, maxWaitSeconds: 0.02 })
  // The queue's own timer keeps nothing alive, so the test must.
  const alive = setInterval(() => undefined, 1000)
  occupy(queue)
  const dropped = () =>
    assert.rejects(
      queue.run(() => Promise.resolve()),
      HasherBusy,
    )
  const first = [dropped(), dropped()]
  // One that joins them later, whether or not they have been dropped by then.
  await new Promise((resolve) => setTimeout(resolve, 5))
  await Promise.all([...first, dropped()])
  await assert.rejects(
    queue.run(() => Promise.resolve()),
    HasherBusy,
  )
  clearInterval(alive)
})

test('an aborted job leaves the queue with the reason of its signal and frees its slot', async () => {
  const { queue, run, begun, end } = fixture({ maxQueue: 2 })
  const controller = new AbortController()
  const reason = new Error('the client has gone')
  const first = run('first')
  const gone = assert.rejects(run('gone', controller.signal), reason)
  const last = run('last')
  assert.equal(queue.busy, true)
  controller.abort(reason)
  assert.equal(queue.busy, false)
  await gone
  await end('first')
  await end('last')
  assert.deepEqual(await Promise.all([first, last]), ['first', 'last'])
  assert.deepEqual(begun, ['first', 'last'])
})

test('a job aborted beforehand never begins', async () => {
  const { run, begun } = fixture()
  const reason = new Error('the client has gone')
  await assert.rejects(run('gone', AbortSignal.abort(reason)), reason)
  assert.deepEqual(begun, [])
})

test('a started job is not interrupted, and keeps its slot until it ends', async () => {
  const { queue, run, end } = fixture({ maxQueue: 0 })
  const controller = new AbortController()
  const begunAlready = run('begun', controller.signal)
  controller.abort()
  await settled()
  assert.equal(queue.busy, true)
  await end('begun')
  assert.equal(await begunAlready, 'begun')
})

test('a signal that outlives its job in the queue has no effect and is released', async () => {
  const { run, end } = fixture()
  const controller = new AbortController()
  const first = run('first')
  const second = run('second', controller.signal)
  assert.equal(getEventListeners(controller.signal, 'abort').length, 1)
  await end('first')
  assert.equal(getEventListeners(controller.signal, 'abort').length, 0)
  controller.abort()
  await end('second')
  assert.deepEqual(await Promise.all([first, second]), ['first', 'second'])
})

test('close lets accepted jobs finish, and accepts no more', async () => {
  const { queue, run, end } = fixture()
  const accepted = Promise.all([run('a'), run('b')])
  let closed = false
  const closing = queue.close().then(() => {
    closed = true
  })
  assert.equal(queue.busy, true)
  await assert.rejects(run('c'), HasherBusy)
  await end('a')
  assert.equal(closed, false)
  await end('b')
  await closing
  assert.deepEqual(await accepted, ['a', 'b'])
})

test('close of an idle queue resolves at once, a second time too', async () => {
  const { queue } = fixture()
  await queue.close()
  await queue.close()
})
