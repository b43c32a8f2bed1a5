// Random nonces, drawn from the system 170 at a time: one call for each costs twenty times as much as a share of a
// pool.
// For nonces only, which are public once used. Keys, stamps and ids are drawn one by one.
import { randomFillSync } from 'node:crypto'
import { nonceLength } from './xaes.js'

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
