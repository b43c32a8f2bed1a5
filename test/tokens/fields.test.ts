import { test } from 'node:test'
import assert from 'node:assert/strict'
import { markText, readSeconds, uuidText, writeMark, writeSeconds, writeUuid } from '../../src/tokens/fields.js'

const bytes = Buffer.alloc(20, 0xee)

test('a UUID of either case comes back in lower case, and nothing beside it is touched', () => {
  writeUuid(bytes, 2, '017F22E2-79B0-7cc3-98c4-DC0C0C07398F', 'userId')
  assert.equal(uuidText(bytes, 2), '017f22e2-79b0-7cc3-98c4-dc0c0c07398f')
  assert.deepEqual([bytes[1], bytes[18]], [0xee, 0xee])
})

test('a text that is no canonical UUID is refused, and the error does not repeat it', () => {
  const wrong = [
    '',
    'alice',
    '017f22e279b07cc398c4dc0c0c07398f',
    '{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}',
    '017f22e2-79b0-7cc3-98c4-dc0c0c07398g',
    '017f22e2-79b0-7cc3-98c4-dc0c0c07398f\n',
    '017f22e-279b0-7cc3-98c4-dc0c0c07398f',
  ]
  for (const uuid of wrong)
    assert.throws(() => writeUuid(bytes, 0, uuid, 'userId'), { name: 'TypeError', message: 'userId is not a UUID' })
})

test('whole seconds come back, up to 2^40 - 1', () => {
  for (const seconds of [0, 1, 1_700_000_000, 2 ** 32, 2 ** 40 - 1]) {
    writeSeconds(bytes, 3, seconds, 'issuedAt')
    assert.equal(readSeconds(bytes, 3), seconds)
  }
  for (const seconds of [-1, 0.5, NaN, Infinity, 2 ** 40]) {
    assert.throws(() => writeSeconds(bytes, 3, seconds, 'issuedAt'), {
      name: 'TypeError',
      message: 'issuedAt is not a time in whole seconds',
    })
  }
})

test('a mark is read back, and nothing else is taken for one', () => {
  writeMark(bytes, 1, 'GlBtNWLGqQU', 'stamp')
  assert.equal(markText(bytes, 1), 'GlBtNWLGqQU')
  for (const mark of [
    '',
    'GlBtNWLGqQ',
    'GlBtNWLGqQU=',
    'GlBtNWLGqQV',
    'GlBtNWLGqQUA',
    'MZXW6YTBOJRGC6RAMZXW6YTBOJRGC6RA',
  ]) {
    assert.throws(() => writeMark(bytes, 1, mark, 'stamp'), {
      name: 'TypeError',
      message: 'stamp is not the mark of a stamp',
    })
  }
})
