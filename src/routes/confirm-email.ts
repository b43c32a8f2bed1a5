// GET /confirmEmail: what the mailed link opens. Confirms an address, or with `changedEmail` sets and confirms another one. Every refusal
// is the same empty 401, without a challenge, as in the reference.
import { type Static, Type } from '@sinclair/typebox'
import { sendEmpty } from '../http/problem.js'
import type { Realm } from '../http/context.js'
import { Empty, malformed, unavailable } from './answers.js'
import type { RouteDefinition } from './route.js'

export const ConfirmEmailQuery = Type.Object({
  userId: Type.String(),
  code: Type.String(),
  changedEmail: Type.Optional(Type.String()),
})

const confirmed = {
  description: 'The address is confirmed',
  content: { 'text/plain': { schema: Type.String() } },
}

export function confirmEmail(realm: Realm): RouteDefinition {
  return {
    method: 'GET',
    url: '/confirmEmail',
    operationId: 'identityConfirmEmail',
    summary: 'Confirm an e-mail address by the code of a mail',
    query: ConfirmEmailQuery,
    response: { 200: confirmed, 400: malformed, 401: Empty('The link is not, or no longer, good'), 503: unavailable },
    async handler(request, reply) {
      const { userId, code, changedEmail } = request.query as Static<typeof ConfirmEmailQuery> // checked by the route's schema
      void reply.header('referrer-policy', 'no-referrer')
      const user = await realm.users.findById(userId)
      if (user === null) return sendEmpty(reply, 401)
      const result =
        changedEmail === undefined || changedEmail === ''
          ? await realm.users.confirmEmail(user, code)
          : await realm.users.changeEmail(user, changedEmail, code, { setUserName: realm.options.user.userNameIsEmail })
      if (!result.succeeded) return sendEmpty(reply, 401)
      return reply.header('content-type', 'text/plain; charset=utf-8').send('Thank you for confirming your email.')
    },
  }
}
