// The entry point: `import identity, { requireAuthorization } from 'fastify-identity'`.
export { identity as default, identity, type Identity, identityRoutes, type IdentityRoutesOptions } from './plugin.js'
export type { Health } from './health.js'
export { allowAnonymous, type Guard, type Policy, requireAuthorization } from './http/authorize.js'
export type { Requirements } from './http/requirements.js'
export type { SignInAnswers } from './http/sign-in-answers.js'
export type { TwoFactorAnswers } from './http/two-factor-answers.js'
export type { CallerAnswers } from './http/refresh-sign-in.js'
export type { IdentityOptions } from './options.js'
export type { AuthorizationOptions, BearerOptions, CookieOptions } from './http/options.js'
export type { Operation } from './routes/endpoints.js'
export type { PasswordSettings, UserSettings } from './accounts/users/options.js'
export type { Principal, Scheme } from './http/principal.js'
export type { SessionManager } from './accounts/sessions/session-manager.js'
export type {
  SignInFailure,
  SignInManager,
  SignInMethod,
  SignInOptions,
  SignInResult,
  SignedIn,
} from './accounts/sign-in/sign-in-manager.js'
export type {
  ChangeName,
  Hook,
  HookEvent,
  HookName,
  Hooks,
  IdentityEmitter,
  IdentityEvents,
  SigningIn,
  SigningInHook,
} from './accounts/users/hooks.js'
export type { CredentialManager } from './accounts/credentials/password-and-email.js'
export type { CodeLifetimes } from './accounts/credentials/options.js'
export type { KeyInfo, KeyManager } from './accounts/keys/key-manager.js'
export type { MailManager } from './accounts/mail/outbox.js'
export type { HostSignIn, PasswordOptions, SessionOptions } from './accounts/sign-in/sign-in-steps.js'
export type { PasswordCheck } from './accounts/sign-in/sign-in-result.js'
export type { AuthenticationTokenManager } from './accounts/credentials/external-tokens.js'
export type { ClaimManager } from './accounts/roles/user-claims.js'
export type { Directory, ListOptions } from './accounts/users/list-users.js'
export type { LockoutManager } from './accounts/credentials/lockout.js'
export type { LoginManager, NewUserLogin } from './accounts/credentials/external-logins.js'
export type { MembershipManager } from './accounts/roles/user-roles.js'
export type { NameManager, PrincipalLike } from './accounts/users/name-manager.js'
export type { UserPage } from './accounts/users/page.js'
export type { PageOptions } from './page.js'
export type { PasskeyManager } from './accounts/credentials/passkeys.js'
export type { PhoneManager } from './accounts/credentials/phone.js'
export type { CreateRoleResult, Role, RoleManager, RolePage } from './accounts/roles/role-manager.js'
export type { TokenProvider } from './accounts/second-factor/token-providers.js'
export type { TokenProviderManager } from './accounts/second-factor/user-tokens.js'
export type { TwoFactorManager } from './accounts/second-factor/two-factor-manager.js'
export type { NewUser, User } from './accounts/users/user.js'
export type { CreateResult, UserBasics, UserManager } from './accounts/managers/user-manager.js'
export type { PasswordValidator, UserValidator } from './accounts/users/user-validator.js'
export type {
  EmailOption,
  EmailSender,
  MailMessage,
  MailUser,
  MessageSender,
  Notice,
  SecurityNotice,
} from './email/sender.js'
export type { HasherOptions, PasswordHasher, VerifyResult } from './passwords/hasher.js'
export type { DatabaseOption } from './store/database-option.js'
export type * from './store/profile.js'
export type { UserLogin } from './store/logins.js'
export type { Passkey } from './store/passkeys.js'
export type { SessionEndCause } from './store/session-ends.js'
export type { SessionRecord } from './store/sessions.js'
export type { Claim, UserWithGrants } from './store/users.js'
export type { Clock } from './clock.js'
export {
  describeError,
  type ErrorCode,
  errorCodes,
  type ErrorDescriber,
  type FastifyIdentityErrorCode,
  type IdentityError,
  type IdentityErrorCode,
  type IdentityResult,
} from './errors.js'
