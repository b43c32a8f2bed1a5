// POST /resetPassword: sets a password by a mailed code. An unknown or unconfirmed user, and every fault of a code,
// get the same InvalidToken; the password is checked only after the code.
import { Type } from '@sinclair/typebox'
import { withoutBlanksAround } from '../http/json-schema.js'
import { sendEmpty, sendValidationProblem } from '../http/problem.js'
import type { UserManager } from '../accounts/managers/user-manager.js'
import type { ErrorDescriber } from '../errors.js'
import { busy, Empty, refused, unreadable } from './answers.js'
import { endpoint, on } from './endpoint.js'

const ResetPasswordRequest = Type.Object(
  {
    email: Type.String(),
    resetCode: Type.String(),
    newPassword: Type.String(),
  },
  { title: 'ResetPasswordRequest' },
)

interface ResetPasswordNeeds {
  readonly users: Pick<UserManager, 'findAllByEmail' | 'resetPassword'>
  readonly describe: ErrorDescriber
}

export const resetPassword = endpoint(
  {
    name: 'resetPassword',
    switch: {
      /**
       * `POST /resetPassword`: sets a password by a mailed code.
       * @default `true`
       */
      resetPassword: on(),
    },
    method: 'POST',
    path: '/resetPassword',
    auth: 'anonymous',
    summary: 'Set a new password by the code of a mail',
    description: 'Ends all sessions of the user, and a lockout.',
    body: ResetPasswordRequest,
    answers: {
      200: Empty('The new password is set, and all sessions of the user have ended'),
      400: refused(
        'The code is wrong, expired or used up, no user has this address and has confirmed it, or the new password breaks a rule',
      ),
      ...unreadable,
      503: busy,
    },
  },
  ({ users, describe }: ResetPasswordNeeds) => ({
    async handler(request, reply) {
      const { email, resetCode, newPassword } = request.body
      // The code names one of the users who share an address.
      for (const user of await users.findAllByEmail(withoutBlanksAround(email))) {
        if (!user.emailConfirmed) continue
        const result = await users.resetPassword(user, resetCode, newPassword)
        if (result.succeeded) return sendEmpty(reply, 200)
        if (!result.errors.some(({ code }) => code === 'InvalidToken'))
          return sendValidationProblem(reply, result.errors)
      }
      return sendValidationProblem(reply, [{ code: 'InvalidToken', description: describe('InvalidToken', []) }])
    },
  }),
)
