// What managers take and answer: users, results, pages, records. A change of a public signature fails here first.
import type {
  Claim,
  CreateResult,
  CreateRoleResult,
  ErrorCode,
  ErrorDescriber,
  IdentityError,
  IdentityResult,
  KeyInfo,
  ListOptions,
  NewUser,
  NewUserLogin,
  PageOptions,
  Passkey,
  PasswordCheck,
  Principal,
  PrincipalLike,
  Profile,
  Role,
  RolePage,
  Scheme,
  SessionOptions,
  SessionRecord,
  SignedIn,
  SignInFailure,
  SignInMethod,
  SignInOptions,
  SignInResult,
  TokenProvider,
  User,
  UserLogin,
  UserPage,
  UserWithGrants,
} from '../../src/index.js'
import type { Equal, Expect } from './equal.js'

export type Values = [
  Expect<
    Equal<
      User,
      {
        id: string
        userName: string
        normalizedUserName: string
        email: string | null
        normalizedEmail: string | null
        emailConfirmed: boolean
        passwordHash: string | null
        securityStamp: string
        concurrencyStamp: string
        phoneNumber: string | null
        phoneNumberConfirmed: boolean
        twoFactorEnabled: boolean
        lockoutEnabled: boolean
        lockoutEnd: Date | null
        profile: Profile
        createdAt: Date
      }
    >
  >,
  Expect<Equal<NewUser, Partial<User> & { userName: string }>>,
  Expect<
    Equal<
      CreateResult,
      | { readonly succeeded: true; readonly user: User }
      | { readonly succeeded: false; readonly errors: readonly IdentityError[] }
    >
  >,
  Expect<
    Equal<
      IdentityResult,
      { readonly succeeded: true } | { readonly succeeded: false; readonly errors: readonly IdentityError[] }
    >
  >,
  Expect<
    Equal<
      IdentityError,
      {
        readonly code: string
        readonly description: string
      }
    >
  >,
  Expect<Equal<ErrorDescriber, (code: ErrorCode, args: readonly (string | number)[]) => string>>,
  Expect<Equal<Role, { id: string; name: string; normalizedName: string; concurrencyStamp: string }>>,
  Expect<
    Equal<
      CreateRoleResult,
      | { readonly succeeded: true; readonly role: Role }
      | { readonly succeeded: false; readonly errors: readonly IdentityError[] }
    >
  >,
  Expect<
    Equal<
      RolePage,
      {
        readonly roles: readonly Role[]
        readonly next: string | null
      }
    >
  >,
  Expect<
    Equal<
      UserPage,
      {
        readonly users: readonly User[]
        readonly next: string | null
      }
    >
  >,
  Expect<
    Equal<
      PageOptions,
      {
        readonly after?: string | null | undefined
        readonly limit?: number | undefined
      }
    >
  >,
  Expect<
    Equal<
      ListOptions,
      {
        readonly after?: string | null | undefined
        readonly limit?: number | undefined
        readonly search?: string | null | undefined
      }
    >
  >,
  Expect<
    Equal<
      PrincipalLike,
      {
        readonly userId: string
        readonly userName?: string
      }
    >
  >,
  Expect<
    Equal<
      Principal,
      {
        readonly userId: string
        readonly userName: string
        readonly email: string | null
        readonly sessionId: string
        readonly scheme: Scheme
        readonly claims: readonly Claim[]
        readonly roles: readonly string[]
        readonly amr: readonly string[]
        readonly authenticatedAt: number
        readonly signal: AbortSignal
        isInRole(role: string): boolean
        hasClaim(type: string, value?: string): boolean
        findFirst(type: string): Claim | null
        findAll(type: string): readonly Claim[]
      }
    >
  >,
  Expect<Equal<Scheme, 'bearer' | 'cookie'>>,
  Expect<
    Equal<
      Claim,
      {
        readonly type: string
        readonly value: string
      }
    >
  >,
  Expect<
    Equal<
      UserWithGrants,
      {
        readonly user: User
        readonly roles: readonly string[]
        readonly claims: readonly Claim[]
      }
    >
  >,
  Expect<
    Equal<
      UserLogin,
      {
        readonly loginProvider: string
        readonly providerKey: string
        readonly providerDisplayName: string | null
      }
    >
  >,
  Expect<
    Equal<
      NewUserLogin,
      Pick<UserLogin, 'loginProvider' | 'providerKey'> & { readonly providerDisplayName?: string | null | undefined }
    >
  >,
  Expect<
    Equal<
      Passkey,
      {
        readonly credentialId: Uint8Array
        readonly publicKey: Uint8Array
        readonly name: string | null
        readonly createdAt: Date
        readonly signCount: number
        readonly transports: readonly string[]
        readonly isUserVerified: boolean
        readonly isBackupEligible: boolean
        readonly isBackedUp: boolean
        readonly attestationObject: Uint8Array
        readonly clientDataJson: Uint8Array
      }
    >
  >,
  Expect<
    Equal<
      SessionRecord,
      {
        readonly id: string
        readonly userId: string
        readonly createdAt: number
        readonly lastSeenAt: number
        readonly expiresAt: number
        readonly amr: readonly string[]
        readonly client: string | null
        readonly method: string | null
        readonly address: string | null
        readonly claims: readonly Claim[]
      }
    >
  >,
  Expect<
    Equal<
      KeyInfo,
      {
        readonly id: string
        readonly createdAt: number
        readonly activatesAt: number
        readonly retiresAt: number | null
        readonly revokedAt: number | null
      }
    >
  >,
  Expect<Equal<SignInFailure, 'Failed' | 'LockedOut' | 'NotAllowed' | 'RequiresTwoFactor'>>,
  Expect<Equal<SignInMethod, 'password' | 'authenticator' | 'recoveryCode' | 'provider' | 'external' | 'host'>>,
  Expect<
    Equal<
      SignInOptions,
      {
        readonly client?: string | null | undefined
        readonly twoFactorCode?: string | null | undefined
        readonly twoFactorRecoveryCode?: string | null | undefined
        readonly isRemembered?: (user: User) => boolean
      }
    >
  >,
  Expect<
    Equal<
      SessionOptions,
      {
        readonly client?: string | null | undefined
      }
    >
  >,
  Expect<
    Equal<
      SignInResult,
      | { readonly succeeded: true; readonly signedIn: SignedIn; readonly method: SignInMethod }
      | { readonly succeeded: false; readonly reason: SignInFailure }
    >
  >,
  Expect<
    Equal<
      SignedIn,
      {
        readonly user: User
        readonly roles: readonly string[]
        readonly claims: readonly Claim[]
        readonly sessionId: string
        readonly counter: number
        readonly authenticatedAt: number
        readonly sessionExpiresAt: number
        readonly amr: readonly string[]
        readonly sessionClaims: readonly Claim[]
      }
    >
  >,
  Expect<
    Equal<
      PasswordCheck,
      | { readonly succeeded: true; readonly requiresTwoFactor: boolean }
      | { readonly succeeded: false; readonly reason: 'Failed' | 'LockedOut' | 'NotAllowed' }
    >
  >,
  Expect<
    Equal<
      TokenProvider,
      {
        canGenerate(user: User): boolean | Promise<boolean>
        generate(user: User, purpose: string): string | Promise<string>
        validate(user: User, purpose: string, token: string): boolean | Promise<boolean>
      }
    >
  >,
]
