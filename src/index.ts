// The door: `import identity, { requireAuthorization } from 'fastify-identity'`.
export { identity as default, identity, type Identity } from './plugin.js'
export { type Guard, type GuardOptions, requireAuthorization } from './http/authorize.js'
export type { BearerOptions, CookieOptions, IdentityOptions, Operation, PasswordSettings } from './options.js'
export type { Principal, Scheme } from './accounts/principal.js'
export type { SessionManager } from './accounts/session-manager.js'
export type { SignInFailure, SignInManager, SignInResult, SignedIn } from './accounts/sign-in-manager.js'
export type { CreateResult, NewUser, User, UserManager } from './accounts/user-manager.js'
export type { PasswordValidator } from './accounts/user-validator.js'
export type { HasherOptions, PasswordHasher, VerifyResult } from './passwords/hasher.js'
export type { DatabaseOption } from './store/database.js'
export type { SessionRecord } from './store/sessions.js'
export type { Claim, UserWithGrants } from './store/users.js'
export type { Clock } from './clock.js'
export {
  describeError, type ErrorCode, errorCodes, type ErrorDescriber, type IdentityError, type IdentityResult,
} from './errors.js'
