// Prepares a new user for writing: completes it, validates it and hashes the password. Other users are not read, so
// that a refusal reveals nothing about them.
import type { IdentityError } from '../../errors.js'
import { newConcurrencyStamp, newStamp, newUuidV7 } from '../../tokens/stamp.js'
import { type AccountContext, normalized, passwordErrors, userErrors } from './change-user.js'
import type { NewUser, User } from './user.js'

export type Prepared =
  | { readonly succeeded: true; readonly user: User }
  | { readonly succeeded: false; readonly errors: readonly IdentityError[] }

/** @param lockoutEnabled default for `given` */
export async function prepareUser(
  context: AccountContext,
  given: NewUser,
  password: string | undefined,
  lockoutEnabled: boolean,
): Promise<Prepared> {
  const user = newUser(given, lockoutEnabled, context.clock())
  if (password !== undefined) {
    const errors = await passwordErrors(context, password, user)
    if (errors.length > 0) return { succeeded: false, errors }
    user.passwordHash = await context.hasher.hash(password)
  }
  const errors = await userErrors(context, user)
  return errors.length > 0 ? { succeeded: false, errors } : { succeeded: true, user }
}

function newUser(given: NewUser, lockoutEnabled: boolean, now: number): User {
  const user = {
    id: newUuidV7(now),
    email: null,
    emailConfirmed: false,
    passwordHash: null,
    phoneNumber: null,
    phoneNumberConfirmed: false,
    twoFactorEnabled: false,
    lockoutEnd: null,
    profile: {},
    createdAt: new Date(now),
    ...given,
    lockoutEnabled: given.lockoutEnabled ?? lockoutEnabled,
    securityStamp: newStamp(),
    concurrencyStamp: newConcurrencyStamp(),
  }
  return { ...user, ...normalized(user) }
}
