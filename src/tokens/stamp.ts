// Random values: security stamps in the reference's form, concurrency stamps, and ids (UUIDv7, RFC 9562 §5.7).
import { base32 } from '@scure/base'
import { randomBytes, randomUUID } from 'node:crypto'
import { uuidText } from './fields.js'

/** A security stamp or authenticator key: 160 random bits as 32 characters of base32 (A-Z2-7). */
export function newStamp(): string {
  return base32.encode(randomBytes(20))
}

/** Changes with every write of a row: a random UUID. */
export function newConcurrencyStamp(): string {
  return randomUUID()
}

/** Names one attempt among those of its name: 72 random bits. */
export function newReservationId(): string {
  return randomBytes(9).toString('base64url')
}

/** An id that sorts by its time of creation, to the millisecond. */
export function newUuidV7(nowMs: number): string {
  return uuidV7(nowMs, randomBytes(10))
}

/** 48 bits of Unix milliseconds, version 7, and of 10 random bytes the 74 bits that the RFC leaves free. */
export function uuidV7(nowMs: number, random: Uint8Array): string {
  const bytes = Buffer.alloc(16)
  bytes.writeUIntBE(nowMs, 0, 6)
  bytes.set(random.subarray(0, 10), 6)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return uuidText(bytes, 0)
}
