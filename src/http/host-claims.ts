// Option `claims`.
import type { SignedIn } from '../accounts/sign-in/sign-in-result.js'
import type { Realm } from './context.js'

/** With the claims that the host adds to every ticket. */
export function withClaims(realm: Realm, signedIn: SignedIn): SignedIn {
  const added = realm.options.claims(signedIn.user)
  return added.length === 0 ? signedIn : { ...signedIn, claims: [...signedIn.claims, ...added] }
}
