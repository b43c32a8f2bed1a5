// POST /register: creates a user, who may log in at once unless option `signIn` says otherwise (spec: MapIdentityApi
// /register). With preset 'hardened' a taken address is answered like a free one.
import { type Static, Type } from '@sinclair/typebox'
import { withoutBlanksAround } from '../http/json-schema.js'
import type { MailWriter } from '../accounts/mail/outbox.js'
import type { Registration, UserManager } from '../accounts/managers/user-manager.js'
import type { EnumerationSafeAccounts } from '../accounts/users/enumeration-safe.js'
import type { User } from '../accounts/users/user.js'
import type { ErrorDescriber } from '../errors.js'
import type { QueuedHasher } from '../passwords/hasher.js'
import { isEmail } from '../email/address.js'
import { documentedType } from '../http/document-schemas.js'
import { confirmEmailUrl, type LinkContext } from '../http/links.js'
import { sendEmpty, sendValidationProblem } from '../http/problem.js'
import { busy, Empty, refused, unreadable } from './answers.js'
import { holdWhileFull } from './hold-while-full.js'
import { type ProfileContext, profileFields } from './profile.js'
import { endpoint, on } from './endpoint.js'

const RegisterRequest = Type.Object(
  {
    // The reference reads null here and answers InvalidEmail.
    email: Type.Union([Type.String(), Type.Null()], { [documentedType]: 'string' }),
    password: Type.String(),
  },
  { title: 'RegisterRequest' },
)

// Where the user name is not the address.
const NamedRegisterRequest = Type.Object(
  {
    userName: Type.Optional(Type.String({ description: 'Default: the e-mail address' })),
    ...RegisterRequest.properties,
  },
  { title: 'RegisterRequest' },
)

interface RegisterNeeds extends LinkContext, ProfileContext {
  readonly options: LinkContext['options'] &
    ProfileContext['options'] & { readonly user: { readonly userNameIsEmail: boolean } }
  readonly users: Registration & Pick<UserManager, 'generateEmailConfirmationToken'>
  /** Registers without an answer that depends on who has an account; null where the answer is the reference's. */
  readonly enumerationSafe: Pick<EnumerationSafeAccounts, 'register'> | null
  readonly mail: Pick<MailWriter, 'isOn' | 'confirmationMail' | 'written'>
  readonly hasher: Pick<QueuedHasher, 'busy'>
  readonly describe: ErrorDescriber
}

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
    answers: {
      200: Empty('The user was created; a confirmation link is mailed'),
      400: refused('The address or password breaks a rule, or the name is taken'),
      ...unreadable,
      503: busy,
    },
  },
  (needs: RegisterNeeds) => {
    const { userNameIsEmail } = needs.options.user
    const fields = profileFields(needs)
    const { properties } = userNameIsEmail ? RegisterRequest : NamedRegisterRequest
    const hidden = Empty('The user was created, or the address has an account, whose owner gets a mail')
    return {
      before: holdWhileFull(() => needs.hasher.busy),
      body: Type.Object({ ...properties, ...fields.request }, { title: 'RegisterRequest' }),
      ...(needs.enumerationSafe !== null && { answers: { 200: hidden } }),
      async handler(request, reply) {
        const { userName, password }: Static<typeof NamedRegisterRequest> = request.body
        const email = request.body.email === null ? null : withoutBlanksAround(request.body.email)
        if (email === null || !isEmail(email)) {
          return sendValidationProblem(reply, [
            { code: 'InvalidEmail', description: needs.describe('InvalidEmail', [request.body.email ?? '']) },
          ])
        }
        const read = fields.read(request.body, true)
        if ('errors' in read) return sendValidationProblem(reply, read.errors)
        const user = {
          userName: userNameIsEmail ? email : (userName ?? email),
          email,
          profile: read.profile,
        }
        const confirmation = (created: User) =>
          needs.mail.confirmationMail(
            created,
            email,
            confirmEmailUrl(needs, request),
            needs.users.generateEmailConfirmationToken(created),
          )
        const mail = needs.mail.isOn ? confirmation : undefined
        const result =
          needs.enumerationSafe === null
            ? await needs.users.create(user, password, mail)
            : await needs.enumerationSafe.register(user, password, mail)
        if (!result.succeeded) return sendValidationProblem(reply, result.errors)
        needs.mail.written()
        return sendEmpty(reply, 200)
      },
    }
  },
)
