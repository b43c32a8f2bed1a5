// The cookie of a machine on which people have shown their second factor and need not show it again for a while. It has a code for each of
// them, joined by dots, the newest first. A code is bound to its user and the security stamp, so that a change of password or second factor ends
// it. It does not sign anyone in.
import { secondsOf } from '../tokens/ticket.js'
import { isMarkOf } from '../tokens/fields.js'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { User } from '../accounts/users/user.js'
import { openCode, type OpenedCode, sealCode } from '../tokens/code.js'
import { keyIdOf, type SealingKey } from '../tokens/seal.js'
import { type CookieContext, cookieName, expireCookie, findCookies, sendCookie } from './cookie.js'

export interface MachineContext extends CookieContext {
  readonly options: CookieContext['options'] & { readonly twoFactor: { readonly rememberMachineSeconds: number } }
  readonly keys: CookieContext['keys'] & { find(id: number): SealingKey | null }
}

// Each takes about 100 characters of the 4 kB of a cookie; the oldest is forgotten.
const maxPeople = 10

/** Remembers the machine of this request for a user too. */
export function rememberMachine(
  context: MachineContext,
  request: FastifyRequest,
  reply: FastifyReply,
  user: Pick<User, 'id' | 'securityStamp'>,
): void {
  const now = secondsOf(context.clock())
  const text = sealCode(context.keys.sealing(), 'rememberMachine', { userId: user.id, stamp: user.securityStamp }, now)
  const others = readCodes(context, request).filter(({ userId }) => userId !== user.id)
  writeCodes(context, request, reply, [{ text, issuedAt: now }, ...others].slice(0, maxPeople))
}

/** Whether this request comes from a machine that is remembered for the user. */
export function isRememberedMachine(
  context: MachineContext,
  request: FastifyRequest,
  user: Pick<User, 'id' | 'securityStamp'>,
): boolean {
  return readCodes(context, request).some(
    ({ userId, stampMark }) => userId === user.id && isMarkOf(stampMark, user.securityStamp),
  )
}

/** Forgets the machine for one user, or for everybody. */
export function forgetMachine(
  context: MachineContext,
  request: FastifyRequest,
  reply: FastifyReply,
  forgotten?: string,
): void {
  if (!context.options.cookies) return
  const others =
    forgotten === undefined
      ? []
      : readCodes(context, request).filter(({ userId }) => userId !== forgotten.toLowerCase())
  if (others.length > 0) writeCodes(context, request, reply, others)
  else expireCookie(context, request, reply, nameOf(context, request))
}

interface MachineCode extends OpenedCode {
  readonly text: string
}

/** The codes that are not over, the newest first. */
function readCodes(context: MachineContext, request: FastifyRequest): readonly MachineCode[] {
  const values = context.options.cookies ? findCookies(request.headers.cookie, nameOf(context, request)) : []
  const now = secondsOf(context.clock())
  const { rememberMachineSeconds } = context.options.twoFactor
  return (
    values
      .map((value) => value.split('.'))
      // Only what was written here: a value with anything between, before or behind the codes is none of ours.
      .filter((texts) => texts.length <= maxPeople && texts.every((text) => keyIdOf(text, 'rememberMachine') !== null))
      .flat()
      .flatMap((text): MachineCode[] => {
        const opened = openCode((id) => context.keys.find(id), 'rememberMachine', text, now, rememberMachineSeconds)
        return opened === null ? [] : [{ ...opened, text }]
      })
      .sort((a, b) => b.issuedAt - a.issuedAt)
  )
}

function writeCodes(
  context: MachineContext,
  request: FastifyRequest,
  reply: FastifyReply,
  codes: readonly Pick<MachineCode, 'text' | 'issuedAt'>[],
): void {
  const newest = Math.max(...codes.map(({ issuedAt }) => issuedAt))
  sendCookie(
    context,
    request,
    reply,
    nameOf(context, request),
    codes.map(({ text }) => text).join('.'),
    newest + context.options.twoFactor.rememberMachineSeconds,
  )
}

function nameOf(context: MachineContext, request: FastifyRequest): string {
  return `${cookieName(context, request)}-machine`
}
