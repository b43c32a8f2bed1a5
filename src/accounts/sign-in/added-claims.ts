// The claims that option `claims` adds to those of the database.
import type { Claim, UserRecord, UserWithGrants } from '../../store/users.js'

/** The user with the host's own claims. @throws TypeError for what is no claim */
export function withAdded(found: UserWithGrants, added: (user: UserRecord) => readonly Claim[]): UserWithGrants {
  const claims: readonly unknown[] = added(found.user)
  if (!Array.isArray(claims) || !claims.every(isClaim))
    throw new TypeError("Option 'claims' has not returned a list of { type, value }, which are texts")
  return claims.length === 0 ? found : { ...found, claims: [...found.claims, ...claims] }
}

function isClaim(value: unknown): value is Claim {
  return (
    typeof value === 'object' &&
    value !== null &&
    'type' in value &&
    typeof value.type === 'string' &&
    'value' in value &&
    typeof value.value === 'string'
  )
}
