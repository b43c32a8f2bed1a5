// Guards, as module functions: one that was forgotten to register answers an error, never an open door.
import type { FastifyError, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import type { Principal } from '../accounts/principal.js'
import { NotRegistered, UnknownPolicy } from '../errors.js'
import { mapDatabaseError } from '../store/database.js'
import { authenticate } from './authenticate.js'
import { isSameOrigin } from './cross-origin.js'
import { answerError, problemOf, sendChallenge, sendEmpty, sendProblem } from './problem.js'
import { findRealm, type Realm } from './realm.js'

/** An onRequest hook that Fastify's route options take; `onRequest: requireAuthorization()`. */
export type Guard = (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void

/** A rule of the application: whether this caller may make this request. */
export type Policy = (principal: Principal, request: FastifyRequest) => boolean | Promise<boolean>

/** What a caller must have, all of it; of a list, any. */
export interface Requirements {
  /** Any of these roles. Compared exactly. */
  readonly roles?: readonly string[]
  /** Claims by type: with this value, any of these values, or any value at all (`true`). Compared exactly. */
  readonly claims?: Readonly<Record<string, string | readonly string[] | true>>
  /** A policy of option `authorization.policies` by its name. */
  readonly policy?: string
  /** Any of these methods of authentication: `mfa` asks for a second factor. */
  readonly amr?: readonly string[]
  /** How long ago the credentials may have been proved, in seconds; a refresh proves nothing anew. */
  readonly maxAgeSeconds?: number
  /** Which realm is asked, by option `decorator`. Default `'identity'`. */
  readonly decorator?: string
}

/** The names under which guards appear among an application's hooks. */
export const guardName = 'identityGuard'
export const anonymousName = 'identityAnonymous'

const required = new WeakMap<object, Requirements>()

/** What a hook requires, if it is a guard of ours. */
export function requirementsOf(hook: unknown): Requirements | null {
  return typeof hook === 'function' ? required.get(hook) ?? null : null
}

/**
 * Lets in who is signed in and meets the requirements; a name alone is a policy's. Nobody signed in: 401 with `WWW-Authenticate: Bearer`;
 * signed in but not allowed: 403; both without a body. With a cookie, an unsafe request must come from the same origin (option `csrf`).
 *
 * @returns a hook for `onRequest`, of a route or of a scope
 * @throws FST_IDENTITY_NOT_REGISTERED per request, as 500, where the plugin is not registered in the route's scope
 * @example app.get('/orders', { onRequest: requireAuthorization({ roles: ['clerk'] }) }, handler)
 */
export function requireAuthorization(requirements: Requirements | string = {}): Guard {
  const rules = typeof requirements === 'string' ? { policy: requirements } : requirements
  const guard: Guard = function identityGuard(request, reply, done) {
    ask(rules, request, reply, done, (realm, principal) => {
      if (principal === null) sendChallenge(reply)
      else if (principal.scheme === 'cookie' && !isSameOrigin(realm, request)) sendForbiddenOrigin(reply)
      else decide(meets(realm, rules, principal, request), request, reply, done)
    })
  }
  required.set(guard, rules)
  return guard
}

/**
 * Says that a route is open to everybody, for option `authorization.explicit`, and reads who is calling where somebody is signed in.
 *
 * @returns a hook for `onRequest`
 */
export function allowAnonymous({ decorator }: { decorator?: string } = {}): Guard {
  return function identityAnonymous(request, reply, done) {
    ask(decorator === undefined ? {} : { decorator }, request, reply, done, () => done())
  }
}

function ask(
  { decorator = 'identity' }: Requirements, request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction,
  enter: (realm: Realm, principal: Principal | null) => void,
): void {
  const realm = findRealm(request.server, decorator)
  if (realm === null) {
    done(new NotRegistered(decorator))
    return
  }
  try {
    const answer = authenticate(realm, request, reply)
    if (answer instanceof Promise) answer.then((principal) => enter(realm, principal)).catch((error: unknown) => fail(error, request, reply, done))
    else enter(realm, answer)
  } catch (error) {
    fail(error, request, reply, done)
  }
}

function meets(realm: Realm, rules: Requirements, principal: Principal, request: FastifyRequest): boolean | Promise<boolean> {
  const { roles, claims = {}, amr, maxAgeSeconds, policy } = rules
  if (roles !== undefined && !roles.some((role) => principal.isInRole(role))) return false
  if (amr !== undefined && !amr.some((method) => principal.amr.includes(method))) return false
  if (maxAgeSeconds !== undefined && realm.clock() > principal.authenticatedAt + maxAgeSeconds * 1000) return false
  const isClaimed = Object.entries(claims).every(([type, wanted]) => wanted === true ? principal.hasClaim(type)
    : [wanted].flat().some((value) => principal.hasClaim(type, value)))
  if (!isClaimed) return false
  if (policy === undefined) return true
  const rule = realm.options.authorization.policies[policy]
  if (rule === undefined) throw new UnknownPolicy(policy)
  return rule(principal, request)
}

function decide(allowed: boolean | Promise<boolean>, request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void {
  if (typeof allowed === 'boolean') {
    if (allowed) done()
    else sendEmpty(reply, 403)
    return
  }
  // A policy that fails is an error, not a yes.
  allowed.then((answer) => decide(answer, request, reply, done)).catch((error: unknown) => fail(error, request, reply, done))
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
