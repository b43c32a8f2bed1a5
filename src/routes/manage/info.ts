// GET /manage/info: the caller's address as the database has it now, not as the token says.
import { requireAuthorization } from '../../http/authorize.js'
import { sendEmpty } from '../../http/problem.js'
import { callerOf, type Realm } from '../../http/realm.js'
import { Empty, InfoResponse, unavailable } from '../answers.js'
import type { Door } from '../route.js'

export function getInfo(realm: Realm): Door {
  return {
    method: 'GET',
    url: '/manage/info',
    operationId: 'identityGetInfo',
    summary: 'Read the e-mail address of the caller',
    guard: requireAuthorization({ decorator: realm.options.decorator }),
    response: { 200: InfoResponse, 401: Empty('Nobody is signed in'), 404: Empty('The user no longer exists'), 503: unavailable },
    async handler(request, reply) {
      const user = await realm.users.findById(callerOf(realm, request).userId)
      if (user === null) return sendEmpty(reply, 404)
      return { email: user.email ?? '', isEmailConfirmed: user.emailConfirmed }
    },
  }
}
