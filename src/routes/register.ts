// POST /register: a new user who may log in at once unless option `signIn` says otherwise (spec: MapIdentityApi /register).
import { type Static, Type } from '@sinclair/typebox'
import { isEmail } from '../email/address.js'
import { confirmEmailUrl } from '../http/links.js'
import { sendEmpty, sendValidationProblem } from '../http/problem.js'
import type { Realm } from '../http/realm.js'
import { Empty, invalid, unavailable, unreadable } from './answers.js'
import type { Door } from './route.js'

const RegisterRequest = Type.Object({
  // The reference reads null here and answers InvalidEmail.
  email: Type.Union([Type.String(), Type.Null()]),
  password: Type.String(),
})

export function register(realm: Realm): Door {
  return {
    method: 'POST',
    url: '/register',
    operationId: 'identityRegister',
    summary: 'Register a user',
    body: RegisterRequest,
    response: { 200: Empty('The user was created'), 400: invalid, ...unreadable, 503: unavailable },
    async handler(request, reply) {
      const { email, password } = request.body as Static<typeof RegisterRequest> // checked by the route's schema
      if (email === null || !isEmail(email)) {
        return sendValidationProblem(reply, [{ code: 'InvalidEmail', description: realm.describe('InvalidEmail', [email ?? '']) }])
      }
      const result = await realm.users.create({ userName: email, email }, password, realm.mail.isOn ? (trx, user) => realm.mail.confirmationLink(
        trx, user, email, confirmEmailUrl(realm, request), realm.users.generateEmailConfirmationToken(user)) : undefined)
      if (result.succeeded) realm.mail.written()
      return result.succeeded ? sendEmpty(reply, 200) : sendValidationProblem(reply, result.errors)
    },
  }
}
