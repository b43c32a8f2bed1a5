import { test } from 'node:test'
import assert from 'node:assert/strict'
import { createHmac, hkdfSync, randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { purposes, type Purpose } from '../../src/tokens/purpose.js'
import {
  keyIdOf,
  mac,
  maxTokenLength,
  open,
  openBytes,
  seal,
  sealBytes,
  sealingKey,
  type SealingKey,
} from '../../src/tokens/seal.js'
import { xaesKey, xaesOpen } from '../../src/tokens/xaes.js'
import { bitFlips, byteFlips, blankings, respellings, strangers, truncations } from '../support/tampering.js'
import { vectors } from '../support/vectors.js'

const everyPurpose = Object.keys(purposes) as Purpose[] // the keys of a const object are its key type
const root = Buffer.alloc(32, 9)
const key = sealingKey(0xfedcba98, root, 'app')
const find = (id: number) => (id === key.id ? key : null)
const findAlways = () => key

const recorded = vectors('tokens.json') as {
  key: { id: number; root: string; appName: string }
  sealed: { purpose: Purpose; context: string; plaintext: string; token: string }
  mac: { purpose: Purpose; message: string; value: string }
}

test('what is sealed opens under the same key and purpose', () => {
  for (const purpose of everyPurpose) {
    for (const text of ['', 'x', 'Zoë 🗝', 'a'.repeat(3026)]) {
      const token = seal(key, purpose, text)
      assert.match(token, /^[A-Za-z0-9_-]{62,4096}$/)
      assert.equal(open(find, purpose, token)?.toString(), text)
      assert.deepEqual(openBytes(find, purpose, Buffer.from(token, 'base64url')), Buffer.from(text))
      assert.equal(openBytes(find, purpose, sealBytes(key, purpose, Buffer.from(text)))?.toString(), text)
    }
  }
})

test('a token recorded with the first version still opens, and a recorded mac is still the same', () => {
  const { id, root, appName } = recorded.key
  const old = sealingKey(id, Buffer.from(root, 'hex'), appName)
  const { purpose, context, plaintext, token } = recorded.sealed
  assert.equal(open((named) => (named === id ? old : null), purpose, token, context)?.toString(), plaintext)
  assert.equal(mac(old, recorded.mac.purpose, recorded.mac.message).toString('hex'), recorded.mac.value)
})

test('the format is what its table says: header, nonce, XAES-256-GCM under the HKDF of root, purpose and application', () => {
  const bytes = Buffer.from(seal(key, 'cookie', 'text', 'context'), 'base64url')
  assert.equal(bytes.toString('hex', 0, 6), '0103fedcba98')
  const subkey = xaesKey(Buffer.from(hkdfSync('sha256', root, '', 'identity/v1/cookie/app', 32)))
  const aad = Buffer.concat([bytes.subarray(0, 6), Buffer.from('context')])
  assert.equal(xaesOpen(subkey, bytes.subarray(6, 30), bytes.subarray(30), aad)?.toString(), 'text')
})

test('a mac is HMAC-SHA-256 under a key that differs by root, purpose and application, and from the sealing key', () => {
  const expected = (info: string) =>
    createHmac('sha256', Buffer.from(hkdfSync('sha256', root, '', info, 32)))
      .update('Zoë')
      .digest()
  assert.deepEqual(mac(key, 'throttle', 'Zoë'), expected('identity/v1/mac/throttle/app'))
  assert.notDeepEqual(mac(key, 'throttle', 'Zoë'), expected('identity/v1/throttle/app'))
  assert.notDeepEqual(mac(key, 'throttle', 'Zoë'), mac(key, 'recoveryCode', 'Zoë'))
  assert.notDeepEqual(mac(key, 'throttle', 'Zoë'), mac(sealingKey(key.id, root, 'other'), 'throttle', 'Zoë'))
})

test('no flipped bit opens, even when the header then names another key and the same one is found', () => {
  for (const text of ['', 'some text']) {
    const token = seal(key, 'access', text)
    for (const flipped of bitFlips(token)) {
      assert.equal(open(find, 'access', flipped), null)
      assert.equal(open(findAlways, 'access', flipped), null)
    }
    for (const flipped of byteFlips(sealBytes(key, 'outbox', text)))
      assert.equal(openBytes(findAlways, 'outbox', flipped), null)
  }
})

test('no beginning and no end of a token opens', () => {
  const token = seal(key, 'access', 'some text')
  for (const part of truncations(token)) assert.equal(open(findAlways, 'access', part), null)
  const bytes = sealBytes(key, 'outbox', 'some text')
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(openBytes(findAlways, 'outbox', bytes.subarray(0, length)), null)
    assert.equal(openBytes(findAlways, 'outbox', bytes.subarray(bytes.length - length)), null)
  }
})

test('a tag of 4 to 15 bytes does not open', () => {
  for (const text of ['', 'some text', 'a'.repeat(100)]) {
    const bytes = Buffer.from(seal(key, 'access', text), 'base64url')
    for (let cut = 1; cut <= 12; cut++) {
      const shorter = bytes.subarray(0, bytes.length - cut)
      assert.equal(open(findAlways, 'access', shorter.toString('base64url')), null)
      assert.equal(openBytes(findAlways, 'access', shorter), null)
    }
  }
})

test('nothing may follow a token or stand within it', () => {
  const bytes = Buffer.from(seal(key, 'access', 'some text'), 'base64url')
  for (const extra of [Buffer.alloc(1), Buffer.alloc(16), randomBytes(3)]) {
    const longer = Buffer.concat([bytes, extra])
    assert.equal(open(findAlways, 'access', longer.toString('base64url')), null)
    assert.equal(openBytes(findAlways, 'access', longer), null)
  }
})

test('only the very spelling that was sealed opens', () => {
  // Lengths 0, 1 and 2 bytes over a multiple of three: 0, 4 and 2 spare bits in the last character.
  for (const text of ['ab', 'abc', 'abcd']) {
    for (let n = 0; n < 20; n++) {
      const token = seal(key, 'access', text)
      for (const other of [...respellings(token), ...blankings(token)]) {
        assert.notEqual(other, token)
        assert.equal(open(findAlways, 'access', other), null)
      }
      assert.equal(open(findAlways, 'access', token)?.toString(), text)
    }
  }
})

test('a value that is no token opens as null, whatever its type', () => {
  for (const stranger of strangers) {
    assert.equal(open(findAlways, 'access', stranger), null)
    assert.equal(keyIdOf(stranger, 'access'), null)
  }
  for (let n = 0; n < 2000; n++) {
    const junk = randomBytes(n % 200)
    assert.equal(open(findAlways, 'access', junk.toString('base64url')), null)
    assert.equal(open(findAlways, 'access', junk.toString('latin1')), null)
    assert.equal(openBytes(findAlways, 'access', junk), null)
    assert.equal(open(findAlways, 'access', `AQH-3LqY${junk.toString('base64url')}`), null)
  }
})

test('a token of one purpose opens for no other, not even when its purpose byte is changed', () => {
  for (const sealedFor of everyPurpose) {
    const token = seal(key, sealedFor, 'text')
    for (const openedFor of everyPurpose) {
      if (openedFor === sealedFor) continue
      assert.equal(open(findAlways, openedFor, token), null)
      const bytes = Buffer.from(token, 'base64url')
      bytes.writeUInt8(purposes[openedFor], 1)
      assert.equal(open(findAlways, openedFor, bytes.toString('base64url')), null)
      assert.equal(openBytes(findAlways, openedFor, bytes), null)
    }
  }
})

test('only the key that the token names is asked for, once', () => {
  const other = sealingKey(1, root, 'app')
  const asked: number[] = []
  const ring = (id: number) => {
    asked.push(id)
    return id === 1 ? other : id === key.id ? key : undefined
  }
  assert.equal(open(ring, 'access', seal(key, 'access', 'text'))?.toString(), 'text')
  assert.deepEqual(asked, [key.id])
  const moved = Buffer.from(seal(key, 'access', 'text'), 'base64url')
  moved.writeUInt32BE(1, 2)
  assert.equal(open(ring, 'access', moved.toString('base64url')), null)
  moved.writeUInt32BE(2, 2)
  assert.equal(open(ring, 'access', moved.toString('base64url')), null)
  assert.deepEqual(asked, [key.id, 1, 2])
})

test('another root, another application or another id opens nothing', () => {
  const token = seal(key, 'access', 'text')
  const others = [
    sealingKey(key.id, Buffer.alloc(32, 8), 'app'),
    sealingKey(key.id, root, 'other'),
    sealingKey(key.id, root),
  ]
  for (const other of others)
    assert.equal(
      open(() => other, 'access', token),
      null,
    )
  // The id is authenticated, but not part of the subkey: the header decides.
  assert.equal(
    open((id) => (id === 1 ? key : null), 'access', token),
    null,
  )
})

test('a context must be repeated to the letter, and is no part of the token', () => {
  const token = seal(key, 'outbox', 'text', 'row 1')
  assert.equal(open(find, 'outbox', token, 'row 1')?.toString(), 'text')
  assert.equal(token.length, seal(key, 'outbox', 'text').length)
  for (const context of [undefined, '', 'row 2', 'row 1 ', 'row', 'ROW 1'])
    assert.equal(open(find, 'outbox', token, context), null)
  assert.equal(open(find, 'outbox', seal(key, 'outbox', 'text'), 'row 1'), null)
  assert.equal(openBytes(find, 'outbox', sealBytes(key, 'outbox', 'text', 'a'), 'b'), null)
  assert.equal(openBytes(find, 'outbox', sealBytes(key, 'outbox', 'text', 'a'), 'a')?.toString(), 'text')
})

test('a token of exactly 4,096 characters is made, a longer one throws without showing its contents', () => {
  assert.equal(seal(key, 'access', 'a'.repeat(3026)).length, maxTokenLength)
  assert.throws(
    () => seal(key, 'access', 'private'.repeat(500)),
    (error: Error & { code?: string }) => {
      assert.equal(error.code, 'FST_IDENTITY_TOKEN_TOO_LARGE')
      assert.match(error.message, /4728 characters.*4096/)
      assert.doesNotMatch(inspect(error), /private/)
      return true
    },
  )
  assert.throws(() => seal(key, 'access', 'é'.repeat(1514)), { code: 'FST_IDENTITY_TOKEN_TOO_LARGE' })
})

test('sealed bytes have no upper length', () => {
  const mail = randomBytes(100_000)
  assert.deepEqual(openBytes(find, 'outbox', sealBytes(key, 'outbox', mail)), mail)
})

test('an opened plaintext is not overwritten by the next one', () => {
  const first = open(find, 'access', seal(key, 'access', 'first'))
  const second = open(find, 'access', seal(key, 'access', 'other'))
  assert.equal(first?.toString(), 'first')
  assert.equal(second?.toString(), 'other')
})

test('the key id is read from a token that cannot be opened', () => {
  const ids = [0, 1, 0xff, 0x1000000, 0x7fffffff, 0x80000000, 0xffffffff]
  for (const id of ids) {
    const token = seal(sealingKey(id, randomBytes(32)), 'refresh', 'text')
    assert.equal(keyIdOf(token, 'refresh'), id)
    assert.equal(keyIdOf(token, 'access'), null)
    assert.equal(keyIdOf(token.slice(0, 61), 'refresh'), null)
    assert.equal(keyIdOf(`B${token.slice(1)}`, 'refresh'), null)
    assert.equal(keyIdOf(`A${token}`, 'refresh'), null)
    assert.equal(keyIdOf(token.padEnd(4096, 'A'), 'refresh'), id)
    assert.equal(keyIdOf(token.padEnd(4097, 'A'), 'refresh'), null)
    for (let at = 0; at < 8; at++)
      assert.equal(keyIdOf(`${token.slice(0, at)}+${token.slice(at + 1)}`, 'refresh'), null)
  }
})

test('100,000 seals use 100,000 nonces', () => {
  const nonces = new Set<string>()
  for (let n = 0; n < 50_000; n++) {
    nonces.add(sealBytes(key, 'access', '').toString('latin1', 6, 30))
    nonces.add(sealBytes(key, 'refresh', '').toString('latin1', 6, 30))
  }
  assert.equal(nonces.size, 100_000)
})

test('a key in a log shows its id and nothing of its root', () => {
  const secret = sealingKey(5, Buffer.from('0123456789abcdef0123456789abcdef'))
  seal(secret, 'access', 'text')
  assert.equal(JSON.stringify(secret), '{"id":5}')
  assert.doesNotMatch(inspect(secret, { depth: 9, showHidden: true }), /Uint8Array|Buffer|30 31|48, 49|0123/)
})

test('a key keeps its own copy of the root', () => {
  const mutable = Buffer.alloc(32, 3)
  const made = sealingKey(1, mutable)
  mutable.fill(0)
  assert.equal(
    open(() => sealingKey(1, Buffer.alloc(32, 3)), 'access', seal(made, 'access', 'text'))?.toString(),
    'text',
  )
  assert.ok(made.isOf(Buffer.alloc(32, 3), ''))
  assert.ok(!made.isOf(mutable, ''))
  assert.ok(!made.isOf(Buffer.alloc(32, 3), 'app'))
  assert.ok(!made.isOf(Buffer.alloc(31, 3), ''))
})

test('a subkey is derived once', () => {
  const made: SealingKey = sealingKey(1, root)
  assert.equal(made.subkey('access'), made.subkey('access'))
  assert.notEqual(made.subkey('access'), made.subkey('refresh'))
  assert.equal(made.macKey('throttle'), made.macKey('throttle'))
})

test('a root of another length and an id out of range are refused', () => {
  for (const length of [0, 16, 31, 33]) assert.throws(() => sealingKey(1, Buffer.alloc(length)), TypeError)
  for (const id of [-1, 0.5, NaN, 0x100000000]) assert.throws(() => sealingKey(id, root), TypeError)
})
