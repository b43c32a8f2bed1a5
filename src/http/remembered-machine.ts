// The cookie of a machine that has shown a second factor and need not show it again for a while. Bound to the user
// and the security stamp, so that a change of password or second factor ends it. It does not sign anyone in.
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { User } from '../accounts/users/user.js'
import { openCode, sealCode } from '../tokens/code.js'
import { isMarkOf } from '../tokens/stamp.js'
import type { Realm } from './context.js'
import { cookieName, expireCookie, findCookie, sendCookie } from './cookie.js'

export function rememberMachine(realm: Realm, request: FastifyRequest, reply: FastifyReply, user: User): void {
  const now = Math.floor(realm.clock() / 1000)
  const value = sealCode(realm.keys.sealing(), 'rememberMachine', { userId: user.id, stamp: user.securityStamp }, now)
  sendCookie(realm, request, reply, nameOf(realm, request), value, now + realm.options.twoFactor.rememberMachineSeconds)
}

/** Whether this request comes from a machine that is remembered for the user. */
export function isRememberedMachine(realm: Realm, request: FastifyRequest, user: User): boolean {
  const value = realm.options.cookies ? findCookie(request.headers.cookie, nameOf(realm, request)) : null
  const now = Math.floor(realm.clock() / 1000)
  const opened =
    value === null
      ? null
      : openCode(
          (id) => realm.keys.find(id),
          'rememberMachine',
          value,
          now,
          realm.options.twoFactor.rememberMachineSeconds,
        )
  return opened !== null && opened.userId === user.id && isMarkOf(opened.stampMark, user.securityStamp)
}

export function forgetMachine(realm: Realm, request: FastifyRequest, reply: FastifyReply): void {
  if (realm.options.cookies) expireCookie(realm, request, reply, nameOf(realm, request))
}

function nameOf(realm: Realm, request: FastifyRequest): string {
  return `${cookieName(realm, request)}-machine`
}
