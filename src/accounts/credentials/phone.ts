// Phone numbers. The host sends the six digits and passes back what the user typed. The form of a number is not
// checked; a host that wants one form must bring numbers into it first.
import { failed, type IdentityResult } from '../../errors.js'
import { type AccountContext, changeUser } from '../users/change-user.js'
import { stampCode, stampCodeStep } from '../second-factor/stamp-code.js'
import { isStorable } from '../users/storable.js'
import { proves, type Throttle } from '../throttle/throttle.js'
import type { User } from '../users/user.js'

/** Phone numbers, and the codes that confirm them. */
export interface PhoneManager {
  /** The number of `user`, as the object has it; null without one. */
  getPhoneNumber(user: User): string | null
  /** Whether the number is confirmed, as the object has it. */
  isPhoneNumberConfirmed(user: User): boolean
  /**
   * Sets another number, not confirmed. Rotates the stamp; sessions go on.
   *
   * @returns DefaultError for more than 256 characters or a NUL; ConcurrencyFailure
   */
  setPhoneNumber(user: User, phoneNumber: string | null): Promise<IdentityResult>
  /** Six digits for `changePhoneNumber`, good for six to nine minutes and until the security stamp changes. Rotates no stamp. */
  generateChangePhoneNumberToken(user: User, phoneNumber: string): string
  /**
   * Whether the code belongs to this user and number and is valid. Does not count attempts: `changePhoneNumber` does.
   */
  verifyChangePhoneNumberToken(user: User, token: string, phoneNumber: string): boolean
  /**
   * Sets and confirms a number by its code; a wrong one counts as a failed sign-in, and while the user is locked out none is right.
   * Rotates the stamp, so that the code works once; sessions go on.
   *
   * @returns InvalidToken, ConcurrencyFailure
   */
  changePhoneNumber(user: User, phoneNumber: string, token: string): Promise<IdentityResult>
}

const maxLength = 256

export function createPhoneManager(context: AccountContext, throttle: Throttle): PhoneManager {
  const { db, clock, describe } = context
  const purposeOf = (phoneNumber: string) => `ChangePhoneNumber:${phoneNumber}`
  const verify: PhoneManager['verifyChangePhoneNumberToken'] = (user, token, phoneNumber) =>
    isStorable(phoneNumber, maxLength) && stampCodeStep('Phone', user, purposeOf(phoneNumber), token, clock()) !== null

  return {
    getPhoneNumber: (user) => user.phoneNumber,
    isPhoneNumberConfirmed: (user) => user.phoneNumberConfirmed,
    async setPhoneNumber(user, phoneNumber) {
      if (phoneNumber !== null && !isStorable(phoneNumber, maxLength))
        return failed(describe, [{ code: 'DefaultError' }])
      return changeUser(context, user, { phoneNumber, phoneNumberConfirmed: false }, { rotateStamp: true })
    },
    generateChangePhoneNumberToken: (user, phoneNumber) => stampCode('Phone', user, purposeOf(phoneNumber), clock()),
    verifyChangePhoneNumberToken: verify,
    async changePhoneNumber(user, phoneNumber, token) {
      const isRight = () => Promise.resolve(verify(user, token, phoneNumber))
      if (!(await proves(throttle, db, user, isRight))) return failed(describe, [{ code: 'InvalidToken' }])
      return changeUser(context, user, { phoneNumber, phoneNumberConfirmed: true }, { rotateStamp: true })
    },
  }
}
