// The keys of user names, addresses and roles: Unicode NFC, then upper case. Letters fold as .NET's ToUpperInvariant folds them, except that none
// becomes a letter of ASCII, which would merge the addresses of two users (security IN-07). The version before folded letters of ASCII alone;
// its key is stored beside this one, so that those who were two then are still found apart.
import { type RawBuilder, sql } from 'kysely'
import { upperCases } from '../../migrations/upper-case.js'

/** The keys of one text. */
export interface NameKeys {
  /** NFC, in upper case: a name is unique under it. */
  readonly folded: string
  /** NFC, with letters of ASCII in upper case. Equal to `folded` where all is ASCII. */
  readonly spelled: string
}

const lowerCase = /[a-z]+/g
const beyondAscii = /[^\0-\x7f]/
const allBeyondAscii = /[^\0-\x7f]/gu

// The three characters that NFC maps to ASCII: Greek question mark, Greek varia, Kelvin sign. They are kept.
const asciiInDisguise = /([\u037e\u1fef\u212a])/

const [lower, upper] = upperCases().map((letters) => Array.from(letters)) as [string[], string[]] // two of two
const upperOf: ReadonlyMap<string, string> = new Map(lower.map((letter, index) => [letter, upper[index] ?? letter]))

/** @returns null for a text that no row can hold: longer than 256 characters, or with a NUL */
export function nameKeys(text: string): NameKeys | null {
  if (text.length > 256 || text.includes('\0') || !text.isWellFormed()) return null
  const composed = text
    .split(asciiInDisguise)
    .map((part) => (asciiInDisguise.test(part) ? part : part.normalize('NFC')))
    .join('')
  if (composed.length > 256) return null
  const spelled = composed.replace(lowerCase, (letters) => letters.toUpperCase())
  return { spelled, folded: spelled.replace(allBeyondAscii, (letter) => upperOf.get(letter) ?? letter) }
}

/** Whether the two keys may differ, and the column of the folded one has a value. */
export function isBeyondAscii(key: string): boolean {
  return beyondAscii.test(key)
}

const columns = {
  normalized_user_name: 'folded_user_name',
  normalized_email: 'folded_email',
  normalized_name: 'folded_name',
} as const

/** Whether a row has a key. The folded columns are null for ASCII, where the first ones are the key. */
export function hasKey(table: string, column: keyof typeof columns, folded: string): RawBuilder<boolean> {
  return sql`${sql.ref(`${table}.${isBeyondAscii(folded) ? columns[column] : column}`)} = ${folded}`
}

/** The key of a row. */
export function keyOf(table: string, column: keyof typeof columns): RawBuilder<string> {
  return sql`coalesce(${sql.ref(`${table}.${columns[column]}`)}, ${sql.ref(`${table}.${column}`)})`
}

/** The order of rows of one key: the one that is spelled so, then the oldest. */
export function spelledFirst(table: string, column: 'normalized_user_name' | 'normalized_name', spelled: string) {
  return sql`${sql.ref(`${table}.${column}`)} = ${spelled} desc, ${sql.ref(`${table}.name_rank`)}`
}
