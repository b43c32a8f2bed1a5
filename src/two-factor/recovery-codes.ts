// Recovery codes, which replace the second factor when the phone is lost: XXXXX-XXXXX from an alphabet of 26
// characters without look-alikes (the reference's format, 47 bits each). Storing and redeeming them is
// src/accounts/second-factor/.
import { randomBytes } from 'node:crypto'

const alphabet = '23456789BCDFGHJKMNPQRTVWXY'

// The largest multiple of the alphabet's length below 256. A byte from here on is drawn again: modulo 26 it would
// favour the first letters.
const fairBytes = Math.floor(256 / alphabet.length) * alphabet.length

/**
 * Returns `count` new codes, all different, each equally likely.
 * @param random returns n random bytes; default: node:crypto's
 */
export function generateRecoveryCodes(count: number, random: (n: number) => Uint8Array = randomBytes): string[] {
  const codes = new Set<string>()
  while (codes.size < count) {
    const letters = draw(10, random)
    codes.add(`${letters.slice(0, 5)}-${letters.slice(5)}`)
  }
  return [...codes]
}

/**
 * Whether `text` may be looked up as a recovery code: 1 to 64 characters, no control character, no half of a
 * surrogate pair. Deliberately no stricter: accounts imported from the reference may have codes of an older form
 * (before .NET 5: eight hexadecimal digits).
 */
export function isRecoveryCodeShaped(text: string): boolean {
  return text.length > 0 && text.length <= 64 && !/[\p{Cc}\p{Cs}]/u.test(text)
}

/**
 * The code that was typed: in small letters, with blanks, with or without its hyphen. A code of another shape, from before .NET 5, is taken
 * without the blanks around it.
 */
export function readRecoveryCode(text: string): string {
  const letters = text.replace(/[\s-]+/g, '').toUpperCase()
  const isOurs = letters.length === 10 && Array.from(letters).every((letter) => alphabet.includes(letter))
  return isOurs ? `${letters.slice(0, 5)}-${letters.slice(5)}` : text.trim()
}

function draw(length: number, random: (n: number) => Uint8Array): string {
  let letters = ''
  while (letters.length < length) {
    for (const byte of random(length - letters.length)) {
      if (byte < fairBytes) letters += alphabet.charAt(byte % alphabet.length)
    }
  }
  return letters
}
