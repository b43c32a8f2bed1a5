// Base32 of RFC 4648 §6, the form of keys in authenticator apps and in the reference's user tokens: A-Z2-7, written
// without padding, read in either case and with or without trailing '='. Surplus bits at the end are dropped, as in
// the reference; any other deviation is refused.

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** `bytes` in base32, upper case, without padding: 20 bytes give 32 characters. */
export function encodeBase32(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let count = 0
  for (const byte of bytes) {
    bits = (bits << 8) | byte
    count += 8
    while (count >= 5) {
      count -= 5
      text += alphabet.charAt((bits >>> count) & 31)
    }
    bits &= (1 << count) - 1
  }
  return count === 0 ? text : text + alphabet.charAt((bits << (5 - count)) & 31)
}

/** The bytes of `text`, or null when a character is outside the alphabet. An empty text is no bytes. */
export function decodeBase32(text: string): Uint8Array | null {
  let end = text.length
  while (end > 0 && text[end - 1] === '=') end--

  const bytes = new Uint8Array(Math.floor((end * 5) / 8))
  let written = 0
  let bits = 0
  let count = 0
  for (let i = 0; i < end; i++) {
    const value = valueOf(text.charCodeAt(i))
    if (value < 0) return null
    bits = (bits << 5) | value
    count += 5
    if (count < 8) continue
    count -= 8
    bytes[written++] = bits >>> count
    bits &= (1 << count) - 1
  }
  return bytes
}

// Folded by character code: toUpperCase() would read the long s (U+017F) as S and the dotless i (U+0131) as I.
function valueOf(charCode: number): number {
  if (charCode >= 0x41 && charCode <= 0x5a) return charCode - 0x41
  if (charCode >= 0x61 && charCode <= 0x7a) return charCode - 0x61
  if (charCode >= 0x32 && charCode <= 0x37) return charCode - 0x32 + 26
  return -1
}
