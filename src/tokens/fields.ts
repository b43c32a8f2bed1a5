// The fixed-width fields of sealed payloads: UUIDs in 16 bytes, whole seconds in 5 (until the year 36812), marks of
// stamps in 8.
// Writers throw TypeError for values that do not fit, naming the field and never its content.
import { sha256 } from '@noble/hashes/sha2.js'
import { timingSafeEqual } from 'node:crypto'

export const uuidLength = 16
export const secondsLength = 5
export const markLength = 8

/** How far ahead of our clock that of the issuing instance may be, in seconds. */
export const clockSkewSeconds = 60

const maxSeconds = 2 ** 40 - 1

// The value of each hexadecimal digit by its character code: five times as fast as a pattern, hex and a text without hyphens.
const valueOf = new Uint8Array(128).fill(0xff)
for (const [value, digit] of Array.from('0123456789abcdef').entries()) {
  for (const text of [digit, digit.toUpperCase()]) valueOf[text.charCodeAt(0)] = value
}
const uuidTextLength = 36
const hyphen = 0x2d

export function writeUuid(bytes: Buffer, at: number, uuid: string, field: string): void {
  let wrong = uuid.length ^ uuidTextLength
  for (let index = 0, next = at; index < uuidTextLength; index++) {
    if (index === 8 || index === 13 || index === 18 || index === 23) {
      wrong |= uuid.charCodeAt(index) ^ hyphen
      continue
    }
    const high = valueOf[uuid.charCodeAt(index)] ?? 0xff
    const low = valueOf[uuid.charCodeAt(++index)] ?? 0xff
    wrong |= (high | low) & 0xf0
    bytes[next++] = (high << 4) | low
  }
  if (wrong !== 0) throw new TypeError(`${field} is not a UUID`)
}

/** Canonical text: lower case, with hyphens (RFC 9562 §4). */
export function uuidText(bytes: Buffer, at: number): string {
  const hex = bytes.toString('hex', at, at + uuidLength)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

export function writeSeconds(bytes: Buffer, at: number, seconds: number, field: string): void {
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > maxSeconds)
    throw new TypeError(`${field} is not a time in whole seconds`)
  bytes.writeUIntBE(seconds, at, secondsLength)
}

export function readSeconds(bytes: Buffer, at: number): number {
  return (bytes[at] ?? 0) * 2 ** 32 + bytes.readUInt32BE(at + 1)
}

export function writeMark(bytes: Buffer, at: number, mark: string, field: string): void {
  const decoded = Buffer.from(mark, 'base64url')
  if (decoded.length !== markLength || decoded.toString('base64url') !== mark)
    throw new TypeError(`${field} is not the mark of a stamp`)
  bytes.set(decoded, at)
}

export function markText(bytes: Buffer, at: number): string {
  return bytes.toString('base64url', at, at + markLength)
}

/**
 * Base64url of the first 8 bytes of SHA-256 of a security stamp, 11 characters: enough to see that it changed, too
 * little to recover it.
 */
export function stampMark(stamp: string): string {
  return Buffer.from(sha256(Buffer.from(stamp)).subarray(0, 8)).toString('base64url')
}

/** True when `mark` is the mark of `stamp`. */
export function isMarkOf(mark: string, stamp: string): boolean {
  const expected = Buffer.from(stampMark(stamp))
  const given = Buffer.from(mark)
  return given.length === expected.length && timingSafeEqual(given, expected)
}
