// The rules for new passwords: the reference's PasswordValidator, its codes in its order, and an upper limit that it
// lacks. Checked before a password is hashed, never at sign-in. There is no list of common passwords; a host adds one
// as a validator.
import type { Failure } from '../errors.js'
import { complete, type Preset, type Resolved } from '../option-schema.js'
import { passwordRules } from './options.js'

/** The rules for new passwords, complete. */
export type PasswordRules = Resolved<typeof passwordRules.properties> & {
  /** Whether `requiredLength` counts Unicode code points rather than UTF-16 code units: preset `hardened` does. */
  readonly countCodePoints: boolean
}

/**
 * The rules of a preset, overridden by the host's own (NIST SP 800-63B-4 §3.1.1.2: length counts, composition does
 * not).
 */
export function rulesOf(given: object | undefined, preset: Preset): PasswordRules {
  return Object.freeze({ ...complete(passwordRules, given, preset), countCodePoints: preset === 'hardened' })
}

export const passwordDefaults: PasswordRules = rulesOf(undefined, 'aspnet')

/** The longest password in bytes of UTF-8. The hasher refuses longer ones. */
export const maxPasswordBytes = 4096

/** All faults of a password, in the reference's order; empty for a good one. Too long is reported alone. */
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

// .NET's white space: JavaScript's \s lacks U+0085 and includes U+FEFF.
const blank = /^[\t-\r\u0085\p{Z}]*$/u

function isTooLong({ maxLength }: PasswordRules, password: string): boolean {
  return Buffer.byteLength(password) > maxPasswordBytes || codePointsOf(password) > maxLength
}

function codePointsOf(text: string): number {
  return Array.from(text).length
}
