// POST /manage/2fa: sets up, switches on and off, and resets the second factor, in the reference's order of steps.
// The body is at least `{}`. With preset 'hardened' a change needs a fresh proof, and the key is not shown once the
// second factor is on (ASVS 5.0 7.5.1).
import { Type } from '@sinclair/typebox'
import { isGiven } from '../../absent.js'
import type { User } from '../../accounts/users/user.js'
import type { ErrorCode, ErrorDescriber } from '../../errors.js'
import { isFresh, sendStale } from '../../http/freshness.js'
import { sendRefusal, sendValidationProblem } from '../../http/problem.js'
import type { AuthenticationContext } from '../../http/authenticate.js'
import { callerOf } from '../../http/principal.js'
import type { UserManager } from '../../accounts/managers/user-manager.js'
import type { Reauthentication } from '../../accounts/sign-in/reauthentication.js'
import { forgetMachine, isRememberedMachine, type MachineContext } from '../../http/remembered-machine.js'
import {
  answer,
  closed,
  crowded,
  gone,
  nobody,
  refused,
  staleSignIn,
  TwoFactorResponse,
  unreadable,
} from '../answers.js'
import { endpoint, on } from '../endpoint.js'

const TwoFactorRequest = Type.Object(
  {
    enable: Type.Optional(Type.Union([Type.Boolean(), Type.Null()], { description: 'true needs twoFactorCode' })),
    twoFactorCode: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    resetSharedKey: Type.Optional(Type.Boolean()),
    resetRecoveryCodes: Type.Optional(Type.Boolean()),
    forgetMachine: Type.Optional(Type.Boolean()),
  },
  { title: 'TwoFactorRequest' },
)

// As many as in the reference.
const recoveryCodes = 10

interface TwoFactorNeeds extends MachineContext, Pick<AuthenticationContext, 'slot'> {
  readonly users: Pick<
    UserManager,
    | 'findById'
    | 'setTwoFactorEnabled'
    | 'getAuthenticatorKey'
    | 'resetAuthenticatorKey'
    | 'countRecoveryCodes'
    | 'generateNewTwoFactorRecoveryCodes'
  >
  /** Proves the caller's identity once more before a change; null where the reference asks for nothing. */
  readonly reauthentication: Pick<Reauthentication, 'byCode'> | null
  /** Verifies the code that switches the second factor on: a wrong one counts as a failed sign-in, and a right one is used up. */
  readonly codeProof: Pick<Reauthentication, 'byCode'>
  readonly describe: ErrorDescriber
}

export const twoFactor = endpoint(
  {
    name: 'twoFactor',
    switch: {
      /**
       * `POST /manage/2fa`: sets up the second factor.
       * @default `true`
       */
      twoFactor: on(),
    },
    method: 'POST',
    path: '/manage/2fa',
    auth: 'signedIn',
    summary: 'Set up the second factor of the caller',
    description:
      'Shows it, switches it on or off, and resets its key and codes; {} shows it. On or off ends the other sessions.',
    body: TwoFactorRequest,
    answers: {
      200: answer('The second factor as it is after the request', TwoFactorResponse),
      400: refused(
        'twoFactorCode is wrong or missing, or the key is to be reset and the second factor enabled at once',
      ),
      401: nobody,
      403: closed,
      404: gone,
      ...unreadable,
      503: crowded,
    },
  },
  (needs: TwoFactorNeeds) => {
    const isKeyHidden = (user: User) => needs.reauthentication !== null && user.twoFactorEnabled
    return {
      ...(needs.reauthentication !== null && { answers: { 401: staleSignIn } }),
      async handler(request, reply) {
        const { enable, twoFactorCode, resetSharedKey, resetRecoveryCodes, ...more } = request.body
        const { users, reauthentication } = needs
        const caller = callerOf(needs, request)
        const { userId, sessionId } = caller
        const refuse = (code: ErrorCode) =>
          sendValidationProblem(reply, [{ code, description: needs.describe(code, []) }])
        const user = await users.findById(userId)
        if (user === null) return sendRefusal(reply, 404, 'userGone')
        const isMachineRemembered = isRememberedMachine(needs, request, user)
        const isChange = typeof enable === 'boolean' || resetSharedKey === true || resetRecoveryCodes === true
        let isProven = false
        if (isChange && reauthentication !== null && !isFresh(caller, needs.clock())) {
          if (!user.twoFactorEnabled || !isGiven(twoFactorCode)) return sendStale(reply)
          if (!(await reauthentication.byCode(user, twoFactorCode))) return refuse('InvalidTwoFactorCode')
          isProven = true
        }

        if (enable === true) {
          if (resetSharedKey === true) return refuse('CannotResetSharedKeyAndEnable')
          if (!isGiven(twoFactorCode)) return refuse('RequiresTwoFactor')
          if (!isProven && !(await needs.codeProof.byCode(user, twoFactorCode))) return refuse('InvalidTwoFactorCode')
          const result = await users.setTwoFactorEnabled(user, true, { keepSessionId: sessionId })
          if (!result.succeeded) return sendValidationProblem(reply, result.errors)
        } else if (enable === false || resetSharedKey === true) {
          const result = await users.setTwoFactorEnabled(user, false, { keepSessionId: sessionId })
          if (!result.succeeded) return sendValidationProblem(reply, result.errors)
        }
        if (resetSharedKey === true || (await users.getAuthenticatorKey(user)) === null) {
          const result = await users.resetAuthenticatorKey(user, { keepSessionId: sessionId })
          // Of two first requests at once the other one may have made the key.
          const isMade =
            !result.succeeded && resetSharedKey !== true && (await users.getAuthenticatorKey(user)) !== null
          if (!result.succeeded && !isMade) return sendValidationProblem(reply, result.errors)
        }
        const isFirst = enable === true && (await users.countRecoveryCodes(user)) === 0
        const codes =
          resetRecoveryCodes === true || isFirst
            ? await users.generateNewTwoFactorRecoveryCodes(user, recoveryCodes)
            : null
        if (more.forgetMachine === true) forgetMachine(needs, request, reply, userId)
        return {
          sharedKey: isKeyHidden(user) ? '' : ((await users.getAuthenticatorKey(user)) ?? ''),
          recoveryCodesLeft: codes?.length ?? (await users.countRecoveryCodes(user)),
          recoveryCodes: codes,
          isTwoFactorEnabled: user.twoFactorEnabled,
          isMachineRemembered,
        }
      },
    }
  },
)
