// Keeps the tokens of one person and renews them: one refresh at a time, in this tab and, where the host stores tokens, in all of its tabs.
import type { TokenAnswer } from './answers.js'
import { errorOf } from './client-error.js'

export interface Tokens {
  readonly accessToken: string
  readonly refreshToken: string
  /** When to renew them, in milliseconds since the epoch by the clock of this machine. */
  readonly renewAt: number
}

/**
 * Where tokens are kept. By default in memory: they end with the page. Any script of the page can read what lies in localStorage; a cookie
 * (option `cookies`) no script can.
 */
export interface TokenStorage {
  get(): Tokens | null | Promise<Tokens | null>
  /** null forgets them. */
  set(tokens: Tokens | null): void | Promise<void>
}

export interface Keeper {
  /** Runs `work` while no other tab or call renews, replaces or forgets tokens. */
  alone<T>(work: () => Promise<T>): Promise<T>
  held(): Promise<Tokens | null>
  keep(answer: TokenAnswer): Promise<void>
  forget(): Promise<void>
  /** Newer tokens than these, whoever got them; null when the session has ended. Within `alone`. */
  renew(stale: Tokens): Promise<Tokens | null>
}

export function createKeeper(
  storage: TokenStorage | undefined,
  name: string,
  refresh: (refreshToken: string) => Promise<Response>,
): Keeper {
  const place = storage ?? inMemory()
  const alone = storage === undefined ? oneAfterAnother() : (acrossTabs(name) ?? oneAfterAnother())

  async function keep(answer: TokenAnswer): Promise<void> {
    await place.set(tokensOf(answer))
  }

  return {
    alone,
    held: async () => place.get(),
    keep,
    forget: async () => place.set(null),
    async renew(stale) {
      const held = await place.get()
      if (held === null || held.accessToken !== stale.accessToken) return held
      // An answer may be lost when the token is used up: within the server's time of grace the same token gets the same successor.
      const answer = await refresh(held.refreshToken).catch(() => refresh(held.refreshToken))
      if (answer.ok) {
        await keep((await answer.json()) as TokenAnswer) // the endpoint's answer of 200
        return place.get()
      }
      if (answer.status !== 401) throw await errorOf(answer)
      // Without Web Locks somebody may have logged in anew in another tab.
      const now = await place.get()
      if (now?.refreshToken !== held.refreshToken) return now
      await place.set(null)
      return null
    },
  }
}

const earliestMilliseconds = 30_000

/** Renewed 30 s before they expire; short-lived ones after half their life. */
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

function oneAfterAnother(): Keeper['alone'] {
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

/** Web Locks, where there are any: browsers in a secure context, and newer versions of Node. */
function acrossTabs(name: string): Keeper['alone'] | null {
  // Not every environment has them, nor their types.
  const { navigator } = globalThis as { navigator?: { locks?: Locks } }
  const locks = navigator?.locks
  return locks === undefined ? null : (work) => locks.request(name, work)
}
