// Normalised names: Unicode NFC, then ASCII letters in upper case. The reference converts all of Unicode;
// JavaScript's upper case maps ı, ſ and others to ASCII letters, which would merge the addresses of two users
// (security IN-07), so only ASCII is converted here.

const lowerCase = /[a-z]+/g

// The three characters that NFC maps to ASCII: Greek question mark, Greek varia, Kelvin sign. They are kept.
const asciiInDisguise = /([\u037e\u1fef\u212a])/

/**
 * The key under which a user name, an e-mail address or a role is unique.
 *
 * @returns null for a text that no row can hold: longer than 256 characters, or with a NUL
 */
export function normalizeName(text: string): string | null {
  if (text.length > 256 || text.includes('\0') || !text.isWellFormed()) return null
  const composed = text
    .split(asciiInDisguise)
    .map((part) => (asciiInDisguise.test(part) ? part : part.normalize('NFC')))
    .join('')
  return composed.length > 256 ? null : composed.replace(lowerCase, (letters) => letters.toUpperCase())
}

/** Without the blanks around it, as an address is pasted. Line breaks stay, and are refused. */
export function withoutBlanksAround(text: string): string {
  return text.replace(/^[ \t\u00a0]+/, '').replace(/[ \t\u00a0]+$/, '')
}
