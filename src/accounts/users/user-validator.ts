// The rules for a user's own data: the reference's UserValidator without its look-ups, which unique indexes replace
// without a race.
import { isDeliverable, isEmail } from '../../email/address.js'
import type { Failure, IdentityError } from '../../errors.js'
import type { UserRecord } from '../../store/users.js'
import { normalizeName } from './names.js'

/** A further rule for passwords; returns the failures it finds, or nothing. */
export type PasswordValidator = (
  password: string,
  user: Readonly<UserRecord>,
) => readonly IdentityError[] | Promise<readonly IdentityError[]>

/** A further rule for users, called whenever one is written; returns the failures it finds, or nothing. */
export type UserValidator = (user: Readonly<UserRecord>) => readonly IdentityError[] | Promise<readonly IdentityError[]>

export interface UserRules {
  /** null: any character. Default: ASCII letters, digits and `-._@+`. A name that is an address may have apostrophes before the @ too. */
  readonly allowedUserNameCharacters: string | null
  /** `'as stored'`: leaves the index as it is, for a caller that does not know the application's option. */
  readonly requireUniqueEmail: boolean | 'as stored'
  readonly validators: readonly UserValidator[]
}

// Refused even where any character is allowed: control characters, and halves of surrogate pairs.
const never = /[\p{Cc}\p{Cs}]/u

/** The faults of a user's name and address, in the reference's order. */
export function checkUser(
  rules: Omit<UserRules, 'validators'>,
  user: Pick<UserRecord, 'userName' | 'email'>,
): Failure[] {
  const failures: Failure[] = []
  if (!isUserName(rules, user.userName)) failures.push({ code: 'InvalidUserName', args: [user.userName] })
  if (rules.requireUniqueEmail === true && (user.email === null || user.email.trim() === '' || !isEmail(user.email))) {
    failures.push({ code: 'InvalidEmail', args: [user.email ?? ''] })
  }
  // What no row can hold, whatever the rules. A refused name is mostly the user's address too, and reported once.
  if (failures.length === 0 && user.email !== null && normalizeName(user.email) === null)
    failures.push({ code: 'InvalidEmail', args: [user.email] })
  return failures
}

/**
 * Checks that mail can be sent to an address. For a new address only, so that an imported user with another one can
 * still be changed.
 */
export function checkAddress({ email }: Pick<UserRecord, 'email'>): Failure[] {
  return email === null || email === '' || isDeliverable(email) ? [] : [{ code: 'InvalidEmail', args: [email] }]
}

function isUserName({ allowedUserNameCharacters: allowed }: Omit<UserRules, 'validators'>, name: string): boolean {
  if (name.trim() === '' || normalizeName(name) === null || never.test(name)) return false
  if (allowed === null) return true
  // O'Neil cannot choose otherwise where the address is the name.
  const at = isEmail(name) ? name.indexOf('@') : 0
  const rest = name.slice(0, at).replaceAll("'", '') + name.slice(at)
  return Array.from(rest).every((character) => allowed.includes(character))
}
