// Second factors: the authenticator app's key, its codes, and recovery codes. Keys are sealed and recovery codes hashed before they
// reach the database; a code that opened a login opens no other.
import { type Clock } from '../clock.js'
import { failed, type IdentityResult, success } from '../errors.js'
import { inTransaction, type Trx } from '../store/database.js'
import {
  authenticatorKeyPlace, countRecoveryCodes, findUserToken, forgetTotpSteps, putUserToken, redeemRecoveryCode, replaceRecoveryCodes, useTotpStep,
} from '../store/second-factors.js'
import { mac, open, seal } from '../tokens/seal.js'
import { newStamp } from '../tokens/stamp.js'
import { decodeBase32 } from '../two-factor/base32.js'
import { generateRecoveryCodes, isRecoveryCodeShaped } from '../two-factor/recovery-codes.js'
import { otpauthUri, qrSvg, verifyTotp } from '../two-factor/totp.js'
import { type AccountContext, changeUser } from './account-context.js'
import type { User } from './user.js'

export interface TwoFactorSettings {
  /** Who the authenticator app says the code is for. */
  readonly issuer: string
  readonly allowCodeReuse: boolean
  /** Steps of 30 s accepted on each side of the current one. */
  readonly windowSteps: number
}

/** The authenticator app and recovery codes of a user. */
export interface TwoFactorManager {
  /** Switches the second factor on or off. Rotates the stamp and ends the user's sessions, but for `keepSessionId`. */
  setTwoFactorEnabled(user: User, enabled: boolean, options?: { keepSessionId?: string }): Promise<IdentityResult>
  /** The key as the authenticator app takes it: 32 characters of base32; null when there is none. */
  getAuthenticatorKey(user: User): Promise<string | null>
  /** Gives the user a new key; codes of the old one are refused at once. Rotates the stamp. */
  resetAuthenticatorKey(user: User): Promise<IdentityResult>
  /** Whether the code is the app's right now. Setting up: does not count as a use. */
  verifyAuthenticatorCode(user: User, code: string): Promise<boolean>
  /** What an authenticator app scans: `otpauth://totp/…`; null when the user has no key. */
  getAuthenticatorUri(user: User): Promise<string | null>
  /** The same as a QR code, an SVG document; null when the user has no key. */
  getAuthenticatorQrCode(user: User): Promise<string | null>
  /** Replaces all recovery codes; the new ones are told this once. Rotates no stamp. */
  generateNewTwoFactorRecoveryCodes(user: User, count: number): Promise<readonly string[]>
  /** Uses a recovery code up; of any number of uses one succeeds. @returns RecoveryCodeRedemptionFailed */
  redeemTwoFactorRecoveryCode(user: User, code: string): Promise<IdentityResult>
  countRecoveryCodes(user: User): Promise<number>
}

/** What sign-in asks of second factors. */
export interface SecondFactors {
  /** Verifies an app's code and uses its step up; a code that was used answers like a wrong one. */
  useAuthenticatorCode(userId: string, sealedKey: string | null, code: string): Promise<boolean>
  useRecoveryCode(userId: string, code: string): Promise<boolean>
}

export function createSecondFactors(context: AccountContext, settings: TwoFactorSettings): SecondFactors {
  const { db, clock } = context
  return {
    async useAuthenticatorCode(userId, sealedKey, code) {
      const step = verifiedStep(context, settings, clock, userId, sealedKey, code)
      return step !== null && (settings.allowCodeReuse || await useTotpStep(db, userId, step))
    },
    useRecoveryCode: async (userId, code) => isRecoveryCodeShaped(code) && redeemRecoveryCode(db, userId, recoveryHash(context, userId, code)),
  }
}

export function createTwoFactorManager(context: AccountContext, settings: TwoFactorSettings): TwoFactorManager {
  const { db, clock, describe, keys } = context
  const place = [authenticatorKeyPlace.loginProvider, authenticatorKeyPlace.name] as const
  const sealedKeyOf = (user: User) => findUserToken(db, user.id, ...place)

  async function getAuthenticatorKey(user: User): Promise<string | null> {
    return openKey(context, user.id, await sealedKeyOf(user))
  }

  async function getAuthenticatorUri(user: User): Promise<string | null> {
    const key = await getAuthenticatorKey(user)
    return key === null ? null : otpauthUri({ issuer: settings.issuer, account: user.email ?? user.userName, secretBase32: key })
  }

  return {
    setTwoFactorEnabled: (user, enabled, { keepSessionId } = {}) => changeUser(context, user, { twoFactorEnabled: enabled }, {
      rotateStamp: true,
      endSessions: keepSessionId === undefined ? 'all' : { except: keepSessionId },
      event: enabled ? 'twoFactorEnabled' : 'twoFactorDisabled',
    }),
    getAuthenticatorKey,
    resetAuthenticatorKey: (user) => changeUser(context, user, {}, {
      rotateStamp: true,
      async also(trx: Trx) {
        await putUserToken(trx, user.id, ...place, seal(keys.vault(), 'authenticatorKey', newStamp(), user.id))
        await forgetTotpSteps(trx, user.id)
      },
    }),
    verifyAuthenticatorCode: async (user, code) => verifiedStep(context, settings, clock, user.id, await sealedKeyOf(user), code) !== null,
    getAuthenticatorUri,
    async getAuthenticatorQrCode(user) {
      const uri = await getAuthenticatorUri(user)
      return uri === null ? null : qrSvg(uri)
    },
    async generateNewTwoFactorRecoveryCodes(user, count) {
      const codes = generateRecoveryCodes(count)
      await inTransaction(db, (trx) => replaceRecoveryCodes(trx, user.id, codes.map((code) => recoveryHash(context, user.id, code))))
      return codes
    },
    async redeemTwoFactorRecoveryCode(user, code) {
      const redeemed = isRecoveryCodeShaped(code) && await redeemRecoveryCode(db, user.id, recoveryHash(context, user.id, code))
      return redeemed ? success : failed(describe, [{ code: 'RecoveryCodeRedemptionFailed' }])
    },
    countRecoveryCodes: (user) => countRecoveryCodes(db, user.id),
  }
}

// The key is bound to its user: a column copied from one row to another opens nothing (security MF-15).
function openKey({ keys }: AccountContext, userId: string, sealed: string | null): string | null {
  const vault = keys.vault()
  return open((id) => id === vault.id ? vault : null, 'authenticatorKey', sealed, userId)?.toString() ?? null
}

function verifiedStep(
  context: AccountContext, settings: TwoFactorSettings, clock: Clock, userId: string, sealed: string | null, code: string,
): number | null {
  const text = openKey(context, userId, sealed)
  const key = text === null ? null : decodeBase32(text)
  return key === null ? null : verifyTotp(key, code, clock(), { windowSteps: settings.windowSteps })
}

// Fifty bits and more under a keyed hash, with the user's id as salt: a dump of the table gives no code away (security MF-06).
function recoveryHash({ keys }: AccountContext, userId: string, code: string): Buffer {
  return mac(keys.vault(), 'recoveryCode', `${userId}:${code}`)
}
