// POST /register: a new user who may log in at once unless option `signIn` says otherwise (spec: MapIdentityApi /register). With preset
// 'hardened' a taken address is answered as a free one.
import { type Static, Type } from '@sinclair/typebox'
import type { User } from '../accounts/users/user.js'
import { isEmail } from '../email/address.js'
import { confirmEmailUrl } from '../http/links.js'
import { sendEmpty, sendValidationProblem } from '../http/problem.js'
import type { Realm } from '../http/context.js'
import type { Db } from '../store/transaction.js'
import { Empty, invalid, unavailable, unreadable } from './answers.js'
import { floodGate } from './flood-gate.js'
import { profileFields } from './profile.js'
import type { RouteDefinition } from './route.js'

export const RegisterRequest = Type.Object({
  // The reference reads null here and answers InvalidEmail.
  email: Type.Union([Type.String(), Type.Null()]),
  password: Type.String(),
})

export function register(realm: Realm): RouteDefinition {
  const { userNameIsEmail } = realm.options.user
  const fields = profileFields(realm)
  const userName = userNameIsEmail
    ? {}
    : { userName: Type.Optional(Type.String({ description: 'Default: the e-mail address' })) }
  const created =
    realm.hidden === null
      ? 'The user was created'
      : 'The user was created, or the address has an account, whose owner gets a mail'
  return {
    method: 'POST',
    url: '/register',
    operationId: 'identityRegister',
    summary: 'Register a user',
    before: floodGate(() => realm.isHasherBusy()),
    body: Type.Object({ ...userName, ...RegisterRequest.properties, ...fields.request }),
    response: { 200: Empty(created), 400: invalid, ...unreadable, 503: unavailable },
    async handler(request, reply) {
      const body = request.body as Static<typeof RegisterRequest> & { userName?: string } // checked by the route's schema
      const { email, password } = body
      if (email === null || !isEmail(email)) {
        return sendValidationProblem(reply, [
          { code: 'InvalidEmail', description: realm.describe('InvalidEmail', [email ?? '']) },
        ])
      }
      const read = fields.read(body, true)
      if ('errors' in read) return sendValidationProblem(reply, read.errors)
      const user = { userName: userNameIsEmail ? email : (body.userName ?? email), email, profile: read.profile }
      const confirm = (trx: Db, created: User) =>
        realm.mail.confirmationLink(
          trx,
          created,
          email,
          confirmEmailUrl(realm, request),
          realm.users.generateEmailConfirmationToken(created),
        )
      const result =
        realm.hidden === null
          ? await realm.users.create(user, password, realm.mail.isOn ? confirm : undefined)
          : await realm.hidden.register(user, password, confirm)
      if (!result.succeeded) return sendValidationProblem(reply, result.errors)
      realm.mail.written()
      return sendEmpty(reply, 200)
    },
  }
}
