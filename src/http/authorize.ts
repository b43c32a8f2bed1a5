// Guards. They are module functions, so that a guard without the plugin is an error and never lets a request through.
import type {
  FastifyError,
  FastifyReply,
  FastifyRequest,
  HookHandlerDoneFunction,
  RawServerBase,
  RouteGenericInterface,
} from 'fastify'
import type { Principal } from './principal.js'
import { GuardNotCalled, NotRegistered } from '../errors.js'
import { mapDatabaseError } from '../store/sql-errors.js'
import { authenticate, type AuthenticationContext } from './authenticate.js'
import { isSameOrigin, sendForbiddenOrigin } from './cross-origin.js'
import { sendChallenge, sendEmpty, sendUnavailable } from './problem.js'
import { logRefusal } from './refusals.js'
import { meets, type RequirementContext, type Requirements, settled, whyNotMet } from './requirements.js'
import { logNull, logUnknown, sentToken } from './unknown-caller.js'

export type { Policy } from './requirements.js'

/** What guards ask of a registration. */
export type GuardContext = AuthenticationContext & RequirementContext

/** Under which symbol an instance has the registration of a decorator's name; the same for every copy of this package. */
export function realmKey(decorator: string): symbol {
  return Symbol.for(`fastify-identity.realm.${decorator}`)
}

// The requests and replies of a host over HTTP/2 are other types than those over HTTP/1; a guard takes both. Its code reads neither's raw parts
// but for what both have, so it may be written for FastifyRequest: the types of methods are compared that way.
interface Hooks {
  onRequest(
    request: FastifyRequest<RouteGenericInterface, RawServerBase>,
    reply: FastifyReply<RouteGenericInterface, RawServerBase>,
    done: HookHandlerDoneFunction,
  ): void
}

/** An onRequest hook for Fastify's route options: `onRequest: requireAuthorization()`. */
export type Guard = Hooks['onRequest']

/** The names of guards among an application's hooks. */
export const guardName = 'identityGuard'
export const anonymousName = 'identityAnonymous'

/** The name of a realm's guard. */
export function guardNameOf(decorator: string): string {
  return decorator === 'identity' ? guardName : `${guardName}:${decorator}`
}

const required = new WeakMap<object, Requirements>()

/** The requirements of a hook that is a guard of ours, otherwise null. */
export function requirementsOf(hook: unknown): Requirements | null {
  return typeof hook === 'function' ? (required.get(hook) ?? null) : null
}

/**
 * Requires a signed-in user who meets the requirements; a name alone is a policy's. Not signed in: 401 with
 * `WWW-Authenticate: Bearer`; signed in but not allowed: 403; both without a body. With a cookie, an unsafe request
 * must come from the same origin (option `csrf`).
 *
 * @returns a hook for `onRequest`, of a route or of a scope
 * @throws FST_IDENTITY_INVALID_OPTION at once for a requirement that is misspelled, empty or undefined
 * @throws FST_IDENTITY_NOT_REGISTERED per request, as 500, when the plugin is not registered in the route's scope
 * @example app.get('/orders', { onRequest: requireAuthorization({ roles: ['clerk'] }) }, handler)
 */
export function requireAuthorization(requirements: Requirements | string = {}): Guard {
  if (isRequest(requirements)) throw uncalled('requireAuthorization')
  const rules = settled(requirements)
  const { decorator = 'identity' } = rules
  const ask = asking(decorator)
  const asksForMore = Object.keys(rules).some((name) => name !== 'decorator')
  const guard: Guard = function identityGuard(request: FastifyRequest, reply: FastifyReply, done) {
    ask(request, reply, done, (realm, principal) => {
      if (principal === null) refuseUnknown(realm, request, reply)
      else if (principal.scheme === 'cookie' && !isSameOrigin(realm, request)) sendForbiddenOrigin(reply)
      else if (asksForMore)
        decide(meets(realm, rules, principal, request), request, reply, done, () => {
          logRefusal(request, () => whyNotMet(realm, rules, principal))
        })
      else done()
    })
  }
  Object.defineProperty(guard, 'name', { value: guardNameOf(decorator) })
  required.set(guard, rules)
  return guard
}

/**
 * Marks a route as public, for option `authorization.explicit`, and reads the caller's identity where there is one.
 *
 * @returns a hook for `onRequest`
 */
export function allowAnonymous(given: { decorator?: string } = {}): Guard {
  if (isRequest(given)) throw uncalled('allowAnonymous')
  const { decorator = 'identity' } = given
  const ask = asking(decorator)
  return function identityAnonymous(request: FastifyRequest, reply: FastifyReply, done) {
    ask(request, reply, done, (realm, principal) => {
      if (principal === null) logNull(realm.slot, request)
      done()
    })
  }
}

// By these names the table of hooks shows a guard that was not called; a function of the host's may well be called like ours.
const uncalledPrefix = 'fastify-identity:'
for (const maker of [requireAuthorization, allowAnonymous])
  Object.defineProperty(maker, 'name', { value: `${uncalledPrefix}${maker.name}` })

/** The guard that a hook is without its parentheses; null for any other hook. @param name of the hook */
export function uncalledGuardOf(name: string): string | null {
  return name.startsWith(uncalledPrefix) ? name.slice(uncalledPrefix.length) : null
}

/** @param where ' by GET /orders', or nothing */
export function uncalled(guard: string, where = ''): Error {
  return new GuardNotCalled(guard, where, guard)
}

// What Fastify passes to a hook.
function isRequest(given: unknown): boolean {
  return typeof given === 'object' && given !== null && 'raw' in given && 'routeOptions' in given
}

type Enter = (realm: GuardContext, principal: Principal | null) => void

function asking(
  decorator: string,
): (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction, enter: Enter) => void {
  const key = realmKey(decorator)
  return (request, reply, done, enter) => {
    // A decorator under a symbol has no place in Fastify's types.
    const realm = (request.server as unknown as Record<symbol, GuardContext | undefined>)[key]
    if (realm === undefined) {
      done(new NotRegistered(decorator))
      return
    }
    try {
      const answer = authenticate(realm, request, reply)
      if (answer instanceof Promise)
        answer.then((principal) => enter(realm, principal)).catch((error: unknown) => fail(error, request, reply, done))
      else enter(realm, answer)
    } catch (error) {
      fail(error, request, reply, done)
    }
  }
}

function refuseUnknown({ slot }: GuardContext, request: FastifyRequest, reply: FastifyReply): void {
  logUnknown(slot, request)
  sendChallenge(reply, sentToken(slot, request))
}

function decide(
  allowed: boolean | Promise<boolean>,
  request: FastifyRequest,
  reply: FastifyReply,
  done: HookHandlerDoneFunction,
  log: () => void,
): void {
  if (typeof allowed === 'boolean') {
    if (allowed) done()
    else {
      log()
      sendEmpty(reply, 403)
    }
    return
  }
  // A policy that fails is an error, not a permission.
  allowed
    .then((answer) => decide(answer, request, reply, done, log))
    .catch((error: unknown) => fail(error, request, reply, done))
}

// Unavailability is answered here; other errors go to the error handler of the route's own scope.
function fail(thrown: unknown, request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void {
  const error = mapDatabaseError(thrown) as FastifyError // an error stays an error
  if (error.statusCode === 503) sendUnavailable(error, request, reply)
  else done(error)
}
