// Second factors: the authenticator app's key, its codes, and recovery codes. Keys are sealed and recovery codes
// hashed before they are stored; a code opens one login.
import { failed, type IdentityResult, success } from '../../errors.js'
import type { Trx } from '../../store/db.js'
import { inTransaction } from '../../store/transaction.js'
import {
  authenticatorKeyPlace,
  countRecoveryCodes,
  deleteSecondFactors,
  findUserToken,
  forgetTotpSteps,
  putUserToken,
  replaceRecoveryCodes,
} from '../../store/second-factors.js'
import { newStamp } from '../../tokens/stamp.js'
import { generateRecoveryCodes } from '../../two-factor/recovery-codes.js'
import { otpauthUri, qrSvg } from '../../two-factor/totp.js'
import { type AccountContext, changeUser } from '../users/change-user.js'
import { authenticatorStep, openAuthenticatorKey, recoveryHash, sealAuthenticatorKey } from './authenticator-key.js'
import { type TwoFactorSettings, useRecoveryCode } from './verify.js'
import type { User } from '../users/user.js'

/** The authenticator app and recovery codes of a user. */
export interface TwoFactorManager {
  /** Whether the second factor is on, as the object has it. */
  getTwoFactorEnabled(user: User): boolean
  /** Switches the second factor on or off. Rotates the stamp and ends the user's sessions, except `keepSessionId`. */
  setTwoFactorEnabled(user: User, enabled: boolean, options?: { keepSessionId?: string }): Promise<IdentityResult>
  /** The key for the authenticator app: 32 characters of base32; null when there is none. */
  getAuthenticatorKey(user: User): Promise<string | null>
  /** A key as `resetAuthenticatorKey` makes it: 32 characters of base32. It is not stored. */
  generateNewAuthenticatorKey(): string
  /**
   * Gives the user a new key; codes of the old one are refused at once. Rotates the stamp and, where there was a key, ends the user's sessions,
   * but for `keepSessionId`.
   */
  resetAuthenticatorKey(user: User, options?: { keepSessionId?: string }): Promise<IdentityResult>
  /** Whether the code is the app's right now. Setting up: does not count as a use. */
  verifyAuthenticatorCode(user: User, code: string): Promise<boolean>
  /** The URI for the QR code of the authenticator app: `otpauth://totp/…`; null when the user has no key. */
  getAuthenticatorUri(user: User): Promise<string | null>
  /** The same as a QR code, an SVG document; null when the user has no key. */
  getAuthenticatorQrCode(user: User): Promise<string | null>
  /** Replaces all recovery codes and returns the new ones, which cannot be read again. Does not rotate the stamp. */
  generateNewTwoFactorRecoveryCodes(user: User, count: number): Promise<readonly string[]>
  /** Uses a recovery code up; of parallel uses one succeeds. @returns RecoveryCodeRedemptionFailed */
  redeemTwoFactorRecoveryCode(user: User, code: string): Promise<IdentityResult>
  /** How many recovery codes are not used yet. */
  countRecoveryCodes(user: User): Promise<number>
  /**
   * For a user who has lost every factor: switches the second factor off and removes the authenticator key and the
   * recovery codes. Rotates the stamp and ends all sessions. @returns ConcurrencyFailure
   */
  resetSecondFactor(user: User): Promise<IdentityResult>
}

export function createTwoFactorManager(context: AccountContext, settings: TwoFactorSettings): TwoFactorManager {
  const { db, clock, describe, keys } = context
  const place = [authenticatorKeyPlace.loginProvider, authenticatorKeyPlace.name] as const
  const sealedKeyOf = (user: User) => findUserToken(db, user.id, ...place)

  async function getAuthenticatorKey(user: User): Promise<string | null> {
    return openAuthenticatorKey(keys.vault(), user.id, await sealedKeyOf(user))
  }

  async function getAuthenticatorUri(user: User): Promise<string | null> {
    const key = await getAuthenticatorKey(user)
    return key === null
      ? null
      : otpauthUri({ issuer: settings.issuer, account: user.email ?? user.userName, secretBase32: key })
  }

  return {
    getTwoFactorEnabled: (user) => user.twoFactorEnabled,
    setTwoFactorEnabled: (user, enabled, { keepSessionId } = {}) =>
      changeUser(
        context,
        user,
        { twoFactorEnabled: enabled },
        {
          rotateStamp: true,
          ends: { cause: 'twoFactorChanged', keep: keepSessionId },
          event: enabled ? 'twoFactorEnabled' : 'twoFactorDisabled',
          // POST /manage/2fa switches off with every new key, even when it was never on.
          notice: enabled === user.twoFactorEnabled ? undefined : 'twoFactorChanged',
        },
      ),
    getAuthenticatorKey,
    generateNewAuthenticatorKey: newStamp,
    async resetAuthenticatorKey(user, { keepSessionId } = {}) {
      // A first key takes nothing away.
      const isFirst = (await sealedKeyOf(user)) === null
      return changeUser(
        context,
        user,
        {},
        {
          rotateStamp: true,
          ...(isFirst ? {} : { ends: { cause: 'twoFactorChanged', keep: keepSessionId } }),
          async also(trx: Trx) {
            await putUserToken(trx, user.id, ...place, sealAuthenticatorKey(keys.vault(), user.id, newStamp()))
            await forgetTotpSteps(trx, user.id)
          },
        },
      )
    },
    verifyAuthenticatorCode: async (user, code) =>
      authenticatorStep(keys.vault(), clock, settings.windowSteps, user.id, await sealedKeyOf(user), code) !== null,
    getAuthenticatorUri,
    async getAuthenticatorQrCode(user) {
      const uri = await getAuthenticatorUri(user)
      return uri === null ? null : qrSvg(uri)
    },
    async generateNewTwoFactorRecoveryCodes(user, count) {
      const codes = generateRecoveryCodes(count)
      await inTransaction(db, (trx) =>
        replaceRecoveryCodes(
          trx,
          user.id,
          codes.map((code) => recoveryHash(keys.vault(), user.id, code)),
        ),
      )
      return codes
    },
    async redeemTwoFactorRecoveryCode(user, code) {
      return (await useRecoveryCode(context, user, code))
        ? success
        : failed(describe, [{ code: 'RecoveryCodeRedemptionFailed' }])
    },
    countRecoveryCodes: (user) => countRecoveryCodes(db, user.id),
    resetSecondFactor: (user) =>
      changeUser(
        context,
        user,
        { twoFactorEnabled: false },
        {
          rotateStamp: true,
          ends: { cause: 'twoFactorChanged' },
          notice: user.twoFactorEnabled ? 'twoFactorChanged' : undefined,
          also: (trx) => deleteSecondFactors(trx, user.id),
        },
      ),
  }
}
