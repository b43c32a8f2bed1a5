// POST /resetPassword: a new password for who holds a mailed code. An unknown or unconfirmed user, and every fault of a code, is the same
// InvalidToken; nothing is said about the password before the code was good.
import { type Static, Type } from '@sinclair/typebox'
import { sendEmpty, sendValidationProblem } from '../http/problem.js'
import type { Realm } from '../http/context.js'
import { Empty, invalid, unavailable, unreadable } from './answers.js'
import type { RouteDefinition } from './route.js'

export const ResetPasswordRequest = Type.Object({
  email: Type.String(),
  resetCode: Type.String(),
  newPassword: Type.String(),
})

export function resetPassword(realm: Realm): RouteDefinition {
  return {
    method: 'POST',
    url: '/resetPassword',
    operationId: 'identityResetPassword',
    summary: 'Set a new password by the code of a mail',
    description: 'Ends all sessions of the user.',
    body: ResetPasswordRequest,
    response: { 200: Empty('The password was set'), 400: invalid, ...unreadable, 503: unavailable },
    async handler(request, reply) {
      const { email, resetCode, newPassword } = request.body as Static<typeof ResetPasswordRequest> // checked by the route's schema
      // Of users who share an address the code names one.
      for (const user of await realm.users.findAllByEmail(email)) {
        if (!user.emailConfirmed) continue
        const result = await realm.users.resetPassword(user, resetCode, newPassword)
        if (result.succeeded) return sendEmpty(reply, 200)
        if (!result.errors.some(({ code }) => code === 'InvalidToken'))
          return sendValidationProblem(reply, result.errors)
      }
      return sendValidationProblem(reply, [{ code: 'InvalidToken', description: realm.describe('InvalidToken', []) }])
    },
  }
}
