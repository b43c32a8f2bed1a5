// Texts that users type as names: their key, and the blanks around them.
import { nameKeys } from '../../store/name-keys.js'

/**
 * The key under which a user name, an e-mail address or a role is unique.
 *
 * @returns null for a text that no row can hold: longer than 256 characters, or with a NUL
 */
export function normalizeName(text: string): string | null {
  return nameKeys(text)?.folded ?? null
}

/** Without the blanks around it, as an address is pasted. Line breaks stay, and are refused. */
export function withoutBlanksAround(text: string): string {
  return text.replace(/^[ \t\u00a0]+/, '').replace(/[ \t\u00a0]+$/, '')
}
