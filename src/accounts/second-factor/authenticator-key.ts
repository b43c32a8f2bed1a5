// The stored key of the authenticator app, and its codes. The key is sealed and bound to its user: a column copied
// from one row to another does not open (security MF-15).
import type { Clock } from '../../clock.js'
import { mac, open, seal, type SealingKey } from '../../tokens/seal.js'
import { decodeBase32 } from '../../two-factor/base32.js'
import { verifyTotp } from '../../two-factor/totp.js'

export function sealAuthenticatorKey(vault: SealingKey, userId: string, key: string): string {
  return seal(vault, 'authenticatorKey', key, userId)
}

export function openAuthenticatorKey(vault: SealingKey, userId: string, sealed: string | null): string | null {
  return open((id) => (id === vault.id ? vault : null), 'authenticatorKey', sealed, userId)?.toString() ?? null
}

/** The step of 30 s of this code; null for a wrong code, or a user without a key. */
export function authenticatorStep(
  vault: SealingKey,
  clock: Clock,
  windowSteps: number,
  userId: string,
  sealed: string | null,
  code: string,
): number | null {
  const text = openAuthenticatorKey(vault, userId, sealed)
  const key = text === null ? null : decodeBase32(text)
  return key === null ? null : verifyTotp(key, code, clock(), { windowSteps })
}

// Fifty bits and more under a keyed hash, with the user's id as salt: a dump of the table reveals no code (security
// MF-06).
export function recoveryHash(vault: SealingKey, userId: string, code: string): Buffer {
  return mac(vault, 'recoveryCode', `${userId}:${code}`)
}
