// POST /register: creates a user, who may log in at once unless option `signIn` says otherwise (spec: MapIdentityApi
// /register). With preset 'hardened' a taken address is answered like a free one.
import { Type } from '@sinclair/typebox'
import type { User } from '../accounts/users/user.js'
import { isEmail } from '../email/address.js'
import { confirmEmailUrl } from '../http/links.js'
import { sendEmpty, sendValidationProblem } from '../http/problem.js'
import type { Realm } from '../http/context.js'
import { Empty, invalid, unavailable, unreadable } from './answers.js'
import { holdWhileFull } from './hold-while-full.js'
import { profileFields } from './profile.js'
import { endpoint, on } from './endpoint.js'

const RegisterRequest = Type.Object(
  {
    userName: Type.Optional(Type.String({ description: 'Default: the e-mail address' })),
    // The reference reads null here and answers InvalidEmail.
    email: Type.Union([Type.String(), Type.Null()]),
    password: Type.String(),
  },
  { title: 'RegisterRequest' },
)

export const register = endpoint(
  {
    name: 'register',
    switch: {
      /**
       * `POST /register`: creates a user.
       * @default `true`
       */
      register: on(),
    },
    method: 'POST',
    path: '/register',
    auth: 'anonymous',
    summary: 'Register a user',
    description: 'Mails a confirmation link. Signs nobody in.',
    body: RegisterRequest,
    answers: { 200: Empty('The user was created'), 400: invalid, ...unreadable, 503: unavailable },
  },
  (realm: Realm) => {
    const { userNameIsEmail } = realm.options.user
    const fields = profileFields(realm)
    const { userName, ...named } = RegisterRequest.properties
    const body = { ...(!userNameIsEmail && { userName }), ...named, ...fields.request }
    const hidden = Empty('The user was created, or the address has an account, whose owner gets a mail')
    return {
      before: holdWhileFull(() => realm.isHasherBusy()),
      body: Type.Object(body, { title: 'RegisterRequest' }),
      ...(realm.enumerationSafe !== null && { answers: { 200: hidden } }),
      async handler(request, reply) {
        const { email, password } = request.body
        if (email === null || !isEmail(email)) {
          return sendValidationProblem(reply, [
            { code: 'InvalidEmail', description: realm.describe('InvalidEmail', [email ?? '']) },
          ])
        }
        const read = fields.read(request.body, true)
        if ('errors' in read) return sendValidationProblem(reply, read.errors)
        const user = {
          userName: userNameIsEmail ? email : (request.body.userName ?? email),
          email,
          profile: read.profile,
        }
        const linkOf = (created: User) =>
          [
            created,
            email,
            confirmEmailUrl(realm, request),
            realm.users.generateEmailConfirmationToken(created),
          ] as const
        const result =
          realm.enumerationSafe === null
            ? await realm.users.create(
                user,
                password,
                realm.mail.isOn ? (created) => realm.mail.confirmationMail(...linkOf(created)) : undefined,
              )
            : await realm.enumerationSafe.register(user, password, (trx, created) =>
                realm.mail.confirmationLink(trx, ...linkOf(created)),
              )
        if (!result.succeeded) return sendValidationProblem(reply, result.errors)
        realm.mail.written()
        return sendEmpty(reply, 200)
      },
    }
  },
)
