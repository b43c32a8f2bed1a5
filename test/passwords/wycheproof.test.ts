// Wycheproof's vectors of PBKDF2, as hashes of the reference: what the hasher verifies is what they say. Source and
// licence are named in each file.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createHasher } from '../../src/passwords/hasher.js'
import { vectors } from '../support/vectors.js'

interface Case {
  readonly tcId: number
  readonly password: string
  readonly salt: string
  readonly iterationCount: number
  readonly dk: string
  readonly result: 'valid' | 'invalid'
}

const hasher = createHasher({ memoryKiB: 8, iterations: 1, maxWaitSeconds: 60 })
after(() => hasher.close())

/** The reference's blob of version 3, see formats.ts. */
function blobOf(prf: number, iterations: number, salt: Buffer, subkey: Buffer): string {
  const head = Buffer.alloc(13)
  head[0] = 1
  head.writeUInt32BE(prf, 1)
  head.writeUInt32BE(iterations, 5)
  head.writeUInt32BE(salt.length, 9)
  return Buffer.concat([head, salt, subkey]).toString('base64')
}

for (const [prf, digest] of ['sha1', 'sha256', 'sha512'].entries()) {
  test(`a hash by PBKDF2-HMAC-${digest} is verified as its vector says, and not with one bit changed`, async (t) => {
    const { testGroups } = vectors(`wycheproof/pbkdf2-hmac-${digest}.json`) as { testGroups: { tests: Case[] }[] } // the file is fixed
    let count = 0
    for (const { tcId, password, salt, iterationCount, dk, result } of testGroups.flatMap(({ tests }) => tests)) {
      const [text, saltBytes, subkey] = [
        Buffer.from(password, 'hex').toString(),
        Buffer.from(salt, 'hex'),
        Buffer.from(dk, 'hex'),
      ]
      // A password is a text, and a blob of the reference has 16 to 64 bytes of each.
      const isText = Buffer.from(text).toString('hex') === password
      const isBlob = [saltBytes, subkey].every(({ length }) => length >= 16 && length <= 64)
      if (!isText || !isBlob || iterationCount > 2_000_000) continue
      count++
      const isRight = (await hasher.verify(blobOf(prf, iterationCount, saltBytes, subkey), text)) !== 'no'
      assert.equal(isRight, result === 'valid', `${tcId}`)
      subkey[0]! ^= 1
      assert.equal(await hasher.verify(blobOf(prf, iterationCount, saltBytes, subkey), text), 'no', `${tcId}`)
    }
    t.diagnostic(`${count} vectors`)
    assert.ok(count > 0)
  })
}
