// XAES-256-GCM (c2sp.org/XAES-256-GCM): AES-256-GCM under a key derived anew from each 24-byte random nonce, so that
// no number of messages a server can send repeats a pair (plain AES-GCM with random nonces: 2^32 messages a key, SP
// 800-38D §8.3).
// Not key-committing: the caller selects the one key, and never tries several. Independent of formats, purposes and
// key ids.
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomFillSync } from 'node:crypto'

export const keyLength = 32
export const nonceLength = 24
export const tagLength = 16

// Without a pinned length node's AES-GCM accepts tags of 4 bytes.
const gcmOptions = Object.freeze({ authTagLength: tagLength })
const noBytes = Buffer.alloc(0)

/** A prepared AES-256 key: its expanded ECB cipher and K1 are kept, which halves the cost of a message. */
export interface XaesKey {
  /** The AES-256-GCM key for this nonce, from its first 12 bytes. */
  readonly derive: (nonce: Uint8Array) => KeyObject
  /** The same, in the form from which node makes a cipher fastest. */
  readonly cipherKey: (nonce: Uint8Array) => KeyObject | Buffer
}

// Until Node 23 a KeyObject costs 2 µs and two native objects more than the bytes themselves; since Node 24 the bytes cost 13 µs more.
const asCipherKey: (bytes: Buffer) => KeyObject | Buffer =
  Number.parseInt(process.versions.node) < 24 ? (bytes) => bytes : createSecretKey

/** @throws TypeError when the key has not 32 bytes */
export function xaesKey(key: Uint8Array): XaesKey {
  if (key.length !== keyLength) throw new TypeError('An XAES-256-GCM key has 32 bytes')
  const ecb = createCipheriv('aes-256-ecb', createSecretKey(key), null).setAutoPadding(false)
  const k1 = doubled(ecb.update(Buffer.alloc(16)))
  // M1 | M2, each: 0x00, counter, 'X', 0x00, then 12 bytes of nonce; all but the nonce is already xored with K1.
  const start = Buffer.from('00015800'.padEnd(32, '0') + '00025800'.padEnd(32, '0'), 'hex')
  for (let i = 0; i < 32; i++) start.writeUInt8(start.readUInt8(i) ^ k1.readUInt8(i % 16), i)
  const blocks = Buffer.from(start)
  function derived(nonce: Uint8Array): Buffer {
    for (let i = 0; i < 12; i++) {
      const byte = nonce[i] ?? 0
      blocks[4 + i] = (start[4 + i] ?? 0) ^ byte
      blocks[20 + i] = (start[20 + i] ?? 0) ^ byte
    }
    return ecb.update(blocks)
  }
  return { derive: (nonce) => createSecretKey(derived(nonce)), cipherKey: (nonce) => asCipherKey(derived(nonce)) }
}

/**
 * Ciphertext followed by the 16-byte tag.
 * @param nonce 24 random bytes, never used before under this key
 * @throws TypeError when the nonce has another length
 */
export function xaesSeal(key: XaesKey, nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Buffer {
  if (nonce.length !== nonceLength) throw new TypeError('An XAES-256-GCM nonce has 24 bytes')
  const cipher = createCipheriv('aes-256-gcm', key.cipherKey(nonce), nonce.subarray(12), gcmOptions)
  cipher.setAAD(aad)
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/** The plaintext, or null: nothing is reported, or released, about a message that fails to authenticate. */
export function xaesOpen(key: XaesKey, nonce: Uint8Array, sealed: Uint8Array, aad: Uint8Array): Buffer | null {
  if (nonce.length !== nonceLength || sealed.length < tagLength) return null
  const decipher = createDecipheriv('aes-256-gcm', key.cipherKey(nonce), nonce.subarray(12), gcmOptions)
  const end = sealed.length - tagLength
  decipher.setAAD(aad)
  decipher.setAuthTag(sealed.subarray(end))
  const plaintext = end === 0 ? noBytes : decipher.update(sealed.subarray(0, end))
  try {
    decipher.final()
  } catch {
    return null
  }
  return plaintext
}

/** Doubling in GF(2^128), as for the CMAC subkeys (SP 800-38B §6.1). */
export function doubled(block: Buffer): Buffer {
  const carry = block.readUInt8(0) >> 7
  const out = Buffer.alloc(16)
  for (let i = 0; i < 16; i++) {
    const next = i < 15 ? block.readUInt8(i + 1) >> 7 : 0
    out.writeUInt8(((block.readUInt8(i) << 1) & 0xff) | next, i)
  }
  out.writeUInt8(out.readUInt8(15) ^ (carry * 0x87), 15)
  return out
}

// Random nonces are drawn from the system 170 at a time: one call for each costs twenty times as much as a share of a pool. For nonces
// only, which are public once used. Keys, stamps and ids are drawn singly.
const poolLength = 170 * nonceLength

/** A source of 24-byte nonces. Each one is erased from the pool when it is returned, and never returned again. */
export function nonceSource(fill: (pool: Buffer) => void = randomFillSync): () => Buffer {
  const pool = Buffer.alloc(poolLength)
  let used = poolLength
  return () => {
    if (used === poolLength) {
      fill(pool)
      used = 0
    }
    const nonce = Buffer.from(pool.subarray(used, used + nonceLength))
    pool.fill(0, used, used + nonceLength)
    used += nonceLength
    return nonce
  }
}
