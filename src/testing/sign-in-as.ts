// Signs a user in without a password, so that a test does not pay for a hash. The session, the ticket and the checks
// of guards are real.
import type { FastifyInstance } from 'fastify'
import type { RoleManager } from '../accounts/roles/role-manager.js'
import type { NewUser, User } from '../accounts/users/user.js'
import type { UserManager } from '../accounts/managers/user-manager.js'
import { CookiesOff, type IdentityResult } from '../errors.js'
import { findRealm } from '../http/realm.js'
import { cookiePair } from '../http/cookie.js'
import { tokenPair } from '../http/tickets.js'
import type { Claim } from '../store/users.js'
import { newUuidV7 } from '../tokens/stamp.js'

/**
 * The user to sign in: the one with this `id`, which must exist; otherwise the one with this `userName`, otherwise
 * with this `email` as user name. A user who does not exist is created, with a confirmed address and without a
 * password; without any of the three, a new user is.
 */
export interface TestUser extends Partial<NewUser> {
  /** Roles that the user is added to; missing roles are created. */
  readonly roles?: readonly string[]
  /** Claims that the user gets, in addition to their own. */
  readonly claims?: readonly Claim[]
}

/** How `signInAs` signs in. */
export interface SignInAsOptions {
  /** Default `'bearer'`. */
  readonly scheme?: 'bearer' | 'cookie'
  /** How the user signed in. Default `['pwd']`; `['mfa']` stands for a second factor. */
  readonly amr?: readonly string[]
  /** The realm, by option `decorator` of its registration. Default `'identity'`. */
  readonly decorator?: string
}

/** For `app.inject`. Types, not interfaces, so that they are assignable to any headers. */
export type BearerHeaders = {
  /** `Bearer` and the access token. */
  readonly authorization: string
}
/** For `app.inject`, like `BearerHeaders`. */
export type CookieHeaders = {
  /** Name and value of the cookie. */
  readonly cookie: string
}

/**
 * Opens a session and returns its headers; waits until the application is ready.
 * @throws Error when the realm is not registered in this scope, or when the user cannot be created or may not sign in
 * (locked, not confirmed)
 * @example await app.inject({ url: '/orders', headers: await signInAs(app, { email: 'ada@example.com', roles:
 * ['clerk'] }) })
 */
export async function signInAs(
  app: FastifyInstance,
  who: TestUser | User,
  options: SignInAsOptions & { readonly scheme: 'cookie' },
): Promise<CookieHeaders>
export async function signInAs(
  app: FastifyInstance,
  who: TestUser | User,
  options?: SignInAsOptions & { readonly scheme?: 'bearer' },
): Promise<BearerHeaders>
export async function signInAs(
  app: FastifyInstance,
  who: TestUser | User,
  { scheme = 'bearer', amr = ['pwd'], decorator = 'identity' }: SignInAsOptions = {},
): Promise<BearerHeaders | CookieHeaders> {
  await app.ready()
  const realm = findRealm(app, decorator)
  // Fastify's types have no place for a decorator whose name the host chooses.
  const identity = (app as unknown as Record<string, { users: UserManager; roles: RoleManager } | undefined>)[decorator]
  if (realm === null || identity === undefined) throw new Error(`No realm '${decorator}' is registered in this scope`)
  if (scheme === 'cookie' && !realm.options.cookies) throw new CookiesOff()
  const { roles = [], claims = [], ...members }: TestUser = who
  const user = await userOf(identity.users, members)
  await grant(identity.users, identity.roles, user, roles, claims)
  const result = await realm.signIn.signIn(user, { amr, client: 'fastify-identity/testing' })
  if (!result.succeeded) throw new Error(`${user.userName} may not sign in: ${result.reason}`)
  if (scheme === 'bearer') return { authorization: `Bearer ${tokenPair(realm, result.signedIn).accessToken}` }
  return { cookie: cookiePair(realm, { protocol: 'http' }, result.signedIn).join('=') }
}

async function userOf(users: UserManager, members: Partial<NewUser>): Promise<User> {
  if (members.id !== undefined) {
    const byId = await users.findById(members.id)
    if (byId === null) throw new Error(`There is no user ${members.id}`)
    return byId
  }
  const userName = members.userName ?? members.email ?? `${newUuidV7(Date.now())}@example.com`
  const known = await users.findByName(userName)
  if (known !== null) return known
  const email = userName.includes('@') ? userName : null
  const created = await users.create({ email, emailConfirmed: true, ...members, userName })
  if (created.succeeded) return created.user
  // Another test created the user at the same time.
  const first = await users.findByName(userName)
  if (first === null)
    throw new Error(`${userName} was not created: ${created.errors.map(({ code }) => code).join(', ')}`)
  return first
}

async function grant(
  users: UserManager,
  roles: RoleManager,
  user: User,
  names: readonly string[],
  claims: readonly Claim[],
): Promise<void> {
  for (const name of names) {
    if (!(await roles.roleExists(name))) await roles.create({ name })
    await made(
      users,
      user,
      () => users.isInRole(user, name),
      () => users.addToRole(user, name),
    )
  }
  for (const claim of claims) {
    const isThere = async () =>
      (await users.getClaims(user)).some(({ type, value }) => type === claim.type && value === claim.value)
    await made(users, user, isThere, () => users.addClaim(user, claim))
  }
}

const tries = 10

/** Makes what is missing, and tries again when another test has changed the user meanwhile. */
async function made(
  users: UserManager,
  user: User,
  isThere: () => Promise<boolean>,
  make: () => Promise<IdentityResult>,
): Promise<void> {
  for (let attempt = 1; !(await isThere()); attempt++) {
    const result = await make()
    if (result.succeeded) return
    if (attempt === tries)
      throw new Error(`${user.userName} was not changed: ${result.errors.map(({ code }) => code).join(', ')}`)
    Object.assign(user, await users.findById(user.id))
  }
}
