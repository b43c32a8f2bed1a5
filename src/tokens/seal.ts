// Seals and opens: bytes ↔ an opaque token under one key and one purpose. XAES-256-GCM, see xaes.ts; subkeys by HKDF-SHA-256 (RFC 5869).
// There is no algorithm field, one version and one key per token, and every byte of it is authenticated (RFC 5116 §5.2, OWASP ASVS 5.0 9.1.1).
// Expiry and the meaning of the bytes are in ticket.ts and code.ts.
import { hkdf } from '@noble/hashes/hkdf.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { timingSafeEqual } from 'node:crypto'
import { TokenTooLarge } from '../errors.js'
import { purposes, type Purpose } from './purpose.js'
import { nonceSource, keyLength, nonceLength, tagLength, xaesKey, xaesOpen, xaesSeal, type XaesKey } from './xaes.js'

// A sealed message, as base64url (RFC 4648 §5, no padding) where it is text:
//   0   1  version, 0x01
//   1   1  purpose
//   2   4  key id, big-endian
//   6  24  nonce
//  30   n  ciphertext
//  30+n 16 tag
// Bytes 0 to 5, followed by the context if there is one, are the additional authenticated data.
const version = 1
const headerLength = 6
const overhead = headerLength + nonceLength + tagLength
const minTokenLength = Math.ceil((overhead * 4) / 3)

/**
 * The longest token, in characters. A cookie's name counts towards the 4,096 bytes that a browser keeps, so its token
 * must be shorter still.
 */
export const maxTokenLength = 4096
const maxTokenBytes = (maxTokenLength / 4) * 3

/** A root key with the subkeys derived from it so far. Shows its id when logged, never its bytes. */
export interface SealingKey {
  /** uint32; readable in every token. */
  readonly id: number
  readonly subkey: (purpose: Purpose) => Subkey
  readonly macKey: (purpose: Purpose) => Uint8Array
  /** True when this key was made from the same root and application name. */
  readonly isOf: (root: Uint8Array, appName: string) => boolean
}

interface Subkey {
  readonly xaes: XaesKey
  readonly header: Buffer
  readonly nextNonce: () => Buffer
  /** Tokens are decoded into this buffer; nothing in it outlives a call. */
  readonly scratch: Buffer
}

/** Returns the key of an id. Null or undefined: unknown, retired or revoked. */
export type FindKey = (id: number) => SealingKey | null | undefined

/**
 * @param id uint32
 * @param root 32 random bytes; copied
 * @param appName part of every subkey: applications that share a root do not open each other's tokens (ASVS 9.2.3). Default ''
 * @throws TypeError when id or root is invalid
 */
export function sealingKey(id: number, root: Uint8Array, appName = ''): SealingKey {
  if (!Number.isInteger(id) || id < 0 || id > 0xffffffff) throw new TypeError('A key id is an unsigned 32-bit integer')
  if (root.length !== keyLength) throw new TypeError('A root key has 32 bytes')
  const ownRoot = Uint8Array.from(root)
  const nextNonce = nonceSource()
  const derive = (info: string) => hkdf(sha256, ownRoot, undefined, Buffer.from(info), keyLength)
  return Object.freeze({
    id,
    subkey: oncePerPurpose((purpose): Subkey => {
      const header = Buffer.alloc(headerLength)
      header.writeUInt8(version, 0)
      header.writeUInt8(purposes[purpose], 1)
      header.writeUInt32BE(id, 2)
      return {
        xaes: xaesKey(derive(`identity/v1/${purpose}/${appName}`)),
        header,
        nextNonce,
        scratch: Buffer.alloc(maxTokenBytes),
      }
    }),
    // No key serves two algorithms. There is no purpose named mac, so the two families of subkeys cannot meet.
    macKey: oncePerPurpose((purpose) => derive(`identity/v1/mac/${purpose}/${appName}`)),
    isOf: (other: Uint8Array, otherName: string) =>
      other.length === keyLength && timingSafeEqual(ownRoot, other) && otherName === appName,
  })
}

/**
 * A token of at most 4,096 characters.
 * @param plaintext at most 3,026 bytes
 * @param context is authenticated, not carried: it is needed to open the token. Default ''
 * @throws TokenTooLarge (FST_IDENTITY_TOKEN_TOO_LARGE)
 */
export function seal(key: SealingKey, purpose: Purpose, plaintext: Uint8Array | string, context?: string): string {
  const length = overhead + Buffer.byteLength(plaintext)
  if (length > maxTokenBytes) throw new TokenTooLarge(Math.ceil((length * 4) / 3), maxTokenLength)
  return sealBytes(key, purpose, plaintext, context).toString('base64url')
}

/** Like `seal`, in bytes and of any size: for columns. */
export function sealBytes(key: SealingKey, purpose: Purpose, plaintext: Uint8Array | string, context?: string): Buffer {
  const { xaes, header, nextNonce } = key.subkey(purpose)
  const nonce = nextNonce()
  const bytes = typeof plaintext === 'string' ? Buffer.from(plaintext) : plaintext
  return Buffer.concat([header, nonce, xaesSeal(xaes, nonce, bytes, withContext(header, context))])
}

/**
 * The plaintext, or null without a reason. Only the exact text that `seal` returned opens: no padding, no blanks, no
 * other spelling.
 */
export function open(find: FindKey, purpose: Purpose, token: unknown, context?: string): Buffer | null {
  const id = keyIdOf(token, purpose)
  const subkey = id === null ? null : find(id)?.subkey(purpose)
  if (!subkey || typeof token !== 'string') return null
  const { scratch } = subkey
  const length = scratch.write(token, 'base64url')
  // Node decodes padding, blanks, '+', junk and sixteen last characters to the same bytes (ASVS 1.5.3): only our own
  // spelling passes.
  if (scratch.toString('base64url', 0, length) !== token) return null
  return unseal(subkey, scratch.subarray(0, length), context)
}

/** Like `open`, for the result of `sealBytes`. */
export function openBytes(find: FindKey, purpose: Purpose, sealed: Uint8Array, context?: string): Buffer | null {
  if (sealed.length < overhead || sealed[0] !== version || sealed[1] !== purposes[purpose]) return null
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.length)
  const key = find(bytes.readUInt32BE(2))
  return key ? unseal(key.subkey(purpose), bytes, context) : null
}

/**
 * The key id of a token, before anything is verified; null when it cannot be a token of this purpose. Reads eight
 * characters.
 */
export function keyIdOf(token: unknown, purpose: Purpose): number | null {
  if (typeof token !== 'string' || token.length < minTokenLength || token.length > maxTokenLength) return null
  const first = threeBytes(token, 0)
  const second = threeBytes(token, 4)
  if (first < 0 || second < 0 || first >> 8 !== ((version << 8) | purposes[purpose])) return null
  return (first & 0xff) * 0x1000000 + second
}

/** HMAC-SHA-256 of the UTF-8 of the message, 32 bytes, under a key of this purpose that seals nothing. */
export function mac(key: SealingKey, purpose: Purpose, message: string): Buffer {
  return Buffer.from(hmac(sha256, key.macKey(purpose), Buffer.from(message)))
}

function unseal(subkey: Subkey, sealed: Buffer, context: string | undefined): Buffer | null {
  // The header as received, not as expected: a changed bit fails here even when `find` is careless.
  const aad = withContext(sealed.subarray(0, headerLength), context)
  const body = headerLength + nonceLength
  return xaesOpen(subkey.xaes, sealed.subarray(headerLength, body), sealed.subarray(body), aad)
}

function withContext(header: Buffer, context: string | undefined): Buffer {
  return context ? Buffer.concat([header, Buffer.from(context)]) : header
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const none = 0xff
const sextets = new Uint8Array(128).fill(none)
for (const [value, character] of Array.from(alphabet).entries()) sextets[character.charCodeAt(0)] = value

function threeBytes(token: string, at: number): number {
  let bits = 0
  for (let i = at; i < at + 4; i++) {
    const sextet = sextets[token.charCodeAt(i)] ?? none
    if (sextet === none) return -1
    bits = (bits << 6) | sextet
  }
  return bits
}

function oncePerPurpose<T>(make: (purpose: Purpose) => T): (purpose: Purpose) => T {
  const made = new Map<Purpose, T>()
  return (purpose) => {
    const known = made.get(purpose)
    if (known !== undefined) return known
    const fresh = make(purpose)
    made.set(purpose, fresh)
    return fresh
  }
}
