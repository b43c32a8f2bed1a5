// The sessions that have ended while their tickets may still be presented: one Map look-up per request.

export interface DenyList {
  /**
   * Refuses these sessions until `until` (milliseconds of the caller's clock), when their last ticket has expired or must be validated.
   *
   * @returns those that were not refused before
   */
  add(sessionIds: Iterable<string>, until: number): string[]
  /** Refuses sessions without a row, instead of those refused so before: a row may come back. */
  replaceMissing(sessionIds: ReadonlySet<string>): void
  has(sessionId: string): boolean
  /** Removes entries that no ticket can need any more. */
  purge(now: number): void
  readonly size: number
}

export function createDenyList(): DenyList {
  const ended = new Map<string, number>()
  let missing: ReadonlySet<string> = new Set()
  return {
    add(sessionIds, until) {
      const added: string[] = []
      for (const id of sessionIds) {
        const before = ended.get(id)
        if (before === undefined) added.push(id)
        ended.set(id, Math.max(until, before ?? 0))
      }
      return added
    },
    replaceMissing(sessionIds) {
      missing = sessionIds
    },
    has: (sessionId) => ended.has(sessionId) || missing.has(sessionId),
    purge(now) {
      for (const [id, until] of ended) if (until <= now) ended.delete(id)
    },
    get size() {
      return ended.size
    },
  }
}
