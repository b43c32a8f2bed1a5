// Whose claims have changed while tickets with the old ones may be about. A request compares one number with `sequence`, and looks no further
// while nothing has changed since its ticket was looked at.

/** A change as the database notes it. */
export interface NotedChange {
  /** `u:` and the id of a user, or `r:` and the name of a role. */
  readonly subject: string
  /** Another one with each change of this subject. */
  readonly mark: string
  /** Seconds since the epoch, by the database's clock. */
  readonly at: number
}

export interface ClaimChanges {
  /** Moves on with each change that was not known. */
  readonly sequence: number
  /** Learns of changes, again and again of the same. Kept until `until` (milliseconds of the caller's clock), when no ticket with old claims is left. */
  add(changes: Iterable<NotedChange>, until: number): void
  /** The sequence of the newest change of this user, or of a role of these, that was noted since `seconds` (since the epoch); 0 for none. */
  latest(userId: string, roles: readonly string[], seconds: number): number
  /** Forgets what no ticket can need any more. */
  purge(now: number): void
  readonly size: number
}

interface Known {
  readonly mark: string
  readonly at: number
  readonly sequence: number
  until: number
}

export function createClaimChanges(): ClaimChanges {
  const known = new Map<string, Known>()
  let sequence = 0
  let rolesNoted = 0

  const newer = (subject: string, seconds: number): number => {
    const change = known.get(subject)
    return change !== undefined && change.at >= seconds ? change.sequence : 0
  }

  return {
    get sequence() {
      return sequence
    },
    add(changes, until) {
      for (const { subject, mark, at } of changes) {
        const before = known.get(subject)
        if (before?.mark === mark) {
          before.until = Math.max(before.until, until)
          continue
        }
        // A note that was on its way while a newer one was learned here.
        if (before !== undefined && before.at > at) continue
        if (before === undefined && subject.startsWith('r:')) rolesNoted++
        known.set(subject, { mark, at, sequence: ++sequence, until })
      }
    },
    latest(userId, roles, seconds) {
      let latest = newer(`u:${userId}`, seconds)
      if (rolesNoted > 0) for (const role of roles) latest = Math.max(latest, newer(`r:${role}`, seconds))
      return latest
    },
    purge(now) {
      for (const [subject, { until }] of known) {
        if (until > now) continue
        known.delete(subject)
        if (subject.startsWith('r:')) rolesNoted--
      }
    },
    get size() {
      return known.size
    },
  }
}
