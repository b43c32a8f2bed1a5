// What app.identity offers: every method of every manager, as it is promised to hosts. A change of a public signature fails here first.
/* eslint-disable @typescript-eslint/no-explicit-any -- a host's tables are the host's */
import type { FastifyReply } from 'fastify'
import type { Transaction } from 'kysely'
import type {
  AuthenticationTokenManager,
  Claim,
  ClaimManager,
  CreateResult,
  CreateRoleResult,
  CredentialManager,
  Directory,
  HostSignIn,
  Identity,
  IdentityEmitter,
  IdentityError,
  IdentityResult,
  KeyInfo,
  KeyManager,
  ListOptions,
  LockoutManager,
  LoginManager,
  MailManager,
  MembershipManager,
  NameManager,
  NewUser,
  NewUserLogin,
  PageOptions,
  Passkey,
  PasskeyManager,
  PasswordCheck,
  PhoneManager,
  PrincipalLike,
  Role,
  RoleManager,
  RolePage,
  SessionManager,
  SessionOptions,
  SessionRecord,
  SignedIn,
  SignInAnswers,
  SignInManager,
  SignInOptions,
  SignInResult,
  TokenProvider,
  TokenProviderManager,
  TwoFactorManager,
  User,
  UserBasics,
  UserLogin,
  UserManager,
  UserPage,
} from '../../src/index.js'
import type { Equal, Expect } from './equal.js'

export type Managers = [
  Expect<
    Equal<
      keyof UserManager,
      | keyof UserBasics
      | keyof NameManager
      | keyof CredentialManager
      | keyof PhoneManager
      | keyof TwoFactorManager
      | keyof TokenProviderManager
      | keyof LockoutManager
      | keyof LoginManager
      | keyof ClaimManager
      | keyof MembershipManager
      | keyof AuthenticationTokenManager
      | keyof PasskeyManager
      | keyof Directory
      | 'withTransaction'
    >
  >,
  // None of them is overridden.
  Expect<
    UserManager extends UserBasics &
      NameManager &
      CredentialManager &
      PhoneManager &
      TwoFactorManager &
      TokenProviderManager &
      LockoutManager &
      LoginManager &
      ClaimManager &
      MembershipManager &
      AuthenticationTokenManager &
      PasskeyManager &
      Directory
      ? true
      : false
  >,
  Expect<Equal<UserManager['withTransaction'], (trx: Transaction<any>) => UserManager>>,
  Expect<
    Equal<
      UserBasics,
      {
        create(user: NewUser, password?: string): Promise<CreateResult>
        update(user: User): Promise<IdentityResult>
        delete(user: User): Promise<IdentityResult>
        claimsChanged(user: Pick<User, 'id'>): Promise<void>
        findById(id: string): Promise<User | null>
        findByName(userName: string): Promise<User | null>
        findByEmail(email: string): Promise<User | null>
        findAllByEmail(email: string): Promise<readonly User[]>
        findNameByEmail(email: string): Promise<string | null>
        validatePassword(password: string, user: User): Promise<readonly IdentityError[]>
      }
    >
  >,
  Expect<
    Equal<
      NameManager,
      {
        getUserId(user: Pick<User, 'id'>): string
        getUserId(principal: PrincipalLike | null | undefined): string | null
        getUserName(user: Pick<User, 'id' | 'userName'>): string
        getUserName(principal: PrincipalLike | null | undefined): string | null
        getUser(principal: PrincipalLike | null | undefined): Promise<User | null>
        getEmail(user: User): string | null
        isEmailConfirmed(user: User): boolean
        setUserName(user: User, userName: string): Promise<IdentityResult>
        updateNormalizedUserName(user: User): void
        updateNormalizedEmail(user: User): void
        normalizeName(name: string): string | null
        normalizeEmail(email: string): string | null
        getSecurityStamp(user: User): string
        updateSecurityStamp(user: User): Promise<IdentityResult>
        createSecurityToken(user: User): Uint8Array
      }
    >
  >,
  Expect<
    Equal<
      CredentialManager,
      {
        checkPassword(user: User, password: string): Promise<boolean>
        hasPassword(user: User): boolean
        addPassword(user: User, password: string): Promise<IdentityResult>
        changePassword(
          user: User,
          currentPassword: string,
          newPassword: string,
          options?: { keepSessionId?: string },
        ): Promise<IdentityResult>
        removePassword(user: User): Promise<IdentityResult>
        generatePasswordResetToken(user: User): string
        resetPassword(user: User, token: string, newPassword: string): Promise<IdentityResult>
        setEmail(user: User, email: string | null): Promise<IdentityResult>
        generateEmailConfirmationToken(user: User): string
        confirmEmail(user: User, token: string): Promise<IdentityResult>
        generateChangeEmailToken(user: User, newEmail: string): string
        changeEmail(
          user: User,
          newEmail: string,
          token: string,
          options?: { setUserName?: boolean },
        ): Promise<IdentityResult>
      }
    >
  >,
  Expect<
    Equal<
      PhoneManager,
      {
        getPhoneNumber(user: User): string | null
        isPhoneNumberConfirmed(user: User): boolean
        setPhoneNumber(user: User, phoneNumber: string | null): Promise<IdentityResult>
        generateChangePhoneNumberToken(user: User, phoneNumber: string): string
        verifyChangePhoneNumberToken(user: User, token: string, phoneNumber: string): boolean
        changePhoneNumber(user: User, phoneNumber: string, token: string): Promise<IdentityResult>
      }
    >
  >,
  Expect<
    Equal<
      TwoFactorManager,
      {
        getTwoFactorEnabled(user: User): boolean
        setTwoFactorEnabled(user: User, enabled: boolean, options?: { keepSessionId?: string }): Promise<IdentityResult>
        getAuthenticatorKey(user: User): Promise<string | null>
        generateNewAuthenticatorKey(): string
        resetAuthenticatorKey(user: User, options?: { keepSessionId?: string }): Promise<IdentityResult>
        verifyAuthenticatorCode(user: User, code: string): Promise<boolean>
        getAuthenticatorUri(user: User): Promise<string | null>
        getAuthenticatorQrCode(user: User): Promise<string | null>
        generateNewTwoFactorRecoveryCodes(user: User, count: number): Promise<readonly string[]>
        redeemTwoFactorRecoveryCode(user: User, code: string): Promise<IdentityResult>
        countRecoveryCodes(user: User): Promise<number>
        resetSecondFactor(user: User): Promise<IdentityResult>
      }
    >
  >,
  Expect<
    Equal<
      TokenProviderManager,
      {
        getValidTwoFactorProviders(user: User): Promise<readonly string[]>
        generateTwoFactorToken(user: User, provider: string): Promise<string>
        verifyTwoFactorToken(user: User, provider: string, token: string): Promise<boolean>
        generateUserToken(user: User, provider: string, purpose: string): Promise<string>
        verifyUserToken(user: User, provider: string, purpose: string, token: string): Promise<boolean>
        registerTokenProvider(name: string, provider: TokenProvider): void
      }
    >
  >,
  Expect<
    Equal<
      LockoutManager,
      {
        isLockedOut(user: User): Promise<boolean>
        getLockoutEnabled(user: User): boolean
        setLockoutEnabled(user: User, enabled: boolean): Promise<IdentityResult>
        getLockoutEndDate(user: User): Promise<Date | null>
        setLockoutEndDate(user: User, end: Date | null): Promise<IdentityResult>
        lock(user: User, until?: Date): Promise<IdentityResult>
        unlock(user: User): Promise<IdentityResult>
        accessFailed(user: User): Promise<IdentityResult>
        resetAccessFailedCount(user: User): Promise<IdentityResult>
        getAccessFailedCount(user: User): Promise<number>
      }
    >
  >,
  Expect<
    Equal<
      LoginManager,
      {
        addLogin(user: User, login: NewUserLogin): Promise<IdentityResult>
        removeLogin(
          user: User,
          loginProvider: string,
          providerKey: string,
          options?: { keepSessionId?: string },
        ): Promise<IdentityResult>
        getLogins(user: User): Promise<readonly UserLogin[]>
        findByLogin(loginProvider: string, providerKey: string): Promise<User | null>
      }
    >
  >,
  Expect<
    Equal<
      ClaimManager,
      {
        addClaim(user: User, claim: Claim): Promise<IdentityResult>
        addClaims(user: User, claims: readonly Claim[]): Promise<IdentityResult>
        replaceClaim(user: User, claim: Claim, newClaim: Claim): Promise<IdentityResult>
        removeClaim(user: User, claim: Claim): Promise<IdentityResult>
        removeClaims(user: User, claims: readonly Claim[]): Promise<IdentityResult>
        getClaims(user: User): Promise<readonly Claim[]>
        getUsersForClaim(claim: Claim, options?: PageOptions): Promise<UserPage>
      }
    >
  >,
  Expect<
    Equal<
      MembershipManager,
      {
        addToRole(user: User, role: string): Promise<IdentityResult>
        addToRoles(user: User, roles: readonly string[]): Promise<IdentityResult>
        removeFromRole(user: User, role: string): Promise<IdentityResult>
        removeFromRoles(user: User, roles: readonly string[]): Promise<IdentityResult>
        getRoles(user: User): Promise<readonly string[]>
        isInRole(user: User, role: string): Promise<boolean>
        getUsersInRole(role: string, options?: PageOptions): Promise<UserPage>
      }
    >
  >,
  Expect<
    Equal<
      AuthenticationTokenManager,
      {
        getAuthenticationToken(user: User, loginProvider: string, name: string): Promise<string | null>
        setAuthenticationToken(
          user: User,
          loginProvider: string,
          name: string,
          value: string | null,
        ): Promise<IdentityResult>
        removeAuthenticationToken(user: User, loginProvider: string, name: string): Promise<IdentityResult>
      }
    >
  >,
  Expect<
    Equal<
      PasskeyManager,
      {
        addOrUpdatePasskey(user: User, passkey: Passkey): Promise<IdentityResult>
        getPasskeys(user: User): Promise<readonly Passkey[]>
        getPasskey(user: User, credentialId: Uint8Array): Promise<Passkey | null>
        findByPasskeyId(credentialId: Uint8Array): Promise<User | null>
        removePasskey(
          user: User,
          credentialId: Uint8Array,
          options?: { keepSessionId?: string },
        ): Promise<IdentityResult>
      }
    >
  >,
  Expect<
    Equal<
      Directory,
      {
        list(options?: ListOptions): Promise<UserPage>
      }
    >
  >,
  Expect<
    Equal<
      RoleManager,
      {
        create(role: string | { readonly name: string }): Promise<CreateRoleResult>
        update(role: Role): Promise<IdentityResult>
        delete(role: Role): Promise<IdentityResult>
        roleExists(name: string): Promise<boolean>
        findById(id: string): Promise<Role | null>
        findByName(name: string): Promise<Role | null>
        getRoleName(role: Role): string
        setRoleName(role: Role, name: string): Promise<IdentityResult>
        normalizeKey(name: string): string | null
        addClaim(role: Role, claim: Claim): Promise<IdentityResult>
        removeClaim(role: Role, claim: Claim): Promise<IdentityResult>
        getClaims(role: Role): Promise<readonly Claim[]>
        list(options?: PageOptions): Promise<RolePage>
        withTransaction(trx: Transaction<any>): RoleManager
      }
    >
  >,
  Expect<
    Equal<
      Pick<SignInManager, 'passwordSignIn' | 'canSignIn'>,
      {
        passwordSignIn(userName: string, password: string, options?: SignInOptions): Promise<SignInResult>
        canSignIn(user: User): boolean
      }
    >
  >,
  Expect<Equal<Omit<SignInManager, 'passwordSignIn' | 'canSignIn'>, Pick<HostSignIn, keyof HostSignIn>>>,
  Expect<
    Equal<
      HostSignIn,
      {
        checkPasswordSignIn(user: User, password: string): Promise<PasswordCheck>
        twoFactorAuthenticatorSignIn(user: User, code: string, options?: SessionOptions): Promise<SignInResult>
        twoFactorRecoveryCodeSignIn(user: User, code: string, options?: SessionOptions): Promise<SignInResult>
        twoFactorSignIn(user: User, provider: string, code: string, options?: SessionOptions): Promise<SignInResult>
        externalLoginSignIn(
          loginProvider: string,
          providerKey: string,
          options?: SessionOptions & { readonly bypassTwoFactor?: boolean },
        ): Promise<SignInResult>
        signIn(
          user: User,
          options?: SessionOptions & { readonly amr?: readonly string[]; readonly claims?: readonly Claim[] },
        ): Promise<SignInResult>
        signOut(sessionId: string): Promise<boolean>
      }
    >
  >,
  Expect<
    Equal<
      SessionManager,
      {
        list(userId: string, options?: PageOptions): Promise<readonly SessionRecord[]>
        revoke(sessionId: string, options?: { userId?: string }): Promise<boolean>
        revokeAll(userId: string, options?: { except?: string }): Promise<number>
        isLive(sessionId: string): boolean
      }
    >
  >,
  Expect<
    Equal<
      SignInAnswers,
      {
        sendTokens<Reply extends FastifyReply>(reply: Reply, signedIn: SignedIn): Reply
        setCookie(reply: FastifyReply, signedIn: SignedIn, options?: { readonly isPersistent?: boolean }): void
      }
    >
  >,
  Expect<
    Equal<
      KeyManager,
      {
        list(): Promise<readonly KeyInfo[]>
        rotate(options?: { activateAfterSeconds?: number }): Promise<KeyInfo>
        revoke(id: string): Promise<boolean>
        revokeAll(): Promise<void>
      }
    >
  >,
  Expect<
    Equal<
      MailManager,
      {
        flush(): Promise<void>
      }
    >
  >,
  Expect<
    Equal<
      Identity,
      {
        readonly users: UserManager
        readonly signIn: SignInManager & SignInAnswers
        readonly roles: RoleManager
        readonly sessions: SessionManager
        readonly keys: KeyManager
        readonly mail: MailManager
        readonly events: IdentityEmitter
        migrate(): Promise<void>
        healthCheck(): Promise<{
          readonly ok: boolean
          readonly database: boolean
          readonly revocations: boolean
          readonly clockSkewSeconds?: number
        }>
      }
    >
  >,
]
