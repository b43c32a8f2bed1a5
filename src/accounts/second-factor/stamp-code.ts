// The reference's stamp-based codes: six digits under the user's security stamp, as in its e-mail and phone
// providers. A code is valid for six to nine minutes, and until the stamp changes.
import type { UserRecord } from '../../store/users.js'
import {
  emailModifier,
  phoneModifier,
  stampKey,
  stampStepSeconds,
  stampWindowSteps,
} from '../../two-factor/stamp-totp.js'
import { totpCode, totpStep, verifyTotp } from '../../two-factor/totp.js'

export type StampProvider = 'Email' | 'Phone'

function modifierOf(provider: StampProvider, user: UserRecord, purpose: string): string {
  return provider === 'Email'
    ? emailModifier(purpose, user.email ?? '')
    : phoneModifier(purpose, user.phoneNumber ?? '')
}

export function stampCode(provider: StampProvider, user: UserRecord, purpose: string, nowMilliseconds: number): string {
  return totpCode(
    stampKey(user.securityStamp),
    totpStep(nowMilliseconds, stampStepSeconds),
    modifierOf(provider, user, purpose),
  )
}

/** The step of three minutes of this code; null for a wrong one. */
export function stampCodeStep(
  provider: StampProvider,
  user: UserRecord,
  purpose: string,
  code: string,
  nowMilliseconds: number,
): number | null {
  return verifyTotp(stampKey(user.securityStamp), code, nowMilliseconds, {
    windowSteps: stampWindowSteps,
    stepSeconds: stampStepSeconds,
    modifier: modifierOf(provider, user, purpose),
  })
}

/** Whether the provider can reach this user: the address or number exists and is confirmed. */
export function canReach(provider: StampProvider, user: UserRecord): boolean {
  return provider === 'Email'
    ? user.emailConfirmed && (user.email ?? '').trim() !== ''
    : user.phoneNumberConfirmed && (user.phoneNumber ?? '').trim() !== ''
}
