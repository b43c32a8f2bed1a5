// Refuses to start when access is not decided: a guard was not called or names an unknown policy, or, with `authorization.explicit`, a
// route has no access rule.
import type { FastifyInstance, RouteOptions } from 'fastify'
import { UndecidedRoutes, UnknownPolicy } from '../errors.js'
import { anonymousName, guardName, requirementsOf, uncalled, uncalledGuardOf } from './authorize.js'
import type { RequirementContext } from './requirements.js'
import type { RouteEntry, Routes } from './route-table.js'

/** The name of the hook that marks our own routes, which check access themselves. */
export const ownRouteName = 'identityRoute'

export interface AccessContext {
  readonly options: RequirementContext['options'] & {
    readonly authorization: { readonly explicit: boolean }
    readonly decorator: string
  }
}

/**
 * Checks once all routes are known.
 *
 * @throws FST_IDENTITY_GUARD_NOT_CALLED, FST_IDENTITY_UNKNOWN_POLICY, FST_IDENTITY_UNDECIDED_ROUTES when the instance gets ready
 */
export function checkAccess(instance: FastifyInstance, routes: Routes, { options }: AccessContext): void {
  const { authorization, decorator } = options
  instance.addHook('onReady', (done) => {
    try {
      refuseUncalled(routes.table())
      if (authorization.explicit) refuseUndecided(routes.table())
      const policies = routes.added.flatMap(({ route }) => guardsOf(route, decorator)).map(({ policy }) => policy)
      for (const policy of policies) {
        if (policy !== undefined && !Object.hasOwn(authorization.policies, policy)) throw new UnknownPolicy(policy)
      }
      done()
    } catch (error) {
      done(error as Error) // only errors are thrown above
    }
  })
}

/** The requirements of a realm's guards on a route itself. */
export function guardsOf(route: RouteOptions, decorator: string) {
  return [route.onRequest, route.preParsing, route.preValidation, route.preHandler]
    .flat()
    .map(requirementsOf)
    .filter((rules) => rules !== null)
    .filter((rules) => (rules.decorator ?? 'identity') === decorator)
}

function refuseUncalled(table: readonly RouteEntry[]): void {
  for (const { method, url, hooks } of table) {
    const [guard] = hooks.map(uncalledGuardOf).filter((name) => name !== null)
    if (guard !== undefined) throw uncalled(guard, ` by ${method} ${url}`)
  }
}

function refuseUndecided(table: readonly RouteEntry[]): void {
  // A browser's preflight is an OPTIONS request without credentials: a guard would only break CORS.
  const undecided = table.filter(
    ({ method, hooks }) =>
      method !== 'OPTIONS' &&
      !hooks.some((name) => name.startsWith(guardName) || name === anonymousName || name === ownRouteName),
  )
  if (undecided.length > 0) throw new UndecidedRoutes(undecided.map(({ method, url }) => `${method} ${url}`).join(', '))
}
