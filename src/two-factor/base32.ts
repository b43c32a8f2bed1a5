// Base32 of RFC 4648 §6, the form of keys in authenticator apps and in the reference's user tokens: A-Z2-7, written
// without padding, read in either case and with or without trailing '='. Surplus bits at the end are dropped, as in
// the reference; any other deviation is refused. @scure/base does the strict part.
import { base32nopad } from '@scure/base'

/** `bytes` in base32, upper case, without padding: 20 bytes give 32 characters. */
export function encodeBase32(bytes: Uint8Array): string {
  return base32nopad.encode(bytes)
}

/** The bytes of `text`, or null when a character is outside the alphabet. An empty text is no bytes. */
export function decodeBase32(text: string): Uint8Array | null {
  // ASCII only: toUpperCase() would read the long s (U+017F) as S and the dotless i (U+0131) as I.
  const [, digits] = /^([A-Za-z2-7]*)=*$/.exec(text) ?? []
  return digits === undefined ? null : base32nopad.decode(canonical(digits.toUpperCase()))
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** The same bytes without the bits that are no whole byte: @scure/base refuses those that are not zero. */
function canonical(digits: string): string {
  const surplus = (digits.length * 5) % 8
  if (surplus >= 5) return canonical(digits.slice(0, -1))
  if (surplus === 0) return digits
  const last = (alphabet.indexOf(digits.slice(-1)) >> surplus) << surplus
  return digits.slice(0, -1) + alphabet.charAt(last)
}
