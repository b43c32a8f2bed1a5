// Manipulated tokens. Each generator yields texts that must not open; none yields the token itself.

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** The token with each single bit of its bytes flipped. */
export function* bitFlips(token: string): Generator<string> {
  for (const bytes of byteFlips(Buffer.from(token, 'base64url'))) yield bytes.toString('base64url')
}

export function* byteFlips(bytes: Uint8Array): Generator<Buffer> {
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes)
    flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
    yield flipped
  }
}

/** Every shorter beginning and end. */
export function* truncations(token: string): Generator<string> {
  for (let length = 0; length < token.length; length++) {
    yield token.slice(0, length)
    yield token.slice(token.length - length)
  }
}

/** Texts that a forgiving decoder reads as the token's very bytes, and texts that carry it among others. */
export function* respellings(token: string): Generator<string> {
  for (const last of alphabet) if (!token.endsWith(last)) yield token.slice(0, -1) + last
  for (const extra of ['=', '==', '\0', '.', 'A', 'AA', 'AAA', 'AAAA', '!', '\u00a0', '\ufeff', '%00']) {
    yield token + extra
    yield extra + token
    yield token.slice(0, 40) + extra + token.slice(40)
  }
  yield '='.repeat(4 - (token.length % 4)) + token
  yield token + token
  yield `"${token}"`
  yield `Bearer ${token}`
  yield swapCase(token)
  // Characters whose low byte is that of the real one.
  for (const at of [0, 3, 7, 8, 41, token.length - 1]) {
    yield token.slice(0, at) + String.fromCharCode(token.charCodeAt(at) + 0x100) + token.slice(at + 1)
  }
  if (/[-_]/.test(token)) yield token.replaceAll('-', '+').replaceAll('_', '/')
}

/** What is no token at all. */
export const strangers: readonly unknown[] = [
  '',
  'A',
  'null',
  'a.b.c',
  'A'.repeat(61),
  'A'.repeat(62),
  'A'.repeat(4096),
  'A'.repeat(5000),
  'é'.repeat(100),
  '\ud800'.repeat(100),
  '\0'.repeat(100),
  undefined,
  null,
  0,
  1,
  NaN,
  true,
  {},
  [],
  ['A'.repeat(100)],
  { length: 100 },
  Buffer.alloc(100),
  Symbol.iterator,
  () => 'A',
]

function swapCase(text: string): string {
  return text.replace(/[a-z]/gi, (letter) =>
    letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
  )
}

/** The token with blanks or line breaks around or in it, as they come from pasting and from mail programs. */
export function* blankings(token: string): Generator<string> {
  for (const blank of [' ', '\n', '\r\n', '\t'])
    yield* [token + blank, blank + token, token.slice(0, 40) + blank + token.slice(40)]
}
