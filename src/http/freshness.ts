// What may only be changed by who has proved lately who they are (preset 'hardened'; ASVS 5.0 7.5.1): the age of a sign-in, and the challenge
// for one that is too old (RFC 9470). A refresh proves nothing anew.
import type { FastifyReply, FastifyRequest } from 'fastify'
import { problemOf, sendProblem } from './problem.js'
import { callerOf, type Realm } from './context.js'

/** How old a sign-in may be. */
export const freshSeconds = 300

/** Whether this caller may change what is sensitive as they are: always where the answer is the reference's. */
export function isFresh(realm: Realm, request: FastifyRequest): boolean {
  return (
    realm.reauthentication === null || realm.clock() <= callerOf(realm, request).authenticatedAt + freshSeconds * 1000
  )
}

/** 401: sign in again. In the body too, since a page of another origin does not see the header. */
export function sendStale(reply: FastifyReply): FastifyReply {
  const challenge = `Bearer error="insufficient_user_authentication", error_description="A more recent sign-in is required", max_age="${freshSeconds}"`
  return sendProblem(
    reply.header('www-authenticate', challenge),
    problemOf(401, { detail: 'ReauthenticationRequired' }),
  )
}
