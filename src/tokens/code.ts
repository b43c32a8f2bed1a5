// Codes for mails, the remembered machine, and the sign-in that waits for its second factor: proof that the owner of a mailbox or machine may
// act for a user. Bound
// to purpose, user, security stamp and data. The database makes a code single-use: using it rotates the stamp, and
// `isMarkOf` is false afterwards.
import { sha256 } from '@noble/hashes/sha2.js'
import { withoutBlanks } from '../blanks.js'
import {
  clockSkewSeconds,
  markLength,
  markText,
  readSeconds,
  secondsLength,
  uuidLength,
  uuidText,
  writeMark,
  writeSeconds,
  writeUuid,
  stampMark,
} from './fields.js'
import { open, seal, type FindKey, type SealingKey } from './seal.js'

export type CodePurpose =
  'confirmEmail' | 'changeEmail' | 'resetPassword' | 'changePhoneNumber' | 'userToken' | 'rememberMachine' | 'twoFactor'

export interface CodeContents {
  /** UUID, in lower case once opened. */
  readonly userId: string
  /** The user's security stamp. Only its mark goes inside. */
  readonly stamp: string
  /** Further sealed data: the new address of a change, the name of a host's own purpose. Default '' */
  readonly data?: string
}

export interface OpenedCode {
  readonly userId: string
  /** To be compared with the stored stamp by `isMarkOf`. */
  readonly stampMark: string
  readonly data: string
  /** Whole seconds. */
  readonly issuedAt: number
}

//  0  16  user id
// 16   8  mark of the stamp
// 24   5  issued at, whole seconds
// 29   n  data, UTF-8
const markAt = uuidLength
const issuedAt = markAt + markLength
const dataAt = issuedAt + secondsLength

/**
 * Text for a URL: base64url, 100 characters without data.
 * @throws TypeError when userId is no UUID or data is not well-formed
 * @throws TokenTooLarge when it would exceed 4,096 characters
 */
export function sealCode(key: SealingKey, purpose: CodePurpose, contents: CodeContents, nowSeconds: number): string {
  const { userId, stamp, data = '' } = contents
  const bytes = Buffer.alloc(dataAt + Buffer.byteLength(data))
  writeUuid(bytes, 0, userId, 'userId')
  writeMark(bytes, markAt, stampMark(stamp), 'stamp')
  writeSeconds(bytes, issuedAt, nowSeconds, 'nowSeconds')
  bytes.write(data, dataAt)
  // UTF-8 writes every lone surrogate as U+FFFD: two different addresses would become one.
  if (bytes.toString('utf8', dataAt) !== data) throw new TypeError('data is not well-formed text')
  return seal(key, purpose, bytes)
}

/**
 * The contents of the code, or null without a reason: not ours, for another purpose, older than `lifetimeSeconds`, or
 * issued over 60 seconds ahead of now.
 */
export function openCode(
  find: FindKey,
  purpose: CodePurpose,
  code: unknown,
  nowSeconds: number,
  lifetimeSeconds: number,
): OpenedCode | null {
  const bytes = open(find, purpose, typeof code === 'string' ? withoutBlanks(code) : code)
  if (bytes === null || bytes.length < dataAt) return null
  const issued = readSeconds(bytes, issuedAt)
  const isTimely = nowSeconds < issued + lifetimeSeconds && issued <= nowSeconds + clockSkewSeconds
  if (!isTimely) return null
  return Object.freeze({
    userId: uuidText(bytes, 0),
    stampMark: markText(bytes, markAt),
    data: bytes.toString('utf8', dataAt),
    issuedAt: issued,
  })
}

/** The hash under which a code is remembered; blanks that came in by pasting do not count. */
export function codeHash(code: string): string {
  return Buffer.from(sha256(Buffer.from(withoutBlanks(code)))).toString('base64url')
}
