// Keeps the tokens of one user and renews them: one refresh at a time in this tab and, where the host stores tokens,
// in all of its tabs.
import type { TokenAnswer } from './answers.js'
import { errorOf } from './client-error.js'

/** What a `storage` keeps. */
export interface Tokens {
  /** The token for the Authorization header. */
  readonly accessToken: string
  /** The token for `POST /refresh`. */
  readonly refreshToken: string
  /** When to renew them, in milliseconds since the epoch by the clock of this machine. */
  readonly renewAt: number
}

/**
 * Storage of the tokens. Default: memory, which ends with the page. Any script of the page can read localStorage; no
 * script can read a cookie (option `cookies`).
 */
export interface TokenStorage {
  /** The tokens that were stored last; null without any. */
  get(): Tokens | null | Promise<Tokens | null>
  /** null removes them. */
  set(tokens: Tokens | null): void | Promise<void>
}

export interface Keeper {
  /**
   * Runs `work` while no other tab or call renews, replaces or forgets tokens.
   *
   * @throws the reason of `deadline`, once that has passed, whether the call still waits for others or for `work`
   */
  alone<T>(work: () => Promise<T>, deadline?: AbortSignal): Promise<T>
  held(): Promise<Tokens | null>
  keep(answer: TokenAnswer): Promise<void>
  forget(): Promise<void>
  /**
   * Tokens newer than `stale`, obtained here or by another tab; null when the session has ended. Within `alone`.
   *
   * @throws TypeError from the network, the reason of `deadline`, or IdentityClientError for an answer that is neither 200 nor 401
   */
  renew(stale: Tokens, deadline: AbortSignal): Promise<Tokens | null>
}

export function createKeeper(
  storage: TokenStorage | undefined,
  name: string,
  refresh: (refreshToken: string, deadline: AbortSignal) => Promise<Response>,
): Keeper {
  const place = storage ?? inMemory()
  const exclusive = storage === undefined ? oneAfterAnother() : (acrossTabs(name) ?? oneAfterAnother())

  async function keep(answer: TokenAnswer): Promise<void> {
    await place.set(tokensOf(answer))
  }

  return {
    alone(work, deadline) {
      if (deadline === undefined) return exclusive(work)
      // A caller whose deadline passes while it waits leaves the queue: its work must not start later.
      const started = exclusive(() => {
        deadline.throwIfAborted()
        return work()
      })
      return Promise.race([started, expiryOf(deadline)])
    },
    held: async () => place.get(),
    keep,
    forget: async () => place.set(null),
    async renew(stale, deadline) {
      const held = await place.get()
      if (held === null || held.accessToken !== stale.accessToken) return held
      // The answer may be lost after the server has rotated the token: within its grace period the same token gets the same successor.
      const answer = await refresh(held.refreshToken, deadline).catch((error: unknown) => {
        if (deadline.aborted) throw error
        return refresh(held.refreshToken, deadline)
      })
      if (answer.ok) {
        const newer = (await answer.json()) as TokenAnswer // the endpoint's answer of 200
        // A logout that gave up waiting for this answer has forgotten the tokens: they stay forgotten.
        if ((await place.get())?.refreshToken === held.refreshToken) await keep(newer)
        return place.get()
      }
      if (answer.status !== 401) throw await errorOf(answer)
      // Without Web Locks, another tab may have logged in meanwhile.
      const now = await place.get()
      if (now?.refreshToken !== held.refreshToken) return now
      await place.set(null)
      return null
    },
  }
}

const earliestMilliseconds = 30_000

/** Renewed 30 s before they expire; short-lived ones after half their lifetime. */
function tokensOf({ accessToken, refreshToken, expiresIn }: TokenAnswer): Tokens {
  const life = expiresIn * 1000
  return { accessToken, refreshToken, renewAt: Date.now() + life - Math.min(earliestMilliseconds, life / 2) }
}

function inMemory(): TokenStorage {
  let held: Tokens | null = null
  return {
    get: () => held,
    set(tokens) {
      held = tokens
    },
  }
}

type Exclusive = <T>(work: () => Promise<T>) => Promise<T>

/** Rejects when the signal fires, and never otherwise. */
function expiryOf(deadline: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    // The reason of AbortSignal.timeout is a DOMException called TimeoutError.
    const expire = () => reject(deadline.reason as Error)
    if (deadline.aborted) expire()
    else deadline.addEventListener('abort', expire, { once: true })
  })
}

function oneAfterAnother(): Exclusive {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const next = last.then(work)
    last = next.catch(() => undefined)
    return next
  }
}

interface Locks {
  request<T>(name: string, work: () => Promise<T>): Promise<T>
}

/** Web Locks where they exist: browsers in a secure context, and newer versions of Node. */
function acrossTabs(name: string): Exclusive | null {
  // Not every environment has them, or their types.
  const { navigator } = globalThis as { navigator?: { locks?: Locks } }
  const locks = navigator?.locks
  return locks === undefined ? null : (work) => locks.request(name, work)
}
