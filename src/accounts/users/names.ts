// Texts that users type as names: the key of each.
import { nameKeys } from '../../store/name-keys.js'

/**
 * The key under which a user name, an e-mail address or a role is unique.
 *
 * @returns null for a text that no row can hold: longer than 256 characters, or with a NUL
 */
export function normalizeName(text: string): string | null {
  return nameKeys(text)?.folded ?? null
}
