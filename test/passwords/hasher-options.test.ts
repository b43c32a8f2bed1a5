import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InvalidOption } from '../../src/errors.js'
import { isWithinBounds } from '../../src/passwords/formats.js'
import { costOf, limitsOf, thisMachine, type HasherOptions } from '../../src/passwords/hasher-options.js'

const machine = { cores: 8, hashingThreads: 2 }

test('the default cost is 19 MiB, two passes, one lane', () => {
  assert.deepEqual(costOf({}), { memoryKiB: 19_456, iterations: 2, parallelism: 1 })
})

const concurrency: readonly [cores: number, hashingThreads: number, expected: number][] = [
  [1, 2, 1],
  [2, 2, 1],
  [3, 2, 1],
  [4, 2, 2],
  [5, 2, 2],
  [16, 2, 2],
  [16, 6, 6],
  [16, 14, 8],
  [16, 1, 1],
]

for (const [cores, hashingThreads, expected] of concurrency) {
  test(`${cores} cores and ${hashingThreads} threads for hashing make ${expected} at once by default, and a queue of 128 for each`, () => {
    assert.deepEqual(limitsOf({}, { cores, hashingThreads }), {
      maxConcurrent: expected,
      maxQueue: 128 * expected,
      maxWaitSeconds: 3,
    })
  })
}

test('the queue is as long as its option says, or 128 for each hash at once', () => {
  assert.equal(limitsOf({ maxConcurrent: 2 }, machine).maxQueue, 256)
  const set = { maxConcurrent: 1, maxQueue: 0, maxWaitSeconds: 0.5 }
  assert.deepEqual(limitsOf(set, machine), set)
})

const pools: readonly [setting: string | undefined, threads: number][] = [
  [undefined, 2],
  ['', 1],
  ['0', 1],
  ['1', 1],
  ['2', 1],
  ['3', 1],
  ['4', 2],
  ['8', 6],
  ['-5', 1],
  ['many', 1],
  ['5000', 1022],
]

for (const [setting, threads] of pools) {
  test(`UV_THREADPOOL_SIZE ${setting ?? 'unset'} leaves ${threads} threads for hashing`, () => {
    assert.equal(thisMachine(setting).hashingThreads, threads)
  })
}

test('where more at once are allowed than libuv has threads, the default still leaves two free', () => {
  assert.equal(limitsOf({}, { cores: 16, hashingThreads: 2 }, 1024).maxConcurrent, 2)
  assert.equal(limitsOf({ maxConcurrent: 1024 }, machine, 1024).maxConcurrent, 1024)
  assert.throws(() => limitsOf({ maxConcurrent: 1025 }, machine, 1024), InvalidOption)
})

test('this machine has at least one core', () => assert.ok(thisMachine().cores >= 1))

const borders: readonly [good: HasherOptions, bad: HasherOptions, option: string][] = [
  [{ memoryKiB: 262_144 }, { memoryKiB: 262_145 }, 'memoryKiB'],
  [{ memoryKiB: 8 }, { memoryKiB: 7 }, 'memoryKiB'],
  [{ memoryKiB: 32, parallelism: 4 }, { memoryKiB: 31, parallelism: 4 }, 'memoryKiB'],
  [{ memoryKiB: 64 }, { memoryKiB: 64.5 }, 'memoryKiB'],
  [{ iterations: 1 }, { iterations: 0 }, 'iterations'],
  [{ iterations: 10 }, { iterations: 11 }, 'iterations'],
  [{ parallelism: 1 }, { parallelism: 0 }, 'parallelism'],
  [{ parallelism: 4 }, { parallelism: 5 }, 'parallelism'],
  [{ maxConcurrent: 1 }, { maxConcurrent: 0 }, 'maxConcurrent'],
  [{ maxConcurrent: 2 }, { maxConcurrent: 3 }, 'maxConcurrent'],
  [{ maxQueue: 0 }, { maxQueue: -1 }, 'maxQueue'],
  [{ maxQueue: 1 }, { maxQueue: Number.NaN }, 'maxQueue'],
  [{ maxWaitSeconds: 0.001 }, { maxWaitSeconds: 0 }, 'maxWaitSeconds'],
  [{ maxWaitSeconds: 600 }, { maxWaitSeconds: 601 }, 'maxWaitSeconds'],
  [{ maxWaitSeconds: 3 }, { maxWaitSeconds: Number.NaN }, 'maxWaitSeconds'],
]

for (const [good, bad, option] of borders) {
  test(`${JSON.stringify(good)} is taken, ${JSON.stringify(bad)} is refused by name`, () => {
    const check = (options: HasherOptions) => [costOf(options), limitsOf(options, machine)]
    check(good)
    assert.throws(
      () => check(bad),
      (error) => error instanceof InvalidOption && error.message.includes(`'password.hasher.${option}'`),
    )
  })
}

test('the error for too many at once names the variable to raise', () => {
  assert.throws(() => limitsOf({ maxConcurrent: 3 }, machine), /UV_THREADPOOL_SIZE/)
})

test('every cost that may be set can be read again', () => {
  for (const [good] of borders) assert.ok(isWithinBounds(costOf(good)))
})
