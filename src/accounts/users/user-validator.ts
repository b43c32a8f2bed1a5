// Whether a user may be stored as they are: the reference's UserValidator without its look-ups, which unique indexes do without a race.
import { isDeliverable, isEmail } from '../../email/address.js'
import type { Failure, IdentityError } from '../../errors.js'
import type { UserRecord } from '../../store/users.js'
import { normalizeName } from './names.js'

/** A further rule on passwords; answers what it finds wrong, nothing when all is well. */
export type PasswordValidator = (
  password: string,
  user: Readonly<UserRecord>,
) => readonly IdentityError[] | Promise<readonly IdentityError[]>

/** A further rule on users, asked whenever one is written; answers what it finds wrong. */
export type UserValidator = (user: Readonly<UserRecord>) => readonly IdentityError[] | Promise<readonly IdentityError[]>

export interface UserRules {
  /** null: any character. Default: ASCII letters, digits and `-._@+`. */
  readonly allowedUserNameCharacters: string | null
  /** `'as stored'`: what the index holds for a user stays; for who changes users of an application whose options they do not know. */
  readonly requireUniqueEmail: boolean | 'as stored'
  readonly validators: readonly UserValidator[]
}

// Not even where any character is allowed: control characters, and halves of surrogate pairs.
const never = /[\p{Cc}\p{Cs}]/u

/** What is wrong with a user's name and address, in the reference's order. */
export function checkUser(
  rules: Omit<UserRules, 'validators'>,
  user: Pick<UserRecord, 'userName' | 'email'>,
): Failure[] {
  const failures: Failure[] = []
  if (!isUserName(rules, user.userName)) failures.push({ code: 'InvalidUserName', args: [user.userName] })
  if (rules.requireUniqueEmail === true && (user.email === null || user.email.trim() === '' || !isEmail(user.email))) {
    failures.push({ code: 'InvalidEmail', args: [user.email ?? ''] })
  }
  // What no row can hold, whatever the rules; a name that is refused is the user's address too, mostly, and told once.
  if (failures.length === 0 && user.email !== null && normalizeName(user.email) === null)
    failures.push({ code: 'InvalidEmail', args: [user.email] })
  return failures
}

/** An address that no mail could be written to. Asked of a new address only, so that a user who was imported with one can still be changed. */
export function checkAddress({ email }: Pick<UserRecord, 'email'>): Failure[] {
  return email === null || email === '' || isDeliverable(email) ? [] : [{ code: 'InvalidEmail', args: [email] }]
}

function isUserName({ allowedUserNameCharacters: allowed }: Omit<UserRules, 'validators'>, name: string): boolean {
  if (name.trim() === '' || normalizeName(name) === null || never.test(name)) return false
  return allowed === null || Array.from(name).every((character) => allowed.includes(character))
}
