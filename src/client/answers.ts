// Requests and answers of the endpoints as seen by a browser program. No imports, so that it compiles without the
// types of Node or TypeBox. test/types/client.ts compares it with the schemas of the routes.

/** A pair of tokens, as `POST /login` and `POST /refresh` answer. */
export interface TokenAnswer {
  /** Always `'Bearer'` (RFC 6750). */
  readonly tokenType: 'Bearer'
  /** The token for the Authorization header. Opaque. */
  readonly accessToken: string
  /** Seconds. */
  readonly expiresIn: number
  /** The token for `POST /refresh`, good for one exchange. Opaque. */
  readonly refreshToken: string
}

/** What `login` sends: name, password and, with a second factor, a code. */
export interface Credentials {
  /** This or `userName`, with option `user.userNameIsEmail: false`. */
  readonly email?: string
  /** The user name, with option `user.userNameIsEmail: false`. */
  readonly userName?: string
  /** The password as typed. */
  readonly password: string
  /** Six digits of the authenticator app, where the login needs a second factor. */
  readonly twoFactorCode?: string
  /** A recovery code instead, which is used up. */
  readonly twoFactorRecoveryCode?: string
}

/** What `register` sends. */
export interface NewAccount {
  /** The e-mail address, which is the user name too unless `userName` is sent. */
  readonly email: string
  /** The password as typed; the rules of option `password` apply. */
  readonly password: string
  /** With option `user.userNameIsEmail: false`. */
  readonly userName?: string
}

/** Why a login was refused. `Failed`: name, password or code is wrong; `NotAllowed`: the address is not confirmed. */
export type LoginFailure = 'Failed' | 'LockedOut' | 'NotAllowed' | 'RequiresTwoFactor'

/** The result of `login`: a refused login is a value, not an exception. */
export type LoginResult =
  | {
      /** Whether the user is signed in now. */
      readonly succeeded: true
    }
  | {
      /** Whether the user is signed in now. */
      readonly succeeded: false
      /** Why not. */
      readonly reason: LoginFailure
      /** Whether the password was right: log in again with a code too. */
      readonly requiresTwoFactor: boolean
    }

/** The account of the user, without profile fields. */
export interface Info {
  /** The e-mail address as stored. */
  readonly email: string
  /** Whether the address is confirmed. */
  readonly isEmailConfirmed: boolean
}

/** What `changeInfo` sends; members that are left out stay as they are. */
export interface InfoChange {
  /** Another address, which counts once its mailed link is opened. */
  readonly newEmail?: string
  /** Another password; needs `oldPassword`. */
  readonly newPassword?: string
  /** The current password. */
  readonly oldPassword?: string
}

/** What `twoFactor` sends; without members it only reads. */
export interface TwoFactorChange {
  /** true needs `twoFactorCode`. */
  readonly enable?: boolean
  /** Six digits of the authenticator app. */
  readonly twoFactorCode?: string
  /** Makes another key for the authenticator app, and switches the second factor off. */
  readonly resetSharedKey?: boolean
  /** Makes ten new recovery codes; the old ones are refused. */
  readonly resetRecoveryCodes?: boolean
  /** Asks for the second factor on this machine again. */
  readonly forgetMachine?: boolean
}

/** The second factor of the user. */
export interface TwoFactor {
  /** For the authenticator app, base32. */
  readonly sharedKey: string
  /** How many recovery codes are not used yet. */
  readonly recoveryCodesLeft: number
  /** New ones, shown once. */
  readonly recoveryCodes: readonly string[] | null
  /** Whether a login needs the second factor. */
  readonly isTwoFactorEnabled: boolean
  /** Whether a login on this machine needs no code, in cookie mode. */
  readonly isMachineRemembered: boolean
}

/** A login that can still be used. */
export interface Session {
  /** The id, for `endSession`. */
  readonly id: string
  /** ISO 8601. */
  readonly createdAt: string
  /** The last refresh or renewal of the cookie, ISO 8601. */
  readonly lastSeenAt: string
  /** The User-Agent of the login. */
  readonly client: string | null
  /** How the user signed in: `pwd` or `mfa` (RFC 8176), or the name of another system. */
  readonly amr: readonly string[]
  /** Whether it is the session of this request. */
  readonly current: boolean
  /** password, authenticator, recoveryCode, provider, external or host. */
  readonly method: string | null
  /** Claims of this session alone. */
  readonly claims: readonly { readonly type: string; readonly value: string }[]
  /** The network address of the login; null unless the server keeps it (option `sessions.recordAddress`). */
  readonly address: string | null
}

/** Which page of the list of sessions. */
export interface SessionsPage {
  /** Most sessions of the page, 1 to 100, default 50. */
  readonly limit?: number
  /** The id of the last session of the page before. */
  readonly after?: string
}

/** What a mailed confirmation link carries. */
export interface Confirmation {
  /** Parameter `userId` of the link. */
  readonly userId: string
  /** Parameter `code` of the link. */
  readonly code: string
  /** Parameter `changedEmail` of the link, where it has one. */
  readonly changedEmail?: string
}

/** What `resetPassword` sends. */
export interface PasswordReset {
  /** The address of the account. */
  readonly email: string
  /** The mailed code. */
  readonly resetCode: string
  /** The new password; the rules of option `password` apply. */
  readonly newPassword: string
}
