// The second factor of a sign-in: whether a user has one, and whether a code is right. A code opens one login.
import { stampMark } from '../../tokens/fields.js'
import { redeemRecoveryCode, useStampCode, useTotpStep } from '../../store/second-factors.js'
import { isRecoveryCodeShaped, readRecoveryCode } from '../../two-factor/recovery-codes.js'
import type { AccountContext } from '../users/change-user.js'
import { authenticatorStep, recoveryHash } from './authenticator-key.js'
import { stampCodeStep } from './stamp-code.js'
import {
  createProviderRegistry,
  type ProviderContext,
  type TokenProviders,
  twoFactorPurpose,
} from './token-providers.js'
import type { User } from '../users/user.js'

export interface TwoFactorSettings {
  /** The name of the application in the authenticator app. */
  readonly issuer: string
  readonly allowCodeReuse: boolean
  /** Steps of 30 s accepted on each side of the current one. */
  readonly windowSteps: number
}

export interface SecondFactors {
  /** Whether the user must be asked for a second factor: it is switched on, and a provider is available. */
  isRequired(user: User, sealedKey: string | null): Promise<boolean>
  /** Verifies an app's code and uses its step up; a used code is refused like a wrong one. */
  useAuthenticatorCode(userId: string, sealedKey: string | null, code: string): Promise<boolean>
  useRecoveryCode(user: User, code: string): Promise<boolean>
  /** Throws before anything is verified. @throws Error when there is no such provider */
  requireProvider(provider: string): void
  /** Verifies the code of a provider that is available for this user, and uses up a code of a built-in one. */
  useProviderCode(user: User, sealedKey: string | null, provider: string, code: string): Promise<boolean>
}

type Context = ProviderContext & Pick<AccountContext, 'notices'>

export function createSecondFactors(
  context: Context,
  settings: TwoFactorSettings,
  added: TokenProviders,
): SecondFactors {
  const { db, clock, keys } = context
  const { windowSteps, allowCodeReuse } = settings
  const registry = createProviderRegistry(context, { windowSteps, tokenSeconds: 0 }, added)

  async function useAuthenticatorCode(userId: string, sealedKey: string | null, code: string): Promise<boolean> {
    const step = authenticatorStep(keys.vault(), clock, windowSteps, userId, sealedKey, code)
    return step !== null && (allowCodeReuse || (await useTotpStep(db, userId, step)))
  }

  const canServe = async (provider: string, user: User, sealedKey: string | null) =>
    provider === 'Authenticator' && registry.isOwn(provider)
      ? sealedKey !== null
      : registry.get(provider).canGenerate(user)

  return {
    async isRequired(user, sealedKey) {
      if (!user.twoFactorEnabled) return false
      for (const provider of registry.names) if (await canServe(provider, user, sealedKey)) return true
      return false
    },
    useAuthenticatorCode,
    useRecoveryCode: (user, code) => useRecoveryCode(context, user, code),
    requireProvider: (provider) => void registry.get(provider),
    async useProviderCode(user, sealedKey, provider, code) {
      if (!(await canServe(provider, user, sealedKey))) return false
      if (!registry.isOwn(provider)) return registry.get(provider).validate(user, twoFactorPurpose, code)
      if (provider !== 'Email' && provider !== 'Phone') return useAuthenticatorCode(user.id, sealedKey, code)
      const step = stampCodeStep(provider, user, twoFactorPurpose, code, clock())
      return (
        step !== null && (allowCodeReuse || useStampCode(db, user.id, provider, stampMark(user.securityStamp), step))
      )
    },
  }
}

/** Uses a recovery code up: of parallel uses one succeeds, and is mailed about with option `notices`. */
export async function useRecoveryCode({ db, keys, notices }: Context, user: User, code: string): Promise<boolean> {
  return (
    isRecoveryCodeShaped(code) &&
    notices.withNotice(db, 'recoveryCodeUsed', user, (place) =>
      redeemRecoveryCode(place, user.id, recoveryHash(keys.vault(), user.id, readRecoveryCode(code))),
    )
  )
}
