// Time-based one-time codes, RFC 6238 with HMAC-SHA1 and six digits (RFC 4226 §5.3), as every authenticator app shows
// them; and the otpauth URI and QR code that give an app its key. Stateless: the caller records an accepted step (RFC
// 6238 §5.2).
import { timingSafeEqual } from 'node:crypto'
import { hmac } from '@noble/hashes/hmac.js'
import { sha1 } from '@noble/hashes/legacy.js'
import { renderSVG } from 'uqr'

/** Lifetime of an authenticator app's code in seconds (RFC 6238 §4.1). */
export const totpStepSeconds = 30

export interface TotpOptions {
  /** Steps accepted on each side of the current one; 0 or more. */
  readonly windowSteps: number
  /** Length of a step in seconds. Default 30. */
  readonly stepSeconds?: number
  /** Appended to the counter as UTF-8; the stamp-based codes bind purpose and address with it. Default none. */
  readonly modifier?: string
}

/** The step that `nowMs` (milliseconds since the Unix epoch) falls into. `stepSeconds` is 30 by default. */
export function totpStep(nowMs: number, stepSeconds = totpStepSeconds): number {
  return Math.floor(nowMs / (stepSeconds * 1000))
}

/**
 * The code of one step: six digits, zero padded.
 * @param modifier appended to the eight-byte counter as UTF-8
 * @throws RangeError for a key without bytes, or a step that is no whole number from 0 to 2^53 - 1
 */
export function totpCode(key: Uint8Array, step: number, modifier = ''): string {
  if (key.length === 0) throw new RangeError('A one-time code needs a key of at least one byte')
  if (!Number.isSafeInteger(step) || step < 0)
    throw new RangeError('The step of a one-time code is a whole number from 0')

  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(step))
  const mac = Buffer.from(hmac(sha1, key, Buffer.concat([counter, Buffer.from(modifier, 'utf8')])))

  // Dynamic truncation, RFC 4226 §5.3: the low four bits of the last byte are the offset of the 31 bits.
  const truncated = mac.readUInt32BE(mac.readUInt8(19) & 0x0f) & 0x7fff_ffff
  return padded(truncated % 1_000_000)
}

/**
 * The number that was typed as a code, or null. Parsed as an integer, as in the reference: leading zeros may be
 * missing or surplus. Blanks and hyphens within it are ignored, since apps show `123 456` and people type `123-456`. Unlike in the reference, a sign and any digit outside ASCII are refused: no authenticator shows
 * either, and one code needs no second spelling.
 */
export function readCode(text: string): number | null {
  const isCode = /^[\t-\r \u00a0]*[0-9](?:[\t-\r \u00a0-]*[0-9])*[\t-\r \u00a0]*$/.test(text)
  if (!isCode) return null
  const digits = text.replace(/[^0-9]+/g, '')
  const code = Number(digits)
  return code <= 999_999 ? code : null
}

/**
 * The step whose code was typed, or null; of two steps with the same code the later one. Every candidate is computed
 * and compared in constant time, so that the response time does not reveal how near a guess was. A key without bytes
 * never verifies.
 * @param nowMs the server's time in milliseconds since the Unix epoch
 */
export function verifyTotp(key: Uint8Array, code: string, nowMs: number, options: TotpOptions): number | null {
  const typed = readCode(code)
  if (typed === null || key.length === 0) return null

  const given = Buffer.from(padded(typed))
  const now = totpStep(nowMs, options.stepSeconds)
  let accepted: number | null = null
  for (let step = Math.max(0, now - options.windowSteps); step <= now + options.windowSteps; step++) {
    if (timingSafeEqual(given, Buffer.from(totpCode(key, step, options.modifier)))) accepted = step
  }
  return accepted
}

/**
 * The Key URI that an authenticator app reads. A colon separates issuer and account, so colons within either are left
 * out.
 * @param o `issuer` may be empty; `secretBase32` is the key as returned by `encodeBase32`
 */
export function otpauthUri(o: {
  readonly issuer: string
  readonly account: string
  readonly secretBase32: string
}): string {
  const issuer = encodeURIComponent(o.issuer.replaceAll(':', ''))
  const account = encodeURIComponent(o.account.replaceAll(':', ''))
  const secret = encodeURIComponent(o.secretBase32)
  if (issuer === '') return `otpauth://totp/${account}?secret=${secret}&digits=6`
  return `otpauth://totp/${issuer}:${account}?secret=${secret}&issuer=${issuer}&digits=6`
}

/**
 * A QR code of `text` as an SVG image, black on white with the quiet zone of four modules of ISO/IEC 18004. It
 * contains a secret: never store it, never log it, never load it from another server.
 * @throws RangeError when `text` has more bytes than a QR code holds (2331 at error correction level M)
 */
export function qrSvg(text: string): string {
  return renderSVG(text, { ecc: 'M', border: 4 })
}

function padded(code: number): string {
  return String(code).padStart(6, '0')
}
