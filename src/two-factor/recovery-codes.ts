// Recovery codes: what a person writes down for the day the phone is lost. XXXXX-XXXXX from an alphabet of 26 without look-alikes (the
// reference's format, 47 bits each). How they are stored and spent is the household's business.
import { randomBytes } from 'node:crypto'

const alphabet = '23456789BCDFGHJKMNPQRTVWXY'

// The largest multiple of the alphabet's length below 256. A byte from here on is drawn again: taken modulo 26 it would favour the first letters.
const fairBytes = Math.floor(256 / alphabet.length) * alphabet.length

/**
 * `count` new codes, all different, every one equally likely.
 * @param random gives n random bytes; node:crypto's by default
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
 * Whether `text` may be looked up as a recovery code: 1 to 64 characters, no control character, no half of a surrogate pair. Deliberately no
 * stricter: accounts that came from the reference may hold codes of an older shape (before .NET 5: eight hexadecimal digits).
 */
export function isRecoveryCodeShaped(text: string): boolean {
  return text.length > 0 && text.length <= 64 && !/[\p{Cc}\p{Cs}]/u.test(text)
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
