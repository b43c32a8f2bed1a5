import { isMarkOf, stampMark } from '../../src/tokens/fields.js'
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { openCode, sealCode, type CodePurpose, type OpenedCode } from '../../src/tokens/code.js'
import { seal, sealingKey } from '../../src/tokens/seal.js'
import { newStamp } from '../../src/tokens/stamp.js'
import { bitFlips, respellings, strangers, truncations } from '../support/tampering.js'
import { vectors } from '../support/vectors.js'

const key = sealingKey(77, Buffer.alloc(32, 4), 'app')
const find = (id: number) => (id === key.id ? key : null)
const now = 1_700_000_000
const userId = '017f22e2-79b0-7cc3-98c4-dc0c0c07398f'
const stamp = newStamp()
const codePurposes: CodePurpose[] = ['confirmEmail', 'changeEmail', 'resetPassword', 'changePhoneNumber', 'userToken']

test('a code contains its user, stamp and data', () => {
  for (const purpose of codePurposes) {
    for (const data of ['', 'new@example.com', 'Zoë 🗝', '\ufeffwith a mark', 'x'.repeat(2997)]) {
      const code = sealCode(key, purpose, { userId, stamp, data }, now)
      assert.match(code, /^[A-Za-z0-9_-]+$/)
      assert.deepEqual(openCode(find, purpose, code, now, 3600), {
        userId,
        stampMark: stampMark(stamp),
        data,
        issuedAt: now,
      })
    }
  }
})

test('a code recorded with the first version still opens', () => {
  const {
    key: { id, root, appName },
    code: old,
  } = vectors('tokens.json') as {
    key: { id: number; root: string; appName: string }
    code: { purpose: CodePurpose; token: string; contents: OpenedCode }
  }
  const oldKey = sealingKey(id, Buffer.from(root, 'hex'), appName)
  assert.deepEqual(
    openCode(() => oldKey, old.purpose, old.token, old.contents.issuedAt, 1),
    old.contents,
  )
})

test('a code without data has 100 characters', () => {
  assert.equal(sealCode(key, 'confirmEmail', { userId, stamp }, now).length, 100)
})

test('a code carries neither the stamp nor, in the clear, the address', () => {
  const code = sealCode(key, 'changeEmail', { userId, stamp, data: 'new@example.com' }, now)
  assert.ok(!Buffer.from(code, 'base64url').includes('example'))
  assert.doesNotMatch(inspect(openCode(find, 'changeEmail', code, now, 3600)), new RegExp(stamp))
})

test('a code no longer fits once the stamp has changed', () => {
  const opened = openCode(find, 'resetPassword', sealCode(key, 'resetPassword', { userId, stamp }, now), now, 3600)
  assert.ok(opened && isMarkOf(opened.stampMark, stamp))
  assert.ok(!isMarkOf(opened.stampMark, newStamp()))
})

test('a code opens for its own purpose only', () => {
  for (const sealedFor of codePurposes) {
    const code = sealCode(key, sealedFor, { userId, stamp }, now)
    for (const asked of codePurposes) assert.equal(openCode(find, asked, code, now, 3600) !== null, asked === sealedFor)
  }
})

test('no flipped bit, no part, no other spelling of a code opens, for any purpose', () => {
  for (const purpose of codePurposes) {
    const code = sealCode(key, purpose, { userId, stamp, data: 'new@example.com' }, now)
    for (const forged of [...bitFlips(code), ...truncations(code), ...respellings(code), ...strangers]) {
      for (const asked of codePurposes) assert.equal(openCode(find, asked, forged, now, 3600), null)
    }
  }
})

test('a code of another key or another application does not open', () => {
  const root = Buffer.alloc(32, 4)
  for (const other of [
    sealingKey(78, root, 'app'),
    sealingKey(77, Buffer.alloc(32, 5), 'app'),
    sealingKey(77, root, 'x'),
  ]) {
    assert.equal(
      openCode(find, 'resetPassword', sealCode(other, 'resetPassword', { userId, stamp }, now), now, 3600),
      null,
    )
  }
})

test('a code opens one second before the end of its lifetime and not at it', () => {
  const code = sealCode(key, 'resetPassword', { userId, stamp }, now)
  assert.ok(openCode(find, 'resetPassword', code, now + 3599, 3600))
  assert.equal(openCode(find, 'resetPassword', code, now + 3600, 3600), null)
  assert.equal(openCode(find, 'resetPassword', code, now, 0), null)
  assert.equal(openCode(find, 'resetPassword', code, NaN, 3600), null)
  assert.equal(openCode(find, 'resetPassword', code, now, NaN), null)
})

test('a code issued 60 seconds ahead opens, one issued 61 seconds ahead does not', () => {
  const code = sealCode(key, 'resetPassword', { userId, stamp }, now)
  assert.ok(openCode(find, 'resetPassword', code, now - 60, 3600))
  assert.equal(openCode(find, 'resetPassword', code, now - 61, 3600), null)
})

test('a text sealed for the purpose but too short for a code does not open', () => {
  for (let length = 0; length < 29; length++)
    assert.equal(openCode(find, 'userToken', seal(key, 'userToken', Buffer.alloc(length)), 0, 3600), null)
  assert.ok(openCode(find, 'userToken', seal(key, 'userToken', Buffer.alloc(29)), 0, 3600))
})

test('a code that could not be opened again is not sealed, and the error does not contain it', () => {
  const attempts = [
    () => sealCode(key, 'userToken', { userId: 'private', stamp }, now),
    () => sealCode(key, 'userToken', { userId, stamp, data: 'private\ud800' }, now),
    () => sealCode(key, 'userToken', { userId, stamp }, now + 0.5),
  ]
  for (const attempt of attempts) {
    assert.throws(attempt, (error: Error) => {
      assert.equal(error.name, 'TypeError')
      assert.doesNotMatch(inspect(error), /private/)
      return true
    })
  }
  assert.throws(() => sealCode(key, 'userToken', { userId, stamp, data: 'x'.repeat(2998) }, now), {
    code: 'FST_IDENTITY_TOKEN_TOO_LARGE',
  })
})
