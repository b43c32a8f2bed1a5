// The cookie of a machine that has shown a second factor and need not show it again for a while. Bound to the user
// and the security stamp, so that a change of password or second factor ends it. It does not sign anyone in.
import { secondsOf } from '../tokens/ticket.js'
import { isMarkOf } from '../tokens/fields.js'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { User } from '../accounts/users/user.js'
import { openCode, sealCode } from '../tokens/code.js'
import type { SealingKey } from '../tokens/seal.js'
import { type CookieContext, cookieName, expireCookie, findCookies, sendCookie } from './cookie.js'

export interface MachineContext extends CookieContext {
  readonly options: CookieContext['options'] & { readonly twoFactor: { readonly rememberMachineSeconds: number } }
  readonly keys: CookieContext['keys'] & { find(id: number): SealingKey | null }
}

export function rememberMachine(
  context: MachineContext,
  request: FastifyRequest,
  reply: FastifyReply,
  user: User,
): void {
  const now = secondsOf(context.clock())
  const value = sealCode(context.keys.sealing(), 'rememberMachine', { userId: user.id, stamp: user.securityStamp }, now)
  sendCookie(
    context,
    request,
    reply,
    nameOf(context, request),
    value,
    now + context.options.twoFactor.rememberMachineSeconds,
  )
}

/** Whether this request comes from a machine that is remembered for the user. */
export function isRememberedMachine(context: MachineContext, request: FastifyRequest, user: User): boolean {
  const values = context.options.cookies ? findCookies(request.headers.cookie, nameOf(context, request)) : []
  const now = secondsOf(context.clock())
  const { rememberMachineSeconds } = context.options.twoFactor
  return values.some((value) => {
    const opened = openCode((id) => context.keys.find(id), 'rememberMachine', value, now, rememberMachineSeconds)
    return opened !== null && opened.userId === user.id && isMarkOf(opened.stampMark, user.securityStamp)
  })
}

export function forgetMachine(context: MachineContext, request: FastifyRequest, reply: FastifyReply): void {
  if (context.options.cookies) expireCookie(context, request, reply, nameOf(context, request))
}

function nameOf(context: MachineContext, request: FastifyRequest): string {
  return `${cookieName(context, request)}-machine`
}
