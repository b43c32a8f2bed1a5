// How our routes, and a host's routes with a guard, show themselves in the document of @fastify/swagger. A transform on each of our
// routes adds the security schemes to the document, so that the host has nothing to declare.
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify'
import { isGuard } from './authorize.js'
import type { Realm } from './realm.js'

interface TransformInput {
  schema: FastifySchema
  url: string
  openapiObject?: { components?: { securitySchemes?: Record<string, unknown> } }
}

type Security = readonly Record<string, readonly string[]>[]

/** The scheme names of a realm: `identityBearer` and `identityCookie`, or as its decorator is called. */
function schemesOf({ options }: Realm): Record<string, unknown> {
  const cookieName = options.cookie.name ?? (options.publicUrl?.protocol === 'https:' ? `__Host-${options.decorator}` : options.decorator)
  return {
    [`${options.decorator}Bearer`]: { type: 'http', scheme: 'bearer', description: 'The accessToken of POST /login or /refresh' },
    ...(options.cookies ? { [`${options.decorator}Cookie`]: { type: 'apiKey', in: 'cookie', name: cookieName, description: 'Set by POST /login?useCookies=true' } } : {}),
  }
}

function securityOf(realm: Realm): Security {
  return Object.keys(schemesOf(realm)).map((name) => ({ [name]: [] }))
}

/** The `config` of one of our routes: its schema as the document shows it. */
export function documented(realm: Realm, isGuarded: boolean): { swaggerTransform: (input: TransformInput) => { schema: FastifySchema, url: string } } {
  return {
    swaggerTransform({ schema, url, openapiObject }) {
      // A Swagger 2 document gets the plain schema: its security lives elsewhere.
      if (openapiObject === undefined) return { schema, url }
      openapiObject.components ??= {}
      openapiObject.components.securitySchemes = { ...schemesOf(realm), ...openapiObject.components.securitySchemes }
      return { schema: isGuarded ? { ...schema, security: securityOf(realm) } : schema, url }
    },
  }
}

/** Paints a host's guarded routes: security, 401 and 403. After all schemas are compiled, so that it changes the document only. */
export function paintGuardedRoutes(instance: FastifyInstance, realm: Realm): void {
  const guarded: RouteOptions[] = []
  instance.addHook('onRoute', (route) => {
    if (hooksOf(route).some(isGuard) && route.config?.identity !== 'own') guarded.push(route)
  })
  instance.addHook('onReady', (done) => {
    for (const route of guarded) {
      const schema: FastifySchema & { security?: Security } = route.schema ?? {}
      const response = (schema.response ?? {}) as Record<string, unknown> // Fastify leaves it unknown
      route.schema = {
        ...schema,
        security: schema.security ?? securityOf(realm),
        ...(isForeign(response) ? {} : { response: { ...refusals, ...response } }),
      }
    }
    done()
  })
}

const refusals = {
  401: { type: 'null', description: 'Nobody is signed in' },
  403: { type: 'null', description: 'The user may not do this' },
}

function hooksOf(route: RouteOptions): unknown[] {
  return [route.onRequest, route.preParsing, route.preValidation, route.preHandler].flat()
}

// Schemas of another library (a host's own type provider) cannot be mixed with JSON Schema in one route.
function isForeign(response: Record<string, unknown>): boolean {
  return Object.values(response).some((schema) => typeof schema !== 'object' || schema === null || '~standard' in schema || '_def' in schema)
}
