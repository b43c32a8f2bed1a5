// The queue of the attempts of one name in this process. As many are verified at once as may still fail; the others wait here and not at the
// database (security D8, LG-06). Where other instances hold the reservations, the first in the queue asks again, each time after twice the time.
import { SignInsCrowded } from '../../errors.js'
import type { Admission } from '../../store/attempts.js'

export interface NameQueueLimits {
  /** Attempts at once, until the database has returned how many may run. */
  readonly room: number
  /** Attempts that wait in the queue of one name; more are refused at once. */
  readonly maxWaiting: number
  /** An attempt that has waited longer is refused. */
  readonly maxWaitMilliseconds: number
}

export type Admitted = Exclude<Admission, { readonly state: 'crowded' }>

/** An answer of the database, and how to make room for the next attempt. */
export interface Place {
  readonly admission: Admitted
  readonly leave: () => void
}

export interface NameQueues {
  /**
   * Waits until the attempt may be verified, or the name is locked.
   *
   * @param ask reserves one attempt
   * @throws FST_IDENTITY_SIGN_INS_CROWDED when too many wait, or this one for too long
   */
  enter(name: string, ask: () => Promise<Admission>): Promise<Place>
}

const shortestPauseMilliseconds = 10
const longestPauseMilliseconds = 160

interface Entry {
  /** Counts arrivals, in this process. */
  readonly number: number
  readonly since: number
  readonly ask: () => Promise<Admission>
  resolve(place: Place): void
  reject(error: unknown): void
}

interface Queue {
  readonly waiting: Entry[]
  running: number
  /** Attempts that may run at once as far as is known: grows with each that is admitted, and shrinks where other instances hold reservations. */
  window: number
  pauseMilliseconds: number
  pause: NodeJS.Timeout | null
  age: NodeJS.Timeout | null
}

/** @param now counts milliseconds and must be monotonic */
export function createNameQueues(limits: NameQueueLimits, now: () => number = () => performance.now()): NameQueues {
  const queues = new Map<string, Queue>()
  let arrivals = 0

  return {
    enter(name, ask) {
      const queue = queues.get(name) ?? emptyQueue(limits.room)
      queues.set(name, queue)
      if (queue.waiting.length >= limits.maxWaiting) return Promise.reject(new SignInsCrowded())
      return new Promise((resolve, reject) => {
        queue.waiting.push({ number: arrivals++, since: now(), ask, resolve, reject })
        proceed(name, queue)
      })
    },
  }

  function proceed(name: string, queue: Queue): void {
    dropAged(queue)
    while (queue.pause === null && queue.running < Math.floor(queue.window)) {
      const entry = queue.waiting.shift()
      if (entry === undefined) break
      queue.running++
      void begin(name, queue, entry)
    }
    watchAge(name, queue)
    if (queue.running === 0 && queue.waiting.length === 0) {
      forget(queue)
      queues.delete(name)
    }
  }

  async function begin(name: string, queue: Queue, entry: Entry): Promise<void> {
    const leave = () => {
      queue.running--
      // Its room is free.
      if (queue.pause !== null) clearTimeout(queue.pause)
      queue.pause = null
      proceed(name, queue)
    }
    try {
      const admission = await entry.ask()
      if (admission.state === 'crowded') {
        putBack(queue, entry)
        queue.running--
        standBack(name, queue)
        return
      }
      if (admission.state === 'admitted') {
        queue.window = admission.tracked ? Math.min(admission.room, queue.window + 1 / queue.window) : Infinity
        queue.pauseMilliseconds = Math.max(shortestPauseMilliseconds, queue.pauseMilliseconds / 2)
        entry.resolve({ admission, leave: once(leave) })
        proceed(name, queue)
        return
      }
      // The others came before the lock was known, and would get the same answer.
      for (const waiting of queue.waiting.splice(0)) waiting.resolve({ admission, leave: () => undefined })
      entry.resolve({ admission, leave: () => undefined })
    } catch (error) {
      entry.reject(error)
    }
    leave()
  }

  /** Other instances hold the reservations: the next question is asked later, or as soon as an attempt of this process ends. */
  function standBack(name: string, queue: Queue): void {
    queue.window = Math.max(1, queue.running)
    if (queue.pause !== null) return
    const milliseconds = queue.pauseMilliseconds * spread()
    queue.pauseMilliseconds = Math.min(longestPauseMilliseconds, queue.pauseMilliseconds * 2)
    queue.pause = setTimeout(() => {
      queue.pause = null
      proceed(name, queue)
    }, milliseconds)
    proceed(name, queue)
  }

  function dropAged(queue: Queue): void {
    for (let first = queue.waiting[0]; first !== undefined; first = queue.waiting[0]) {
      if (now() - first.since <= limits.maxWaitMilliseconds) break
      queue.waiting.shift()
      first.reject(new SignInsCrowded())
    }
  }

  function watchAge(name: string, queue: Queue): void {
    const [first] = queue.waiting
    if (first === undefined && queue.age !== null) {
      clearTimeout(queue.age)
      queue.age = null
    }
    if (first === undefined || queue.age !== null) return
    queue.age = setTimeout(
      () => {
        queue.age = null
        proceed(name, queue)
      },
      Math.max(0, first.since + limits.maxWaitMilliseconds - now()) + 1,
    )
  }
}

function emptyQueue(room: number): Queue {
  return { waiting: [], running: 0, window: room, pauseMilliseconds: shortestPauseMilliseconds, pause: null, age: null }
}

/** Of several that were refused at the same moment, the answers arrive in any order. */
function putBack({ waiting }: Queue, entry: Entry): void {
  const next = waiting.findIndex(({ number }) => number > entry.number)
  waiting.splice(next < 0 ? waiting.length : next, 0, entry)
}

function forget(queue: Queue): void {
  if (queue.pause !== null) clearTimeout(queue.pause)
  if (queue.age !== null) clearTimeout(queue.age)
}

/** 0.5 to 1: of two instances that were refused at the same moment, one asks first. The clock's own low digits differ enough. */
function spread(): number {
  return 0.5 + ((performance.now() * 1000) % 500) / 1000
}

function once(work: () => void): () => void {
  let isDone = false
  return () => {
    if (!isDone) work()
    isDone = true
  }
}
