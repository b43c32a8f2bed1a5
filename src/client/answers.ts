// Requests and answers of the endpoints as seen by a browser program. No imports, so that it compiles without the
// types of Node or TypeBox. test/types/client.ts compares it with the schemas of the routes.

export interface TokenAnswer {
  readonly tokenType: 'Bearer'
  readonly accessToken: string
  /** Seconds. */
  readonly expiresIn: number
  readonly refreshToken: string
}

export interface Credentials {
  /** This or `userName`, with option `user.userNameIsEmail: false`. */
  readonly email?: string
  readonly userName?: string
  readonly password: string
  readonly twoFactorCode?: string
  readonly twoFactorRecoveryCode?: string
}

export interface NewAccount {
  readonly email: string
  readonly password: string
  /** With option `user.userNameIsEmail: false`. */
  readonly userName?: string
}

export type LoginFailure = 'Failed' | 'LockedOut' | 'NotAllowed' | 'RequiresTwoFactor'

export type LoginResult =
  | { readonly succeeded: true }
  /** `requiresTwoFactor`: the password was right; log in again with a code too. */
  | { readonly succeeded: false; readonly reason: LoginFailure; readonly requiresTwoFactor: boolean }

export interface Info {
  readonly email: string
  readonly isEmailConfirmed: boolean
}

export interface InfoChange {
  readonly newEmail?: string
  readonly newPassword?: string
  readonly oldPassword?: string
}

export interface TwoFactorChange {
  /** true needs `twoFactorCode`. */
  readonly enable?: boolean
  readonly twoFactorCode?: string
  readonly resetSharedKey?: boolean
  readonly resetRecoveryCodes?: boolean
  readonly forgetMachine?: boolean
}

export interface TwoFactor {
  /** For the authenticator app, base32. */
  readonly sharedKey: string
  readonly recoveryCodesLeft: number
  /** New ones, shown once. */
  readonly recoveryCodes: readonly string[] | null
  readonly isTwoFactorEnabled: boolean
  readonly isMachineRemembered: boolean
}

export interface Session {
  readonly id: string
  /** ISO 8601. */
  readonly createdAt: string
  readonly lastSeenAt: string
  /** The User-Agent of the login. */
  readonly client: string | null
  readonly amr: readonly string[]
  /** Whether it is the session of this request. */
  readonly current: boolean
  /** password, authenticator, recoveryCode, provider, external or host. */
  readonly method: string | null
  /** Claims of this session alone. */
  readonly claims: readonly { readonly type: string; readonly value: string }[]
}

export interface SessionsPage {
  readonly limit?: number
  /** The id of the last session of the page before. */
  readonly after?: string
}

export interface Confirmation {
  readonly userId: string
  readonly code: string
  readonly changedEmail?: string
}

export interface PasswordReset {
  readonly email: string
  readonly resetCode: string
  readonly newPassword: string
}
