// The stored forms of a password: our argon2id PHC string, and the reference's V2 and V3 blobs, which are read but
// never written.
// Parses and formats only; hasher.ts derives and compares. Returns null for anything malformed, unknown or out of
// bounds.

import { withoutBlanks } from '../blanks.js'

/** The cost of one argon2id derivation. */
export interface Argon2Cost {
  readonly memoryKiB: number
  readonly iterations: number
  readonly parallelism: number
}

/** A stored hash whose parameters are within bounds. */
export type StoredHash = Argon2Hash | Pbkdf2Hash

export interface Argon2Hash {
  readonly kind: 'argon2id'
  readonly cost: Argon2Cost
  readonly salt: Uint8Array
  readonly tag: Uint8Array
}

export interface Pbkdf2Hash {
  readonly kind: 'pbkdf2'
  readonly digest: 'sha1' | 'sha256' | 'sha512'
  readonly iterations: number
  readonly salt: Uint8Array
  readonly tag: Uint8Array
}

/** Upper bounds of the parameters: a row of the database, which may be imported, must not exhaust the process. */
export const bounds = Object.freeze({ memoryKiB: 262_144, iterations: 10, parallelism: 4, pbkdf2Iterations: 2_000_000 })

/** Parses a stored hash; null when it holds no usable password. */
export function parseHash(text: string): StoredHash | null {
  // Nothing within bounds is longer; patterns and decoders never get a megabyte.
  if (text.length > 256) return null
  return text.startsWith('$') ? parsePhc(text) : parseBlob(text)
}

/** The PHC string of an argon2id hash: version 19, parameters in the order m, t, p, base64 without padding. */
export function formatArgon2id(
  { memoryKiB, iterations, parallelism }: Argon2Cost,
  salt: Uint8Array,
  tag: Uint8Array,
): string {
  return `$argon2id$v=19$m=${memoryKiB},t=${iterations},p=${parallelism}$${unpadded(salt)}$${unpadded(tag)}`
}

/** Lower bounds from RFC 9106 §3.1, upper ones ours. */
export function isWithinBounds({ memoryKiB, iterations, parallelism }: Argon2Cost): boolean {
  return (
    isWhole(parallelism, 1, bounds.parallelism) &&
    isWhole(iterations, 1, bounds.iterations) &&
    isWhole(memoryKiB, 8 * parallelism, bounds.memoryKiB)
  )
}

const phc = /^\$argon2id\$v=19\$m=([1-9]\d{0,9}),t=([1-9]\d{0,9}),p=([1-9]\d{0,9})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/

function parsePhc(text: string): Argon2Hash | null {
  const [, memory, iterations, parallelism, saltText, tagText] = phc.exec(text) ?? []
  if (saltText === undefined || tagText === undefined) return null
  const cost = { memoryKiB: Number(memory), iterations: Number(iterations), parallelism: Number(parallelism) }
  const salt = Buffer.from(saltText, 'base64')
  const tag = Buffer.from(tagText, 'base64')
  // The decoder ignores surplus bits in the last character; each hash has one spelling.
  if (unpadded(salt) !== saltText || unpadded(tag) !== tagText) return null
  if (!isWithinBounds(cost) || !isWhole(salt.length, 8, 64) || !isWhole(tag.length, 16, 64)) return null
  return { kind: 'argon2id', cost, salt, tag }
}

// The reference's blobs, in standard base64, integers big-endian:
//
//   V2  | 00 | salt 16 | subkey 32 |                                            PBKDF2-HMAC-SHA1, 1,000 iterations, exactly 49 bytes
//   V3  | 01 | PRF 4 | iterations 4 | salt length 4 | salt | subkey, the rest |  PRF 0 = SHA1, 1 = SHA256, 2 = SHA512
const digests = ['sha1', 'sha256', 'sha512'] as const

function parseBlob(text: string): Pbkdf2Hash | null {
  const written = withoutBlanks(text)
  const blob = Buffer.from(written, 'base64')
  if (blob.toString('base64') !== written) return null
  if (blob[0] === 0 && blob.length === 49) {
    return { kind: 'pbkdf2', digest: 'sha1', iterations: 1000, salt: blob.subarray(1, 17), tag: blob.subarray(17) }
  }
  if (blob[0] !== 1 || blob.length < 13) return null
  const digest = digests[blob.readUInt32BE(1)]
  const iterations = blob.readUInt32BE(5)
  const saltEnd = 13 + blob.readUInt32BE(9)
  const salt = blob.subarray(13, saltEnd)
  const tag = blob.subarray(saltEnd)
  if (digest === undefined || !isWhole(iterations, 1, bounds.pbkdf2Iterations)) return null
  // The reference requires 16 bytes of each; it is not known to write more than 64.
  if (!isWhole(salt.length, 16, 64) || !isWhole(tag.length, 16, 64)) return null
  return { kind: 'pbkdf2', digest, iterations, salt, tag }
}

function isWhole(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most
}

function unpadded(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '')
}
