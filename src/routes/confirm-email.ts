// GET /confirmEmail, the target of mailed links. Confirms an address, or with `changedEmail` sets and confirms
// another one. Every refusal is the same empty 401, without a challenge, as in the reference.
import { Type } from '@sinclair/typebox'
import { sendRefusal } from '../http/problem.js'
import type { UserManager } from '../accounts/managers/user-manager.js'
import { Empty, malformed, unavailable } from './answers.js'
import { endpoint, on } from './endpoint.js'

const ConfirmEmailQuery = Type.Object({
  userId: Type.String(),
  code: Type.String(),
  changedEmail: Type.Optional(Type.String()),
})

const confirmed = {
  description: 'The address is confirmed, and with changedEmail it is the address of the user',
  content: { 'text/plain': { schema: Type.String() } },
}

interface ConfirmEmailNeeds {
  readonly users: Pick<UserManager, 'findById' | 'confirmEmail' | 'changeEmail'>
  readonly options: { readonly user: { readonly userNameIsEmail: boolean } }
}

export const confirmEmail = endpoint(
  {
    name: 'confirmEmail',
    switch: {
      /**
       * `GET /confirmEmail`: confirms an address by a mailed link.
       * @default `true`
       */
      confirmEmail: on(),
    },
    method: 'GET',
    path: '/confirmEmail',
    auth: 'anonymous',
    summary: 'Confirm an e-mail address by the code of a mail',
    description: 'With changedEmail: sets that address, and the user name with it where the two are the same.',
    query: ConfirmEmailQuery,
    answers: {
      200: confirmed,
      400: malformed('userId or code is missing'),
      401: Empty('The link is wrong or expired, of a user who is gone, or a later one has replaced it'),
      503: unavailable,
    },
  },
  ({ users, options }: ConfirmEmailNeeds) => ({
    async handler(request, reply) {
      const { userId, code, changedEmail } = request.query
      void reply.header('referrer-policy', 'no-referrer')
      const user = await users.findById(userId)
      if (user === null) return sendRefusal(reply, 401, 'codeRefused')
      const result =
        changedEmail === undefined || changedEmail === ''
          ? await users.confirmEmail(user, code)
          : await users.changeEmail(user, changedEmail, code, { setUserName: options.user.userNameIsEmail })
      if (!result.succeeded) return sendRefusal(reply, 401, 'codeRefused')
      return reply.header('content-type', 'text/plain; charset=utf-8').send('Thank you for confirming your email.')
    },
  }),
)
