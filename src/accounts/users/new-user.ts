// A new user up to the moment of writing: completed, held against the rules, the password hashed. Nothing here asks about other users, so
// that what it refuses tells of none.
import type { IdentityError } from '../../errors.js'
import { newConcurrencyStamp, newStamp, newUuidV7 } from '../../tokens/stamp.js'
import { type AccountContext, normalized, passwordErrors, userErrors } from './change-user.js'
import type { NewUser, User } from './user.js'

export type Prepared =
  | { readonly succeeded: true; readonly user: User }
  | { readonly succeeded: false; readonly errors: readonly IdentityError[] }

/** @param lockoutEnabled where `given` does not say */
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
