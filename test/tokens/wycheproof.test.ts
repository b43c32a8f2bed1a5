// Wycheproof's vectors for the algorithms under the tokens: AES-256-GCM as xaes.ts calls it, the subkeys of AES-CMAC
// from which XAES derives its keys, and HKDF-SHA-256 as seal.ts and key-ring.ts call it. Source and licence are named
// in each file.
import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import assert from 'node:assert/strict'
import { createCipheriv } from 'node:crypto'
import { test } from 'node:test'
import { doubled, xaesKey, xaesOpen, xaesSeal } from '../../src/tokens/xaes.js'
import { vectors } from '../support/vectors.js'

interface Case {
  readonly tcId: number
  readonly comment: string
  readonly result: 'valid' | 'invalid'
}

function casesOf<More>(file: string, fewest: number): (Case & More)[] {
  const { testGroups } = vectors(`wycheproof/${file}`) as { testGroups: { tests: (Case & More)[] }[] } // the file is fixed
  const cases = testGroups.flatMap(({ tests }) => tests)
  assert.ok(cases.length >= fewest)
  return cases
}

const bytes = (hex: string) => Buffer.from(hex, 'hex')

test('AES-256-GCM seals and opens as in each valid vector, and opens no invalid one', () => {
  type Gcm = Record<'key' | 'iv' | 'aad' | 'msg' | 'ct' | 'tag', string>
  for (const one of casesOf<Gcm>('aes-256-gcm.json', 66)) {
    // The key of the vector takes the place of the derived one; the nonce of GCM is the second half of that of XAES.
    const key = { ...xaesKey(bytes(one.key)), cipherKey: () => bytes(one.key) }
    const nonce = Buffer.concat([Buffer.alloc(12), bytes(one.iv)])
    const sealed = bytes(one.ct + one.tag)
    const opened = xaesOpen(key, nonce, sealed, bytes(one.aad))
    if (one.result === 'invalid') {
      assert.equal(opened, null, `${one.tcId}`)
      continue
    }
    assert.deepEqual(opened, bytes(one.msg), `${one.tcId}`)
    assert.deepEqual(xaesSeal(key, nonce, bytes(one.msg), bytes(one.aad)), sealed, `${one.tcId}`)
  }
})

/** SP 800-38B §6.2, with our subkeys. */
function cmac(key: Buffer, message: Buffer): Buffer {
  const block = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false)
  const k1 = doubled(block.update(Buffer.alloc(16)))
  const isWhole = message.length > 0 && message.length % 16 === 0
  const padding = isWhole ? Buffer.alloc(0) : Buffer.alloc(16 - (message.length % 16))
  if (!isWhole) padding[0] = 0x80
  const padded = Buffer.concat([message, padding])
  const subkey = isWhole ? k1 : doubled(k1)
  for (let at = 0; at < 16; at++) padded[padded.length - 16 + at]! ^= subkey[at]!
  return createCipheriv('aes-256-cbc', key, Buffer.alloc(16)).setAutoPadding(false).update(padded).subarray(-16)
}

test('AES-256-CMAC with our subkeys gives the tag of each valid vector, and of no invalid one', () => {
  type Mac = Record<'key' | 'msg' | 'tag', string>
  for (const { tcId, key, msg, tag, result } of casesOf<Mac>('aes-256-cmac.json', 102)) {
    assert.equal(cmac(bytes(key), bytes(msg)).toString('hex') === tag, result === 'valid', `${tcId}`)
  }
})

test('XAES derives its keys by the CMAC that the vectors hold', () => {
  const key = Buffer.alloc(32, 7)
  const nonce = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWX')
  const parts = ['00015800', '00025800'].map((start) => cmac(key, Buffer.concat([bytes(start), nonce.subarray(0, 12)])))
  assert.deepEqual(xaesKey(key).derive(nonce).export(), Buffer.concat(parts))
})

test('HKDF-SHA-256 gives the key of each valid vector, and refuses the sizes of the invalid ones', () => {
  type Hkdf = Record<'ikm' | 'salt' | 'info' | 'okm', string> & { readonly size: number }
  for (const { tcId, ikm, salt, info, size, okm, result } of casesOf<Hkdf>('hkdf-sha256.json', 86)) {
    const derive = () => hkdf(sha256, bytes(ikm), bytes(salt), bytes(info), size)
    if (result === 'valid') assert.equal(Buffer.from(derive()).toString('hex'), okm, `${tcId}`)
    else assert.throws(derive, Error, `${tcId}`)
  }
})
