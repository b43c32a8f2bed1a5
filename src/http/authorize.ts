// Guards, as module functions: one that was forgotten to register answers an error, never an open door.
import type { FastifyError, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import type { Principal } from '../accounts/principal.js'
import { NotRegistered } from '../errors.js'
import { mapDatabaseError } from '../store/database.js'
import { authenticate } from './authenticate.js'
import { isSameOrigin } from './cross-origin.js'
import { answerError, problemOf, sendChallenge, sendProblem } from './problem.js'
import { findRealm, type Realm } from './realm.js'

/** An onRequest hook that Fastify's route options take; `onRequest: requireAuthorization()`. */
export type Guard = (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void

const marks = new WeakSet<object>()

/** Whether a hook is a guard of ours: for the OpenAPI document. */
export function isGuard(hook: unknown): boolean {
  return typeof hook === 'function' && marks.has(hook)
}

export interface GuardOptions {
  /** Which realm is asked, by option `decorator`. Default `'identity'`. */
  readonly decorator?: string
}

/**
 * Lets signed-in users in. Everybody else gets 401 with `WWW-Authenticate: Bearer` and no body.
 *
 * @returns a hook for `onRequest`
 * @throws FST_IDENTITY_NOT_REGISTERED per request, as 500, where the plugin is not registered in the route's scope
 * @example app.get('/orders', { onRequest: requireAuthorization() }, handler)
 */
export function requireAuthorization({ decorator = 'identity' }: GuardOptions = {}): Guard {
  const guard: Guard = (request, reply, done) => {
    const realm = findRealm(request.server, decorator)
    if (realm === null) {
      done(new NotRegistered(decorator))
      return
    }
    try {
      const answer = authenticate(realm, request, reply)
      if (!(answer instanceof Promise)) {
        enter(realm, answer, request, reply, done)
        return
      }
      answer.then((principal) => enter(realm, principal, request, reply, done)).catch((error: unknown) => fail(error, request, reply, done))
    } catch (error) {
      fail(error, request, reply, done)
    }
  }
  marks.add(guard)
  return guard
}

function enter(realm: Realm, principal: Principal | null, request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void {
  if (principal === null) {
    sendChallenge(reply)
    return
  }
  if (principal.scheme === 'cookie' && !isSameOrigin(realm, request)) {
    sendForbiddenOrigin(reply)
    return
  }
  done()
}

export function sendForbiddenOrigin(reply: FastifyReply): FastifyReply {
  return sendProblem(reply, problemOf(403, { detail: 'A request with a cookie must come from the same origin or from one of option csrf.trustedOrigins' }))
}

// What is only not available is answered here; anything else is for the error handler of the route's own scope.
function fail(thrown: unknown, request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void {
  const error = mapDatabaseError(thrown) as FastifyError // an error stays an error
  if (error.statusCode === 503) answerError(error, request, reply)
  else done(error)
}
