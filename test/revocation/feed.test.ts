import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { startFeed } from '../../src/revocation/feed.js'

/** A feed by a clock of the test's own, asked by hand. */
function place(t: TestContext, pollTimeoutMilliseconds = 20) {
  const world = {
    now: 0,
    wall: 1_000_000,
    asked: [] as number[],
    writerSeconds: 0,
    pages: 1,
    poll: () => Promise.resolve<string[]>([]),
    ping: () => Promise.resolve(),
  }
  const found: string[] = []
  const feed = startFeed<string[]>({
    async poll(seconds, foundNow) {
      world.asked.push(seconds)
      for (let page = 0; page < world.pages; page++) foundNow(await world.poll())
    },
    oldestWriterSeconds: () => Promise.resolve(world.writerSeconds),
    ping: () => world.ping(),
    found: (ids) => found.push(...ids),
    firstSeconds: 3660,
    monotonic: () => world.now,
    wall: () => world.wall,
    intervalMilliseconds: 1_000_000,
    pollTimeoutMilliseconds,
  })
  // A feed keeps no process alive, nor this test.
  const awake = setInterval(() => undefined, 1000)
  t.after(() => {
    feed.stop()
    clearInterval(awake)
  })
  const gone = () => Promise.reject(new Error('gone'))
  return { world, feed, found, gone, silent: () => new Promise<never>(() => undefined) }
}

test('the first poll reaches back as far as any ticket can, later ones overlap the last good one by 15 seconds', async (t) => {
  const { world, feed, gone } = place(t)
  await feed.refresh()
  world.now = 500
  await feed.refresh()
  world.now = 1000
  world.poll = gone
  await assert.rejects(feed.refresh())
  world.now = 4500
  world.poll = () => Promise.resolve([])
  await feed.refresh()
  assert.deepEqual(world.asked, [3660, 15.5, 15.5, 19])
})

test('a poll reaches back to the start of the oldest transaction that was open at the last one, though not beyond the first', async (t) => {
  const { world, feed } = place(t)
  world.writerSeconds = 40
  await feed.refresh()
  world.now = 500
  world.writerSeconds = 0
  await feed.refresh()
  world.now = 1000
  world.writerSeconds = 86_400
  await feed.refresh()
  world.now = 1500
  await feed.refresh()
  assert.deepEqual(world.asked, [3660, 41.5, 15.5, 3660])
})

test('an answer in many parts may take longer than the timeout while its parts arrive', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { world, feed, found } = place(t, 1000)
  world.pages = 10
  world.poll = () => {
    t.mock.timers.tick(150)
    return Promise.resolve(['a'])
  }
  await feed.refresh()
  assert.equal(found.length, 10)
})

test('a first poll that failed is repeated in full', async (t) => {
  const { world, feed, gone } = place(t)
  world.poll = gone
  await assert.rejects(feed.refresh())
  world.now = 500
  world.poll = () => Promise.resolve(['a'])
  await feed.refresh()
  assert.deepEqual(world.asked, [3660, 3660])
})

test('a feed is fresh for 5 seconds after its last good poll began', async (t) => {
  const { world, feed } = place(t)
  world.now = 1000
  await feed.refresh()
  world.now = 6000
  assert.equal(feed.state(), 'fresh')
  world.now = 6001
  assert.equal(feed.state(), 'stale')
  await feed.refresh()
  assert.equal(feed.state(), 'fresh')
})

test('after a suspension, which only the wall clock counts, a feed is stale and reaches back over all of it', async (t) => {
  const { world, feed } = place(t)
  await feed.refresh()
  world.now = 500
  world.wall += 600_500
  assert.deepEqual([feed.state(), feed.mayTrust()], ['stale', false])
  await feed.refresh()
  assert.equal(feed.state(), 'fresh')
  assert.deepEqual(world.asked, [3660, 615.5])
})

test('a clock that is set back does not make a feed look fresher', async (t) => {
  const { world, feed } = place(t)
  await feed.refresh()
  world.wall -= 3_600_000
  world.now = 5000
  assert.equal(feed.state(), 'fresh')
  world.now = 5001
  assert.equal(feed.state(), 'stale')
  await feed.refresh()
  assert.deepEqual(world.asked, [3660, 20.001])
})

test('a feed whose poll alone fails is stale for as long: a request can ask the database itself', async (t) => {
  const { world, feed, gone } = place(t)
  world.poll = gone
  await assert.rejects(feed.refresh())
  assert.equal(feed.state(), 'fresh')
  world.now = 5001
  assert.equal(feed.state(), 'stale')
  world.now = 1_000_000
  await assert.rejects(feed.refresh())
  assert.equal(feed.state(), 'stale')
})

test('a feed without a database is down, and blind a minute after its last good poll', async (t) => {
  const { world, feed, gone } = place(t)
  world.poll = gone
  world.ping = gone
  await assert.rejects(feed.refresh())
  world.now = 5000
  assert.equal(feed.state(), 'fresh')
  world.now = 5001
  assert.equal(feed.state(), 'down')
  world.now = 60_000
  assert.deepEqual([feed.state(), feed.mayTrust()], ['down', true])
  world.now = 60_001
  assert.deepEqual([feed.state(), feed.mayTrust()], ['blind', false])
  world.poll = () => Promise.resolve(['a'])
  await feed.refresh()
  assert.equal(feed.state(), 'fresh')
})

test('a database that does not answer at all is down, not slow', async (t) => {
  const { world, feed, silent } = place(t)
  world.poll = silent
  world.ping = silent
  await assert.rejects(feed.refresh(), /not answered in time/)
  world.now = 5001
  assert.equal(feed.state(), 'down')
})

test('a late answer still counts, from the time of its poll', async (t) => {
  const { world, feed, found } = place(t)
  let answer: (ids: string[]) => void = () => undefined
  world.poll = () =>
    new Promise((resolve) => {
      answer = resolve
    })
  world.now = 3000
  await assert.rejects(feed.refresh(), /not answered in time/)
  answer(['a'])
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(found, ['a'])
  world.now = 8000
  assert.equal(feed.state(), 'fresh')
  world.now = 8001
  assert.equal(feed.state(), 'stale')
})

test('a feed polls by itself, also after a failure, until it is stopped', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let asked = 0
  const feed = startFeed<string[]>({
    poll: () => (++asked % 2 === 0 ? Promise.resolve() : Promise.reject(new Error('gone'))),
    oldestWriterSeconds: () => Promise.resolve(0),
    ping: () => Promise.resolve(),
    found: () => undefined,
    firstSeconds: 1,
    intervalMilliseconds: 500,
  })
  t.after(() => feed.stop())
  // What a poll awaits is settled by the time of the next turn of the event loop.
  const pass = async (milliseconds: number) => {
    t.mock.timers.tick(milliseconds)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await pass(499)
  assert.equal(asked, 0)
  await pass(1)
  for (let polls = 1; polls <= 4; polls++) {
    assert.equal(asked, polls)
    await pass(500)
  }
  feed.stop()
  await pass(10_000)
  assert.equal(asked, 5)
})
