// The queue of password hashing: first in, first out, with a limit of running jobs, of waiting jobs and of waiting
// time. Requests wait here, not hashes: a waiting job holds a closure, not the memory of a hash. Independent of
// hashing.
import { HasherBusy } from '../errors.js'

export interface QueueLimits {
  /** Jobs running at once. */
  readonly maxConcurrent: number
  /** Jobs waiting for one of those. */
  readonly maxQueue: number
  /** A job that waited longer is not started: its caller has given up, or will before it is done. */
  readonly maxWaitSeconds: number
}

export interface Queue {
  /** True while the next job would be refused. */
  readonly busy: boolean
  /**
   * Runs a job when its turn comes, and returns its result. Throws HasherBusy when the queue is full, when the job
   * waited too long, or after `close`; throws the signal's reason when it is aborted before the job started. A
   * started job is never interrupted.
   */
  run<T>(job: () => Promise<T>, signal?: AbortSignal): Promise<T>
  /** Accepts no more jobs, and resolves when the last one is done, waiting ones included. */
  close(): Promise<void>
}

interface Entry {
  readonly since: number
  begin(): void
  refuse(reason: Error): void
}

/**
 * `now` returns milliseconds and must be monotonic: a clock set back would prolong waits, one set forward would drop
 * all jobs.
 */
export function createQueue(limits: QueueLimits, now: () => number = () => performance.now()): Queue {
  const longestWait = limits.maxWaitSeconds * 1000
  // A Set keeps the order of arrival and allows an aborted entry to be removed from the middle.
  const waiting = new Set<Entry>()
  const drained: (() => void)[] = []
  let running = 0
  let closed = false
  let timer: NodeJS.Timeout | undefined

  return {
    get busy() {
      return isFull()
    },
    async run(job, signal) {
      signal?.throwIfAborted()
      dropAged()
      if (isFull()) throw new HasherBusy()
      if (running < limits.maxConcurrent) running++
      else await waitForStart(signal)
      try {
        return await job()
      } finally {
        running--
        beginNext()
      }
    },
    close() {
      closed = true
      return new Promise((resolve) => {
        drained.push(resolve)
        resolveDrained()
      })
    },
  }

  function isFull(): boolean {
    return closed || (running >= limits.maxConcurrent && waiting.size >= limits.maxQueue)
  }

  /** Resolves when the entry may start; it then already counts as running. */
  function waitForStart(signal: AbortSignal | undefined): Promise<void> {
    const started = enter(waiting, now(), signal)
    watchAge()
    return started
  }

  function beginNext(): void {
    dropAged()
    for (const entry of waiting) {
      if (running >= limits.maxConcurrent) break
      running++
      entry.begin()
    }
    resolveDrained()
  }

  function dropAged(): void {
    for (const entry of waiting) {
      if (now() - entry.since <= longestWait) break
      entry.refuse(new HasherBusy())
    }
  }

  /**
   * Drops expired entries even when no job ends, as with a host's hasher that never answers. Never keeps the process
   * alive.
   */
  function watchAge(): void {
    const [oldest] = waiting
    if (oldest === undefined || timer !== undefined) return
    timer = setTimeout(
      () => {
        timer = undefined
        dropAged()
        watchAge()
      },
      Math.max(0, oldest.since + longestWait - now()) + 1,
    ).unref()
  }

  function resolveDrained(): void {
    if (!closed || running > 0 || waiting.size > 0) return
    for (const resolve of drained.splice(0)) resolve()
  }
}

/** Adds an entry, which leaves the queue once it may start, is refused, or its signal is aborted. */
function enter(waiting: Set<Entry>, since: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = () => {
      waiting.delete(entry)
      signal?.removeEventListener('abort', abort)
    }
    const entry: Entry = {
      since,
      begin() {
        leave()
        resolve()
      },
      refuse(reason) {
        leave()
        reject(reason)
      },
    }
    // Typed any: rejected with unchanged, as throwIfAborted would throw it.
    const abort = () => entry.refuse(signal?.reason as Error)
    signal?.addEventListener('abort', abort)
    waiting.add(entry)
  })
}
