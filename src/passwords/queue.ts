// The line in front of password hashing: first come, first served; so many at once, so many waiting, so long.
// Requests wait here, hashes do not: who waits holds a closure, not the memory of a hash. Knows nothing of hashing.
import { HasherBusy } from '../errors.js'

export interface QueueLimits {
  /** Jobs in flight. */
  readonly maxConcurrent: number
  /** Jobs waiting for one of those places. */
  readonly maxQueue: number
  /** A job that waited longer is not begun: who asked has given up, or will before it is done. */
  readonly maxWaitSeconds: number
}

export interface Queue {
  /** True while the next job would be refused. */
  readonly busy: boolean
  /**
   * Runs a job in its turn and answers what it answers. Throws HasherBusy when the line is full, when the job waited too long, or
   * after `close`; throws the signal's reason when that is aborted before the job began. A begun job is never interrupted.
   */
  run<T>(job: () => Promise<T>, signal?: AbortSignal): Promise<T>
  /** Takes no more jobs and resolves when the last one, waiting ones included, is done. */
  close(): Promise<void>
}

interface Entry {
  readonly since: number
  begin(): void
  refuse(reason: Error): void
}

/** `now` counts milliseconds and must be monotonic: a clock set back would let jobs wait, one set forward would drop them all. */
export function createQueue(limits: QueueLimits, now: () => number = () => performance.now()): Queue {
  const longestWait = limits.maxWaitSeconds * 1000
  // A Set keeps the order of arrival and lets an aborted entry leave from the middle.
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
      else await turn(signal)
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
        tellDrained()
      })
    },
  }

  function isFull(): boolean {
    return closed || (running >= limits.maxConcurrent && waiting.size >= limits.maxQueue)
  }

  /** Resolves when the entry's turn has come; its place in flight is then taken already. */
  function turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        waiting.delete(entry)
        signal?.removeEventListener('abort', abort)
      }
      const entry: Entry = {
        since: now(),
        begin() {
          leave()
          resolve()
        },
        refuse(reason) {
          leave()
          reject(reason)
        },
      }
      // Typed any: passed on as throwIfAborted would throw it, whatever it is.
      const abort = () => entry.refuse(signal?.reason as Error)
      signal?.addEventListener('abort', abort)
      waiting.add(entry)
      watchAge()
    })
  }

  function beginNext(): void {
    dropAged()
    for (const entry of waiting) {
      if (running >= limits.maxConcurrent) break
      running++
      entry.begin()
    }
    tellDrained()
  }

  function dropAged(): void {
    for (const entry of waiting) {
      if (now() - entry.since <= longestWait) break
      entry.refuse(new HasherBusy())
    }
  }

  /** Drops the aged even when no job ends, as behind a host's hasher that hangs. Never keeps the process alive. */
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

  function tellDrained(): void {
    if (!closed || running > 0 || waiting.size > 0) return
    for (const resolve of drained.splice(0)) resolve()
  }
}
