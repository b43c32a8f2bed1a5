// Our routes, and a host's guarded routes, in the document of @fastify/swagger. A transform on each of our routes
// adds the security schemes to the document, so that the host need not declare them.
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify'
import { UndecidedRoutes, UnknownPolicy } from '../errors.js'
import { anonymousName, guardName, guardNameOf, requirementsOf } from './authorize.js'
import type { Realm } from './context.js'
import { readRoutes, type RouteEntry, routeKey } from './route-table.js'

/** The name of the hook that marks our own routes, which check access themselves. */
export const ownRouteName = 'identityRoute'

interface TransformInput {
  schema: FastifySchema
  url: string
  openapiObject?: { components?: { securitySchemes?: Record<string, unknown> } }
}

type Security = readonly Record<string, readonly string[]>[]

/** The scheme names of a realm: `identityBearer` and `identityCookie`, or with its decorator. */
function schemesOf({ options }: Realm): Record<string, unknown> {
  const cookieName =
    options.cookie.name ??
    (options.publicUrl?.protocol === 'https:' ? `__Host-${options.decorator}` : options.decorator)
  return {
    [`${options.decorator}Bearer`]: {
      type: 'http',
      scheme: 'bearer',
      description: 'The accessToken of POST /login or /refresh',
    },
    ...(options.cookies
      ? {
          [`${options.decorator}Cookie`]: {
            type: 'apiKey',
            in: 'cookie',
            name: cookieName,
            description: 'Set by POST /login?useCookies=true',
          },
        }
      : {}),
  }
}

function securityOf(realm: Realm): Security {
  return Object.keys(schemesOf(realm)).map((name) => ({ [name]: [] }))
}

// Realms whose routes were last in a document of Swagger 2. Our routes come first in a document, and the host's
// guarded ones follow.
const inSwagger2 = new WeakSet<Realm>()

/** The `config` of one of our routes, which shows its schema in the document. */
export function documented(
  realm: Realm,
  isGuarded: boolean,
): { swaggerTransform: (input: TransformInput) => { schema: FastifySchema; url: string } } {
  return {
    swaggerTransform({ schema, url, openapiObject }) {
      // A Swagger 2 document gets the plain schema: it declares security elsewhere.
      if (openapiObject === undefined) {
        inSwagger2.add(realm)
        return { schema, url }
      }
      inSwagger2.delete(realm)
      openapiObject.components ??= {}
      openapiObject.components.securitySchemes = { ...schemesOf(realm), ...openapiObject.components.securitySchemes }
      return { schema: isGuarded ? { ...schema, security: securityOf(realm) } : schema, url }
    },
  }
}

/**
 * When all routes are known: adds security, 401 and 403 to a host's guarded routes in the document (after all schemas
 * are compiled, so that only the document changes), and refuses to start when a guard names an unknown policy or,
 * with `authorization.explicit`, when a route has no access rule.
 *
 * @throws FST_IDENTITY_UNKNOWN_POLICY, FST_IDENTITY_UNDECIDED_ROUTES
 */
export function watchRoutes(instance: FastifyInstance, realm: Realm): void {
  const { authorization } = realm.options
  // A document has our security schemes only when one of our routes comes earlier in it; without them their names
  // would be invalid.
  const hadSwagger = instance.hasDecorator('swagger')
  let isDeclared = false
  const routes: WatchedRoute[] = []
  instance.addHook('onRoute', function (route) {
    const compiler =
      this.validatorCompiler ?? this.serializerCompiler ?? route.validatorCompiler ?? route.serializerCompiler
    if (route.config?.identity !== 'own') routes.push({ route, isDeclared, hasOwnCompiler: compiler !== undefined })
    else isDeclared = hadSwagger
  })
  instance.addHook('onReady', (done) => {
    if (!hadSwagger && instance.hasDecorator('swagger')) {
      instance.log.warn(
        '@fastify/swagger was registered after fastify-identity, whose routes its document lacks: register it before',
      )
    }
    const table = readRoutes(instance)
    const name = guardNameOf(realm.options.decorator)
    const guarded = new Set(
      table.filter(({ hooks }) => hooks.includes(name)).map(({ method, url }) => routeKey(method, url)),
    )
    try {
      if (authorization.explicit) refuseUndecided(table)
      for (const watched of routes) {
        const { route } = watched
        const guards = hooksOf(route)
          .map(requirementsOf)
          .filter((rules) => rules !== null && (rules.decorator ?? 'identity') === realm.options.decorator)
        for (const rules of guards) {
          if (rules?.policy !== undefined && !Object.hasOwn(authorization.policies, rules.policy))
            throw new UnknownPolicy(rules.policy)
        }
        if (guards.length > 0 || [route.method].flat().some((method) => guarded.has(routeKey(method, route.url))))
          paint(watched, realm)
      }
      done()
    } catch (error) {
      done(error as Error) // only errors are thrown above
    }
  })
}

interface WatchedRoute {
  readonly route: RouteOptions
  /** Whether the route's document declares our security schemes. */
  readonly isDeclared: boolean
  readonly hasOwnCompiler: boolean
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

function paint({ route, isDeclared, hasOwnCompiler }: WatchedRoute, realm: Realm): void {
  const schema: FastifySchema & { security?: Security } = route.schema ?? {}
  const response = (schema.response ?? {}) as Record<string, unknown> // Fastify leaves it unknown
  const isBare = Object.keys(response).length === 0
  // Schemas of another library (a host's own type provider) cannot be mixed with JSON Schema in one route.
  const isForeign = Object.values(response).some(isNoJsonSchema) || (isBare && hasOwnCompiler)
  // A copy: the host may use its object for other routes.
  route.schema = {
    ...schema,
    ...(isForeign ? {} : { response: { ...(isBare ? unknownAnswer : {}), ...refusals, ...response } }),
  }
  if (schema.security !== undefined || !isDeclared) return
  const ours = securityOf(realm)
  Object.defineProperty(route.schema, 'security', {
    enumerable: true,
    get: () => (inSwagger2.has(realm) ? undefined : ours),
  })
}

// As @fastify/swagger shows a route without a schema.
const unknownAnswer = { 200: { description: 'Default Response' } }

const refusals = {
  401: { type: 'null', description: 'Nobody is signed in' },
  403: { type: 'null', description: 'The user may not do this' },
}

function hooksOf(route: RouteOptions): unknown[] {
  return [route.onRequest, route.preParsing, route.preValidation, route.preHandler].flat()
}

function isNoJsonSchema(schema: unknown): boolean {
  return typeof schema !== 'object' || schema === null || '~standard' in schema || '_def' in schema
}
