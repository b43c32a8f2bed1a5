// What a new password must look like: the reference's PasswordValidator, its codes in its order, and an upper bound that it lacks.
// Asked before anything is hashed, never at sign-in. Knows no list of common passwords; that is a validator of the host.
import type { Failure } from '../errors.js'

/** Option `password`, as far as it describes passwords. */
export interface PasswordOptions {
  /** Fewest UTF-16 units, as in the reference: an emoji counts as two. Default 6. */
  readonly requiredLength?: number
  /** Count `requiredLength` in Unicode code points instead (NIST SP 800-63B-4 §3.1.1.2). Preset `hardened` sets it. Default false. */
  readonly countCodePoints?: boolean
  /** Fewest different UTF-16 units; 0 asks for none. Default 1. */
  readonly requiredUniqueChars?: number
  /** At least one of 0-9. Default true. */
  readonly requireDigit?: boolean
  /** At least one of a-z. Default true. */
  readonly requireLowercase?: boolean
  /** At least one of A-Z. Default true. */
  readonly requireUppercase?: boolean
  /** At least one character outside 0-9, a-z, A-Z; letters of other alphabets count. Default true. */
  readonly requireNonAlphanumeric?: boolean
  /** Most Unicode code points. Default 512. More than 4,096 bytes of UTF-8 are refused whatever is set here. */
  readonly maxLength?: number
}

export type PasswordRules = Readonly<Required<PasswordOptions>>

export const passwordDefaults: PasswordRules = Object.freeze({
  requiredLength: 6,
  countCodePoints: false,
  requiredUniqueChars: 1,
  requireDigit: true,
  requireLowercase: true,
  requireUppercase: true,
  requireNonAlphanumeric: true,
  maxLength: 512,
})

/** Preset `hardened`: length counts, composition does not (NIST SP 800-63B-4 §3.1.1.2). */
export const hardenedPasswordDefaults: PasswordRules = Object.freeze({
  ...passwordDefaults,
  requiredLength: 15,
  countCodePoints: true,
  requireDigit: false,
  requireLowercase: false,
  requireUppercase: false,
  requireNonAlphanumeric: false,
})

/** No password is longer, in bytes of UTF-8. The hasher refuses to work on one. */
export const maxPasswordBytes = 4096

/** Everything that is wrong with a password, in the reference's order; an empty list is a good one. Too long is said alone. */
export function checkPassword(rules: PasswordRules, password: string): Failure[] {
  if (isTooLong(rules, password)) return [{ code: 'PasswordTooLong', args: [rules.maxLength] }]
  const failures: Failure[] = []
  const length = rules.countCodePoints ? codePointsOf(password) : password.length
  if (blank.test(password) || length < rules.requiredLength)
    failures.push({ code: 'PasswordTooShort', args: [rules.requiredLength] })
  if (rules.requireNonAlphanumeric && !/[^0-9A-Za-z]/.test(password))
    failures.push({ code: 'PasswordRequiresNonAlphanumeric' })
  if (rules.requireDigit && !/[0-9]/.test(password)) failures.push({ code: 'PasswordRequiresDigit' })
  if (rules.requireLowercase && !/[a-z]/.test(password)) failures.push({ code: 'PasswordRequiresLower' })
  if (rules.requireUppercase && !/[A-Z]/.test(password)) failures.push({ code: 'PasswordRequiresUpper' })
  if (new Set(password.split('')).size < rules.requiredUniqueChars) {
    failures.push({ code: 'PasswordRequiresUniqueChars', args: [rules.requiredUniqueChars] })
  }
  return failures
}

// .NET's white space: \s of this language lacks U+0085 and has U+FEFF.
const blank = /^[\t-\r\u0085\p{Z}]*$/u

function isTooLong({ maxLength }: PasswordRules, password: string): boolean {
  return Buffer.byteLength(password) > maxPasswordBytes || codePointsOf(password) > maxLength
}

function codePointsOf(text: string): number {
  return Array.from(text).length
}
