// Waiting for one's turn: as many attempts of a name may be verified at once as may still fail, and the next ones wait for a verdict
// instead of being refused (security D8, LG-06).
import { SignInsCrowded } from '../../errors.js'

// Two seconds, then 503.
const waits = 150
const waitMilliseconds = 13

/**
 * Reserves until there is room.
 *
 * @throws FST_IDENTITY_SIGN_INS_CROWDED after two seconds without
 */
export async function waitForRoom<T extends { readonly state: string }>(
  reserve: () => Promise<T>,
): Promise<Exclude<T, { readonly state: 'crowded' }>> {
  for (let wait = 0; wait <= waits; wait++) {
    const reserved = await reserve()
    if (reserved.state !== 'crowded') return reserved as Exclude<T, { readonly state: 'crowded' }> // the other state is excluded above
    await new Promise((resolve) => setTimeout(resolve, waitMilliseconds))
  }
  throw new SignInsCrowded()
}
