import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { formatArgon2id, isWithinBounds, parseHash } from '../../src/passwords/formats.js'

interface Vectors {
  readonly valid: readonly { readonly hash: string; readonly format: string }[]
  readonly invalid: readonly string[]
}

// A parse border: the file is ours.
const vectors = JSON.parse(readFileSync('test/vectors/aspnet-password-hashes.json', 'utf8')) as Vectors

const salt = Buffer.alloc(16, 1)
const tag = Buffer.alloc(32, 2)
const cost = { memoryKiB: 19_456, iterations: 2, parallelism: 1 }
const ours = '$argon2id$v=19$m=19456,t=2,p=1$AQEBAQEBAQEBAQEBAQEBAQ$AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI'

test('an argon2id hash is printed as a PHC string of the current parameters', () => {
  assert.equal(formatArgon2id(cost, salt, tag), ours)
})

test('a formatted hash is parsed back', () => {
  assert.deepEqual(parseHash(ours), { kind: 'argon2id', cost, salt, tag })
})

for (const { hash, format } of vectors.valid) {
  test(`a reference blob is parsed: ${format}`, () => {
    const stored = parseHash(hash)
    assert.ok(stored?.kind === 'pbkdf2')
    const [version, digest, iterations, lengths] = format.replace('PBKDF2-', '').split(' ')
    assert.equal(stored.digest, digest!.toLowerCase())
    assert.equal(stored.iterations, Number(iterations))
    assert.equal(`${stored.salt.length}/${stored.tag.length}`, version === 'V2' ? '16/32' : lengths)
  })
}

test('blanks and line breaks in and around an imported hash do not count, as in the decoder of the reference', () => {
  for (const { hash } of vectors.valid) {
    const [start, end] = [hash.slice(0, 20), hash.slice(20)]
    for (const text of [
      ` ${hash}`,
      `${hash} `,
      `${hash}\r\n`,
      `${start} ${end}`,
      `${start}\r\n${end}`,
      `\t${start}\n${end}`,
    ])
      assert.deepEqual(parseHash(text), parseHash(hash))
    for (const text of [`${start}\u00a0${end}`, `${start}\u0000${end}`, `${start}\u200b${end}`, `${start}\v${end}`])
      assert.equal(parseHash(text), null)
  }
})

for (const hash of vectors.invalid) {
  test(`an invalid reference blob is no usable password: ${JSON.stringify(hash)}`, () => {
    const stored = parseHash(hash)
    // One of them is a well-formed blob with bytes appended: another, longer subkey, which no password has.
    if (stored !== null) assert.equal(stored.tag.length, 20)
  })
}

function argon2(m: number | string, t: number, p: number, saltLength = 16, tagLength = 32): string {
  const parameters = { memoryKiB: 0, iterations: t, parallelism: p }
  return formatArgon2id(parameters, Buffer.alloc(saltLength, 1), Buffer.alloc(tagLength, 2)).replace('m=0', `m=${m}`)
}

function blob(
  prf: number,
  iterations: number,
  saltLength: number,
  tagLength: number,
  saidSaltLength = saltLength,
): string {
  const head = Buffer.alloc(13)
  head[0] = 1
  head.writeUInt32BE(prf, 1)
  head.writeUInt32BE(iterations, 5)
  head.writeUInt32BE(saidSaltLength, 9)
  return Buffer.concat([head, Buffer.alloc(saltLength, 1), Buffer.alloc(tagLength, 2)]).toString('base64')
}

const readable: readonly [string, string][] = [
  ['argon2id of 256 MiB', argon2(262_144, 2, 1)],
  ['argon2id of the least memory for its lanes', argon2(32, 2, 4)],
  ['argon2id of ten passes', argon2(64, 10, 1)],
  ['argon2id with salt and tag at their shortest', argon2(64, 1, 1, 8, 16)],
  ['argon2id with salt and tag at their longest', argon2(64, 1, 1, 64, 64)],
  ['argon2id with everything at its longest', argon2(262_144, 10, 4, 64, 64)],
  ['V3 of two million iterations', blob(2, 2_000_000, 16, 32)],
  ['V3 of one iteration', blob(2, 1, 16, 32)],
  ['V3 with salt and subkey at their longest', blob(2, 1000, 64, 64)],
  // The reference's base64 decoder skips blanks and line breaks, which an export may have wrapped it with.
  ['V2 with blanks and line breaks in it', ` ${vectors.valid[0]!.hash.replace(/(.{20})/g, '$1\r\n')}\t `],
]

for (const [title, text] of readable) test(`${title} is read`, () => assert.notEqual(parseHash(text), null))

const unreadable: readonly [string, string][] = [
  ['argon2id of one KiB more than 256 MiB', argon2(262_145, 2, 1)],
  ['argon2id of 4 GiB', argon2(4_194_304, 2, 1)],
  ['argon2id of one KiB less than its lanes need', argon2(31, 2, 4)],
  ['argon2id of eleven passes', argon2(64, 11, 1)],
  ['argon2id of no pass', argon2(64, 0, 1)],
  ['argon2id of five lanes', argon2(64, 2, 5)],
  ['argon2id of no lane', argon2(64, 2, 0)],
  ['argon2id with a number too long to be one', argon2('99999999999999999999', 2, 1)],
  ['argon2id with a leading zero', argon2('064', 2, 1)],
  ['argon2id with a negative number', argon2(-64, 2, 1)],
  ['argon2id with a fraction', argon2(64.5, 2, 1)],
  ['argon2id with a salt too short', argon2(64, 2, 1, 7)],
  ['argon2id with a salt too long', argon2(64, 2, 1, 65)],
  ['argon2id with a tag too short', argon2(64, 2, 1, 16, 15)],
  ['argon2id with a tag too long', argon2(64, 2, 1, 16, 65)],
  ['argon2i', ours.replace('argon2id', 'argon2i')],
  ['argon2id of version 16', ours.replace('v=19', 'v=16')],
  ['argon2id without a version', ours.replace('v=19$', '')],
  ['argon2id with parameters in another order', ours.replace('m=19456,t=2', 't=2,m=19456')],
  ['argon2id with a parameter more', ours.replace('p=1', 'p=1,data=AAAA')],
  ['argon2id without a tag', ours.slice(0, ours.lastIndexOf('$'))],
  ['argon2id with an empty tag', ours.slice(0, ours.lastIndexOf('$') + 1)],
  ['argon2id with padding', `${ours}=`],
  ['argon2id with base64url', ours.replace('AQEB', 'A-_B')],
  ['argon2id with surplus bits in the last character', `${ours.slice(0, -1)}J`],
  ['argon2id with a line feed after it', `${ours}\n`],
  ['argon2id with a NUL after it', `${ours}\0`],
  ['bcrypt', '$2b$10$abcdefghijklmnopqrstuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu'],
  ['scrypt', '$scrypt$ln=15,r=8,p=3$AQEBAQEBAQEBAQEBAQEBAQ$AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI'],
  ['V3 of one iteration more than two million', blob(2, 2_000_001, 16, 32)],
  ['V3 of no iteration', blob(2, 0, 16, 32)],
  ['V3 of as many iterations as can be written', blob(2, 0xffff_ffff, 16, 32)],
  ['V3 of an unknown PRF', blob(3, 1000, 16, 32)],
  ['V3 with a salt too short', blob(2, 1000, 15, 32)],
  ['V3 with a salt too long', blob(2, 1000, 65, 32)],
  ['V3 with a subkey too short', blob(2, 1000, 16, 15)],
  ['V3 with a subkey too long', blob(2, 1000, 16, 65)],
  ['V3 with a salt said to be longer than the blob', blob(2, 1000, 16, 32, 0xffff_ffff)],
  [
    'V3 cut off in its head',
    Buffer.from(blob(2, 1000, 16, 32), 'base64')
      .subarray(0, 12)
      .toString('base64'),
  ],
  ['a blob of an unknown marker', Buffer.alloc(61, 2).toString('base64')],
  ['V2 without padding', vectors.valid[0]!.hash.replace(/=+$/, '')],
  ['V2 in base64url', vectors.valid[0]!.hash.replaceAll('+', '-')],
  ['a megabyte of dollars', '$'.repeat(1_048_576)],
  ['a megabyte of letters', 'A'.repeat(1_048_576)],
  ['an object spelled out', '[object Object]'],
]

for (const [title, text] of unreadable)
  test(`${title} is no usable password`, () => assert.equal(parseHash(text), null))

test('bounds hold for whole numbers only', () => {
  assert.equal(isWithinBounds({ memoryKiB: 64, iterations: 1, parallelism: 1 }), true)
  assert.equal(isWithinBounds({ memoryKiB: 64, iterations: Number.NaN, parallelism: 1 }), false)
  assert.equal(isWithinBounds({ memoryKiB: 64, iterations: 1, parallelism: 1.5 }), false)
})
