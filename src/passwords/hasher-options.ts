// The settings of hashing, checked once: the cost of argon2id and the limits of the queue.
import { availableParallelism } from 'node:os'
import { InvalidOption } from '../errors.js'
import { complete } from '../option-schema.js'
import { bounds, type Argon2Cost } from './formats.js'
import { hasherOptions, type HasherOptions } from './options.js'
import type { QueueLimits } from './queue.js'

export type { HasherOptions }

/** The settings of the queue alone, for a host's own hasher. */
export type HasherQueueOptions = Pick<HasherOptions, 'maxConcurrent' | 'maxQueue' | 'maxWaitSeconds'>

/** The limits of this machine: cores, and threads of libuv's pool that hashing may use. */
export interface Machine {
  readonly cores: number
  readonly hashingThreads: number
}

/** The cost, with defaults. Throws InvalidOption for one that could be written but not read again. */
export function costOf(options: HasherOptions): Argon2Cost {
  const { memoryKiB, iterations, parallelism } = complete(hasherOptions, options)
  expectWhole('parallelism', parallelism, 1, bounds.parallelism)
  expectWhole('iterations', iterations, 1, bounds.iterations)
  expectWhole('memoryKiB', memoryKiB, 8 * parallelism, bounds.memoryKiB)
  return { memoryKiB, iterations, parallelism }
}

/** The limits, with defaults; `most` is the highest `maxConcurrent` that may be set. Throws InvalidOption. */
export function limitsOf(
  options: HasherQueueOptions,
  { cores, hashingThreads }: Machine,
  most = hashingThreads,
): QueueLimits {
  const maxConcurrent = options.maxConcurrent ?? Math.max(1, Math.min(Math.floor(cores / 2), hashingThreads))
  const maxQueue = options.maxQueue ?? 128 * maxConcurrent
  const { maxWaitSeconds } = complete(hasherOptions, options)
  expectWhole('maxConcurrent', maxConcurrent, 1, most, ', or raise UV_THREADPOOL_SIZE to two more than you want')
  expectWhole('maxQueue', maxQueue, 0, 1_000_000)
  if (!(maxWaitSeconds > 0 && maxWaitSeconds <= 600)) {
    throw new InvalidOption(
      'password.hasher.maxWaitSeconds',
      `is ${String(maxWaitSeconds)}`,
      'Set a number of seconds above 0, at most 600',
    )
  }
  return { maxConcurrent, maxQueue, maxWaitSeconds }
}

/** This machine; the size of its pool is parsed as libuv does: 4 threads unless set, at least 1, at most 1024. */
export function thisMachine(poolSize: string | undefined = process.env.UV_THREADPOOL_SIZE): Machine {
  const threads = poolSize === undefined ? 4 : Math.min(1024, Math.max(1, Number.parseInt(poolSize, 10) || 1))
  return { cores: availableParallelism(), hashingThreads: Math.max(1, threads - 2) }
}

function expectWhole(name: keyof HasherOptions, value: number, least: number, most: number, orElse = ''): void {
  if (Number.isInteger(value) && value >= least && value <= most) return
  throw new InvalidOption(
    `password.hasher.${name}`,
    `is ${String(value)}`,
    `Set a whole number from ${least} to ${most}${orElse}`,
  )
}
