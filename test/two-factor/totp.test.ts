import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { decodeBase32 } from '../../src/two-factor/base32.js'
import { otpauthUri, qrSvg, readCode, totpCode, totpStep, verifyTotp } from '../../src/two-factor/totp.js'

interface Vectors {
  secretAscii: string
  secretBase32: string
  rows: { time: number; code8: string }[]
}

// A file of known answers: its shape is stated above and was read by eye.
const vectors = JSON.parse(readFileSync('test/vectors/totp-rfc6238-sha1.json', 'utf8')) as Vectors
const key = Buffer.from(vectors.secretAscii)
const exact = { windowSteps: 0 }

test('the vectors of RFC 6238 are reproduced', () => {
  assert.equal(vectors.rows.length, 6)
  for (const { time, code8 } of vectors.rows) {
    assert.equal(totpCode(key, totpStep(time * 1000)), code8.slice(-6))
    assert.equal(verifyTotp(key, code8.slice(-6), time * 1000, exact), Math.floor(time / 30))
  }
})

test('the key of the vectors reads the same from base32', () => {
  assert.deepEqual(Buffer.from(decodeBase32(vectors.secretBase32)!), key)
})

test('a step begins exactly at a multiple of its length', () => {
  assert.equal(totpStep(29_999), 0)
  assert.equal(totpStep(30_000), 1)
  assert.equal(totpStep(179_999, 180), 0)
  assert.equal(totpStep(180_000, 180), 1)
})

// The code of step 1,000 is on the app's screen from 30,000,000 ms to 30,029,999 ms.
test('with one step of window a code is accepted from one step before it shows to one step after, to the millisecond', () => {
  const code = totpCode(key, 1000)
  const options = { windowSteps: 1 }
  assert.equal(verifyTotp(key, code, 29_969_999, options), null)
  assert.equal(verifyTotp(key, code, 29_970_000, options), 1000)
  assert.equal(verifyTotp(key, code, 30_059_999, options), 1000)
  assert.equal(verifyTotp(key, code, 30_060_000, options), null)
})

test("with the reference's two steps of window the borders lie one step further out", () => {
  const code = totpCode(key, 1000)
  const options = { windowSteps: 2 }
  assert.equal(verifyTotp(key, code, 29_939_999, options), null)
  assert.equal(verifyTotp(key, code, 29_940_000, options), 1000)
  assert.equal(verifyTotp(key, code, 30_089_999, options), 1000)
  assert.equal(verifyTotp(key, code, 30_090_000, options), null)
})

test('without a window only the current step is accepted', () => {
  const code = totpCode(key, 1000)
  assert.equal(verifyTotp(key, code, 29_999_999, exact), null)
  assert.equal(verifyTotp(key, code, 30_000_000, exact), 1000)
  assert.equal(verifyTotp(key, code, 30_029_999, exact), 1000)
  assert.equal(verifyTotp(key, code, 30_030_000, exact), null)
})

test('a window that reaches before the epoch ends there', () => {
  assert.equal(verifyTotp(key, totpCode(key, 0), 0, { windowSteps: 2 }), 0)
})

test('of two steps with the same code the later one is accepted', () => {
  const codes = new Map<string, number>()
  let twin: [earlier: number, later: number] | null = null
  for (let step = 0; twin === null; step++) {
    const code = totpCode(key, step)
    const earlier = codes.get(code)
    if (earlier !== undefined) twin = [earlier, step]
    codes.set(code, step)
  }
  const [earlier, later] = twin
  const nowMs = earlier * 30_000
  assert.equal(verifyTotp(key, totpCode(key, later), nowMs, { windowSteps: later - earlier }), later)
})

test('a code with leading zeros is accepted with and without them, and with more', () => {
  const step = stepWhose((code) => code.startsWith('00') && code !== '000000')
  const code = totpCode(key, step)
  for (const typed of [code, code.slice(1), code.slice(2), `0${code}`, `000000${code}`]) {
    assert.equal(verifyTotp(key, typed, step * 30_000, exact), step, typed)
  }
})

test('a code that lacks a digit which is no zero is refused', () => {
  const step = stepWhose((code) => !code.startsWith('0') && !code.endsWith('0'))
  const code = totpCode(key, step)
  assert.equal(verifyTotp(key, code.slice(1), step * 30_000, exact), null)
  assert.equal(verifyTotp(key, code.slice(0, -1), step * 30_000, exact), null)
  assert.equal(verifyTotp(key, `${code}0`, step * 30_000, exact), null)
})

test('blanks around a code are ignored', () => {
  for (const text of [' 123456', '123456 ', '\t123456\r\n', '\u000b\u000c 123456 ', '\u00a0123456'])
    assert.equal(readCode(text), 123_456, JSON.stringify(text))
})

test('blanks and hyphens between digits are ignored, as apps show a code', () => {
  for (const text of ['123 456', '123-456', '123\u00a0456', '12 34 56', '1-2-3-4-5-6', ' 123 - 456 ', '000 123 456'])
    assert.equal(readCode(text), 123_456, JSON.stringify(text))
})

test('leading zeros are ignored', () => {
  for (const text of ['7', '07', '000007', `${'0'.repeat(200)}7`]) assert.equal(readCode(text), 7, text)
  assert.equal(readCode('000000'), 0)
})

test('no other text is read as a code', () => {
  const texts = [
    '',
    ' ',
    '+123456',
    '-123456',
    '-0',
    '123456-',
    '- 123456',
    '123\u2013456',
    '123456a',
    '0x1e240',
    '1e5',
    '123456.0',
    '1,234',
    '(123456)',
    '1234567',
    '4294967296',
    '9'.repeat(400),
    '\u0661\u0662\u0663\u0664\u0665\u0666',
    '\uff11\uff12\uff13\uff14\uff15\uff16',
    '123456\u2003',
    '\ufeff123456',
    '123456\u0000',
  ]
  for (const text of texts) assert.equal(readCode(text), null, JSON.stringify(text))
})

test('another modifier makes another code', () => {
  const step = 1000
  const code = totpCode(key, step, 'Email:TwoFactor:a@example.com')
  assert.notEqual(code, totpCode(key, step))
  assert.equal(
    verifyTotp(key, code, step * 30_000, { windowSteps: 0, modifier: 'Email:TwoFactor:a@example.com' }),
    step,
  )
  assert.equal(
    verifyTotp(key, code, step * 30_000, { windowSteps: 0, modifier: 'Email:TwoFactor:b@example.com' }),
    null,
  )
})

test('a key without bytes makes no code and verifies none', () => {
  assert.throws(() => totpCode(new Uint8Array(0), 1), RangeError)
  assert.equal(verifyTotp(new Uint8Array(0), '123456', 30_000, { windowSteps: 2 }), null)
  assert.match(totpCode(new Uint8Array(1), 1), /^[0-9]{6}$/)
})

test('a step that is no whole number from zero makes no code', () => {
  for (const step of [-1, 0.5, Number.NaN, 2 ** 53]) assert.throws(() => totpCode(key, step), RangeError)
})

test('an otpauth URI names issuer, account, key and digits', () => {
  assert.equal(
    otpauthUri({ issuer: 'Example', account: 'ann@example.com', secretBase32: vectors.secretBase32 }),
    'otpauth://totp/Example:ann%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Example&digits=6',
  )
})

test('hostile names in an otpauth URI stay inside their part', () => {
  const uri = new URL(
    otpauthUri({ issuer: 'A & B: Sons/Ü', account: 'x?secret=AAAA&issuer=evil#:y', secretBase32: 'MZXW6' }),
  )
  assert.equal(uri.searchParams.get('secret'), 'MZXW6')
  assert.deepEqual(uri.searchParams.getAll('secret').length, 1)
  assert.equal(uri.searchParams.get('issuer'), 'A & B Sons/Ü')
  assert.equal(uri.searchParams.get('digits'), '6')
  assert.equal(uri.hash, '')
  assert.deepEqual(uri.pathname.slice(1).split(':').map(decodeURIComponent), [
    'A & B Sons/Ü',
    'x?secret=AAAA&issuer=evil#y',
  ])
})

test('an otpauth URI without an issuer names the account alone', () => {
  assert.equal(
    otpauthUri({ issuer: '', account: 'ann', secretBase32: 'MZXW6' }),
    'otpauth://totp/ann?secret=MZXW6&digits=6',
  )
})

test('a QR code is an SVG with three finder patterns inside a quiet zone of four modules', () => {
  const { size, dark } = modulesOf(
    qrSvg(otpauthUri({ issuer: 'Example', account: 'ann@example.com', secretBase32: vectors.secretBase32 })),
  )
  assert.equal((size - 8 - 17) % 4, 0)
  const finder = ['1111111', '1000001', '1011101', '1011101', '1011101', '1000001', '1111111']
  for (const [left, top] of [
    [4, 4],
    [size - 11, 4],
    [4, size - 11],
  ] as const) {
    const seen = finder.map((row, y) =>
      Array.from(row, (_, x) => (dark.has(`${left + x},${top + y}`) ? '1' : '0')).join(''),
    )
    assert.deepEqual(seen, finder)
  }
  for (const module of dark) {
    const [x, y] = module.split(',').map(Number)
    assert.ok(x! >= 4 && y! >= 4 && x! < size - 4 && y! < size - 4, module)
  }
})

test('a QR code of another text is another picture, and shows no text', () => {
  assert.notEqual(qrSvg('one'), qrSvg('two'))
  assert.doesNotMatch(qrSvg('<script>alert(1)</script>'), /script|alert/)
  assert.throws(() => qrSvg('x'.repeat(2332)), RangeError)
})

function stepWhose(fits: (code: string) => boolean): number {
  let step = 0
  while (!fits(totpCode(key, step))) step++
  return step
}

function modulesOf(svg: string): { size: number; dark: Set<string> } {
  const side = /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 (\d+) \1">/.exec(svg)
  assert.ok(side)
  const squares = [...svg.matchAll(/M(\d+),(\d+)h10v10h-10z/g)]
  return { size: Number(side[1]) / 10, dark: new Set(squares.map(([, x, y]) => `${Number(x) / 10},${Number(y) / 10}`)) }
}
