// What `register` takes, member by member. A change of a public signature fails here first.
/* eslint-disable @typescript-eslint/no-explicit-any -- a host's tables are the host's */
import type { EventEmitter } from 'node:events'
import type { RegisterOptions, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import type { TObject } from '@sinclair/typebox'
import type { Kysely, Transaction } from 'kysely'
import type pg from 'pg'
import type {
  AuthorizationOptions,
  SessionEndCause,
  BearerOptions,
  ChangeName,
  Claim,
  Clock,
  CodeLifetimes,
  CookieOptions,
  DatabaseOption,
  EmailOption,
  EmailSender,
  ErrorDescriber,
  Guard,
  HasherOptions,
  HookEvent,
  HookName,
  Hooks,
  IdentityEmitter,
  IdentityError,
  IdentityEvents,
  IdentityOptions,
  IdentityRoutesOptions,
  MailMessage,
  MailUser,
  MessageSender,
  Notice,
  Operation,
  PasswordHasher,
  PasswordSettings,
  PasswordValidator,
  Policy,
  Principal,
  Requirements,
  SecurityNotice,
  User,
  UserSettings,
  UserValidator,
  VerifyResult,
} from '../../src/index.js'
import type { Equal, Expect } from './equal.js'

export type Options = [
  Expect<
    Equal<
      IdentityOptions,
      {
        prefix?: string
        database?: DatabaseOption
        databaseTimeouts?: { connectSeconds?: number; statementSeconds?: number; idleTransactionSeconds?: number }
        schema?: string
        migrate?: 'auto' | 'check' | 'off'
        secret?: string | readonly string[]
        publicUrl?: string
        links?: { confirmEmail?: string; resetPassword?: string }
        endpoints?: Partial<Record<Operation, boolean>>
        cookies?: boolean
        bearer?: BearerOptions
        cookie?: CookieOptions
        preset?: 'aspnet' | 'hardened'
        password?: PasswordSettings
        lockout?: {
          allowedForNewUsers?: boolean
          maxFailedAccessAttempts?: number
          lockoutSeconds?: number
          maxWaitSeconds?: number
        }
        codes?: { confirmEmailSeconds?: number; resetPasswordSeconds?: number }
        sessions?: { absoluteSeconds?: number }
        revocation?: { pollSeconds?: number }
        user?: UserSettings
        signIn?: {
          requireConfirmedEmail?: boolean
          requireConfirmedPhoneNumber?: boolean
          requireConfirmedAccount?: boolean
        }
        securityStamp?: { validationSeconds?: number }
        twoFactor?: { issuer?: string; allowCodeReuse?: boolean; windowSteps?: number; rememberMachineSeconds?: number }
        authorization?: AuthorizationOptions
        profile?: TObject
        claims?: (user: User) => readonly Claim[]
        hooks?: Hooks
        email?: EmailOption
        notices?: readonly SecurityNotice[]
        jsonNaming?: 'camelCase' | 'snake_case'
        csrf?: boolean | { trustedOrigins?: readonly string[] }
        decorator?: string
        keys?: readonly { id: string; secret: string }[]
        errors?: ErrorDescriber
        clock?: Clock
        logLevel?: NonNullable<RegisterOptions['logLevel']>
        logSerializers?: NonNullable<RegisterOptions['logSerializers']>
      }
    >
  >,
  Expect<
    Equal<
      IdentityRoutesOptions,
      {
        prefix?: string
        decorator?: string
        endpoints?: Partial<Record<Operation, boolean>> | undefined
      }
    >
  >,
  Expect<
    Equal<
      Operation,
      | 'register'
      | 'login'
      | 'refresh'
      | 'logout'
      | 'confirmEmail'
      | 'resendConfirmationEmail'
      | 'forgotPassword'
      | 'resetPassword'
      | 'twoFactor'
      | 'info'
      | 'sessions'
    >
  >,
  Expect<
    Equal<
      BearerOptions,
      {
        accessTokenSeconds?: number
        refreshTokenSeconds?: number
        rotateRefreshTokens?: boolean
        reuseGraceSeconds?: number
        readToken?: (request: FastifyRequest) => string | null | undefined
      }
    >
  >,
  Expect<
    Equal<
      CookieOptions,
      {
        name?: string
        lifetimeSeconds?: number
        slidingExpiration?: boolean
        sameSite?: 'lax' | 'strict' | 'none'
        secure?: boolean | 'auto'
        domain?: string
        path?: string
      }
    >
  >,
  Expect<
    Equal<
      PasswordSettings,
      {
        requiredLength?: number
        requiredUniqueChars?: number
        requireDigit?: boolean
        requireLowercase?: boolean
        requireUppercase?: boolean
        requireNonAlphanumeric?: boolean
        maxLength?: number
        hasher?: PasswordHasher | HasherOptions
        validators?: readonly PasswordValidator[]
      }
    >
  >,
  Expect<
    Equal<
      UserSettings,
      {
        userNameIsEmail?: boolean
        allowedUserNameCharacters?: string | null
        requireUniqueEmail?: boolean
        validators?: readonly UserValidator[]
      }
    >
  >,
  Expect<
    Equal<
      AuthorizationOptions,
      {
        policies?: Readonly<Record<string, Policy>>
        explicit?: boolean
      }
    >
  >,
  Expect<
    Equal<
      HasherOptions,
      {
        readonly memoryKiB?: number
        readonly iterations?: number
        readonly parallelism?: number
        readonly maxConcurrent?: number
        readonly maxQueue?: number
        readonly maxWaitSeconds?: number
      }
    >
  >,
  Expect<
    Equal<
      PasswordHasher,
      {
        hash(password: string): Promise<string>
        verify(hash: string, password: string): Promise<VerifyResult>
      }
    >
  >,
  Expect<Equal<VerifyResult, 'no' | 'yes' | 'yes-rehash'>>,
  Expect<
    Equal<
      PasswordValidator,
      (password: string, user: Readonly<User>) => readonly IdentityError[] | Promise<readonly IdentityError[]>
    >
  >,
  Expect<Equal<UserValidator, (user: Readonly<User>) => readonly IdentityError[] | Promise<readonly IdentityError[]>>>,
  Expect<Equal<EmailOption, EmailSender | MessageSender | string>>,
  Expect<
    Equal<
      EmailSender,
      {
        sendConfirmationLink(user: MailUser, email: string, link: string): Promise<void>
        sendPasswordResetLink(user: MailUser, email: string, link: string): Promise<void>
        sendPasswordResetCode(user: MailUser, email: string, code: string): Promise<void>
        sendSecurityNotice?(user: MailUser, email: string, notice: Notice): Promise<void>
      }
    >
  >,
  Expect<
    Equal<
      SecurityNotice,
      'refreshTokenReused' | 'passwordChanged' | 'emailChanged' | 'twoFactorChanged' | 'recoveryCodeUsed'
    >
  >,
  Expect<Equal<Notice, SecurityNotice | 'accountExists'>>,
  Expect<
    Equal<
      MessageSender,
      {
        send(message: MailMessage): Promise<void>
      }
    >
  >,
  Expect<
    Equal<
      MailMessage,
      {
        readonly to: string
        readonly subject: string
        readonly html: string
        readonly text: string
      }
    >
  >,
  Expect<
    Equal<
      MailUser,
      {
        readonly id: string
        readonly userName: string | null
        readonly email: string | null
      }
    >
  >,
  Expect<Equal<DatabaseOption, string | pg.Pool | pg.PoolConfig | Kysely<any>>>,
  Expect<
    Equal<
      CodeLifetimes,
      {
        readonly confirmEmailSeconds: number
        readonly resetPasswordSeconds: number
      }
    >
  >,
  Expect<Equal<Clock, () => number>>,
  Expect<
    Equal<
      HookName,
      | 'userCreating'
      | 'userCreated'
      | 'userUpdated'
      | 'userDeleting'
      | 'passwordChanged'
      | 'passwordReset'
      | 'emailConfirmed'
      | 'emailChanged'
      | 'twoFactorEnabled'
      | 'twoFactorDisabled'
    >
  >,
  Expect<Equal<ChangeName, Exclude<HookName, 'userCreating' | 'userDeleting'>>>,
  Expect<
    Equal<
      HookEvent,
      {
        readonly user: User
        readonly trx: Transaction<any>
      }
    >
  >,
  Expect<Equal<Hooks, { readonly [Name in HookName]?: (event: HookEvent) => void | Promise<void> }>>,
  Expect<
    Equal<
      IdentityEvents,
      {
        readonly userDeleted: { readonly userId: string }
        readonly signInSucceeded: { readonly userId: string; readonly sessionId: string; readonly method: string }
        readonly signInFailed: { readonly userId: string | null; readonly reason: string }
        readonly refreshTokenReused: { readonly userId: string; readonly sessionId: string }
        readonly sessionsEnded: { readonly sessionIds: readonly string[]; readonly cause: SessionEndCause }
        userCreated: { readonly userId: string }
        userUpdated: { readonly userId: string }
        passwordChanged: { readonly userId: string }
        passwordReset: { readonly userId: string }
        emailConfirmed: { readonly userId: string }
        emailChanged: { readonly userId: string }
        twoFactorEnabled: { readonly userId: string }
        twoFactorDisabled: { readonly userId: string }
      }
    >
  >,
  Expect<Equal<IdentityEmitter, EventEmitter<{ [Name in keyof IdentityEvents]: [event: IdentityEvents[Name]] }>>>,
  Expect<Equal<Guard, (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void>>,
  Expect<Equal<Policy, (principal: Principal, request: FastifyRequest) => boolean | Promise<boolean>>>,
  Expect<
    Equal<
      Requirements,
      {
        readonly roles?: readonly string[]
        readonly claims?: Readonly<Record<string, string | readonly string[] | true>>
        readonly policy?: string
        readonly amr?: readonly string[]
        readonly maxAgeSeconds?: number
        readonly decorator?: string
      }
    >
  >,
]
