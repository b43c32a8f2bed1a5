// Users whose claims this instance has read, because a ticket was older than a change, or has no room for them. An entry is good until a
// change of its user, or of a role of its user, is learned; then it is read again, once for all requests that wait.
import type { ClaimChanges } from '../../revocation/claim-changes.js'
import { type Claim, findUserWithGrants, type UserRecord, type UserWithGrants } from '../../store/users.js'
import type { Db } from '../../store/db.js'

export interface CurrentClaims {
  /** What was read of a user, if nothing has changed since; the host's own claims are among the claims. */
  known(userId: string): UserWithGrants | null
  /** Reads a user again; null when there is none any more. */
  read(userId: string): Promise<UserWithGrants | null>
  /** Keeps what a sign-in or a refresh has just read, with the host's own claims. */
  learn(found: UserWithGrants): void
}

interface Entry {
  readonly found: UserWithGrants
  /** The changes that were known before it was read. */
  readonly sequence: number
  readonly weight: number
}

interface Generation {
  readonly entries: Map<string, Entry>
  weight: number
}

const maxWeight = 32 * 1024 * 1024

/** @param added option `claims` */
export function createCurrentClaims(
  db: Db,
  changes: ClaimChanges,
  added: ((user: UserRecord) => readonly Claim[]) | null,
): CurrentClaims {
  // Two generations: a full young one becomes the old one, whose entries are forgotten unless asked for meanwhile.
  let young: Generation = { entries: new Map(), weight: 0 }
  let old: Generation = { entries: new Map(), weight: 0 }
  const reading = new Map<string, { readonly sequence: number; readonly found: Promise<UserWithGrants | null> }>()

  function keep(userId: string, entry: Entry): void {
    young.weight += entry.weight - (young.entries.get(userId)?.weight ?? 0)
    young.entries.set(userId, entry)
    if (young.weight <= maxWeight / 2) return
    old = young
    young = { entries: new Map(), weight: 0 }
  }

  function entryOf(userId: string): Entry | null {
    const recent = young.entries.get(userId)
    const entry = recent ?? old.entries.get(userId)
    if (entry === undefined || changes.latest(userId, entry.found.roles, -Infinity) > entry.sequence) return null
    if (recent === undefined) keep(userId, entry)
    return entry
  }

  async function read(userId: string, sequence: number): Promise<UserWithGrants | null> {
    const stored = await findUserWithGrants(db, userId)
    if (stored === null) return null
    const found = { ...stored, claims: [...stored.claims, ...(added?.(stored.user) ?? [])] }
    keep(userId, { found, sequence, weight: weightOf(found) })
    return found
  }

  return {
    known: (userId) => entryOf(userId)?.found ?? null,
    read(userId) {
      const { sequence } = changes
      const under = reading.get(userId)
      // One that began before the last change may have missed it.
      if (under?.sequence === sequence) return under.found
      const found = read(userId, sequence).finally(() => {
        if (reading.get(userId)?.found === found) reading.delete(userId)
      })
      reading.set(userId, { sequence, found })
      return found
    },
    learn(found) {
      if (entryOf(found.user.id) !== null) return
      // Read before this call: good only where no change is known.
      keep(found.user.id, { found, sequence: 0, weight: weightOf(found) })
    },
  }
}

function weightOf({ roles, claims }: UserWithGrants): number {
  let weight = 2000
  for (const role of roles) weight += 50 + 2 * role.length
  for (const { type, value } of claims) weight += 100 + 2 * (type.length + value.length)
  return weight
}
