// Sessions in which another person acts for the user, such as an administrator: they have a claim `actor` of their own.
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import { callerOf, type Principal } from './principal.js'
import { sendEmpty } from './problem.js'

export interface ActingContext {
  /** The slot on a request that holds its caller. */
  readonly slot: symbol
  readonly options: { readonly sessions: { readonly actorMayManage: boolean } }
}

/** Whether the account of the caller is closed to this session. */
export function isClosedTo({ options }: ActingContext, { sessionClaims }: Principal): boolean {
  return !options.sessions.actorMayManage && sessionClaims.some(({ type }) => type === 'actor')
}

/** A hook behind the guard: 403 for such a session. */
export function closeToActors(context: ActingContext) {
  return (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void => {
    if (isClosedTo(context, callerOf(context, request))) sendEmpty(reply, 403)
    else done()
  }
}
