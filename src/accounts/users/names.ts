// Normalised names: Unicode NFC, then ASCII letters upper-cased. The reference upper-cases all of Unicode; JavaScript's upper case
// folds ı, ſ and others onto ASCII letters and so makes two people's addresses one (security IN-07), so only ASCII is folded here.

const lowerCase = /[a-z]+/g

// The three characters that NFC turns into ASCII: Greek question mark, Greek varia, Kelvin sign. They stay what they are.
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
