// A further proof of the caller's identity within a session (preset 'hardened'; ASVS 5.0 7.5.1): the password, or a
// code of the authenticator app. Both count like a sign-in: wrong ones lock the name, and a code is used up.
import { authenticatorKeyPlace, findUserToken } from '../../store/second-factors.js'
import type { AccountContext } from '../users/change-user.js'
import type { SecondFactors } from '../second-factor/verify.js'
import { proves, type Throttle } from '../throttle/throttle.js'
import type { User } from '../users/user.js'

export interface Reauthentication {
  byPassword(user: User, password: string): Promise<boolean>
  /**
   * The authenticator app's code. Proves the caller's identity only where the second factor is on: before that, it
   * proves that the app has the key.
   */
  byCode(user: User, code: string): Promise<boolean>
}

export function createReauthentication(
  context: AccountContext,
  secondFactors: SecondFactors,
  throttle: Throttle,
): Reauthentication {
  const { db, hasher } = context
  const { loginProvider, name } = authenticatorKeyPlace

  return {
    byPassword: (user, password) =>
      proves(throttle, db, user, async () => (await hasher.verify(user.passwordHash, password)) !== 'no'),
    byCode: (user, code) =>
      proves(throttle, db, user, async () =>
        secondFactors.useAuthenticatorCode(user.id, await findUserToken(db, user.id, loginProvider, name), code),
      ),
  }
}
