// Sensitive changes need a recent sign-in (preset 'hardened'; ASVS 5.0 7.5.1): its age, and the challenge when it is
// too old (RFC 9470). A refresh does not count as a sign-in.
import type { FastifyReply } from 'fastify'
import { problemOf, sendProblem } from './problem.js'
import type { Principal } from './principal.js'
import { logRefusal } from './refusals.js'

/** The greatest age of a sign-in. */
export const freshSeconds = 300

/** Whether a caller may make a sensitive change without a further proof. */
export function isFresh({ authenticatedAt }: Principal, now: number): boolean {
  return now <= authenticatedAt + freshSeconds * 1000
}

/** 401: sign in again. The word is also in the body, since a page of another origin cannot read the header. */
export function sendStale(reply: FastifyReply): FastifyReply {
  logRefusal(reply.request, 'signInStale')
  const challenge = `Bearer error="insufficient_user_authentication", error_description="A more recent sign-in is required", max_age="${freshSeconds}"`
  return sendProblem(
    reply.header('www-authenticate', challenge),
    problemOf(401, { detail: 'ReauthenticationRequired' }),
  )
}
