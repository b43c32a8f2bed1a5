// What an operator may set about hashing, checked once: the cost of argon2id and the limits of the queue.
import { availableParallelism } from 'node:os'
import { InvalidOption } from '../errors.js'
import { bounds, type Argon2Cost } from './formats.js'
import type { QueueLimits } from './queue.js'

/** How long the line in front of hashing may become. */
export interface HasherQueueOptions {
  /**
   * Hashes in flight. Default half the cores, at least 1. Hashing shares libuv's pool with files and DNS, so two of its
   * UV_THREADPOOL_SIZE threads (4 unless set) stay free: a larger number is lowered by default and refused when set.
   */
  readonly maxConcurrent?: number
  /** Waiting beyond those in flight; more are refused with HasherBusy. Default 128 × `maxConcurrent`. */
  readonly maxQueue?: number
  /** Longest wait in seconds before a place in flight, then HasherBusy. Default 3. */
  readonly maxWaitSeconds?: number
}

/** The cost of new hashes and the line in front of them. A stored hash of another cost still verifies and asks to be rehashed. */
export interface HasherOptions extends HasherQueueOptions {
  /** argon2id's m in KiB, 8 × `parallelism` to 262144. Default 19456 (OWASP). */
  readonly memoryKiB?: number
  /** argon2id's t, 1 to 10. Default 2. */
  readonly iterations?: number
  /** argon2id's p, 1 to 4. Default 1. */
  readonly parallelism?: number
}

/** What this machine allows: cores, and threads of libuv's pool that hashing may hold. */
export interface Machine {
  readonly cores: number
  readonly hashingThreads: number
}

/** The cost, with defaults. Throws InvalidOption for one that could be written but not read again. */
export function costOf({ memoryKiB = 19_456, iterations = 2, parallelism = 1 }: HasherOptions): Argon2Cost {
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
  const maxWaitSeconds = options.maxWaitSeconds ?? 3
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

/** This machine, its pool read as libuv reads it: 4 threads unless set, at least 1, at most 1024. */
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
