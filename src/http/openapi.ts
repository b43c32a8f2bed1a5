// Our routes, and a host's guarded routes, in the document of @fastify/swagger. A transform on each of our routes
// adds the security schemes to the document, so that the host need not declare them.
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify'
import { namedSchemas, swagger2Schemas } from './document-schemas.js'
import { guardsOf } from './access-check.js'
import { guardNameOf } from './authorize.js'
import { type AddedRoute, routeKey, type Routes } from './route-table.js'

export interface DocumentContext {
  readonly options: {
    readonly cookie: { readonly name: string | null }
    readonly cookies: boolean
    readonly decorator: string
    readonly publicUrl: URL | null
  }
}

interface TransformInput {
  schema: FastifySchema
  url: string
  openapiObject?: {
    openapi?: string
    components?: { securitySchemes?: Record<string, unknown>; schemas?: Record<string, unknown> }
  }
  swaggerObject?: { securityDefinitions?: Record<string, unknown> | null }
}

type Security = readonly Record<string, readonly string[]>[]

/** What one realm adds to the documents of an application. */
export interface Documentation {
  /** The `config` of one of our routes, which shows its schema in the document. */
  documented(isGuarded: boolean): {
    swaggerTransform: (input: TransformInput) => { schema: FastifySchema; url: string }
  }
  /** Adds security, 401 and 403 to a guarded route of the host's. */
  paint(added: AddedRoute, isDeclared: boolean): void
}

export function createDocumentation({ options }: DocumentContext): Documentation {
  const schemes = schemesOf(options)
  const security: Security = Object.keys(schemes).map((name) => ({ [name]: [] }))
  // Whether the current document is one of Swagger 2. Our routes come first in a document, and the host's guarded ones
  // follow.
  let isSwagger2 = false
  const bearer = `${options.decorator}Bearer`
  return {
    documented: (isGuarded) => ({
      swaggerTransform({ schema, url, openapiObject, swaggerObject }) {
        isSwagger2 = openapiObject === undefined
        if (openapiObject === undefined) {
          if (swaggerObject === undefined) return { schema, url }
          // Swagger 2 has no bearer scheme and no cookies.
          const header = {
            type: 'apiKey',
            in: 'header',
            name: 'Authorization',
            description: 'Bearer and the accessToken of POST /login or /refresh',
          }
          swaggerObject.securityDefinitions = { [bearer]: header, ...swaggerObject.securityDefinitions }
          const plain = swagger2Schemas(schema)
          return { schema: isGuarded ? { ...plain, security: [{ [bearer]: [] }] } : plain, url }
        }
        openapiObject.components ??= {}
        openapiObject.components.securitySchemes = { ...schemes, ...openapiObject.components.securitySchemes }
        const named = namedSchemas(schema, openapiObject.components, {
          realm: options.decorator,
          version: openapiObject.openapi ?? '3.0.3',
        })
        return { schema: isGuarded ? { ...named, security } : named, url }
      },
    }),
    paint({ route, hasOwnCompiler }, isDeclared) {
      const schema = withRefusals(route, hasOwnCompiler)
      // A copy: the host may use its object for other routes.
      route.schema = schema
      if (schema.security !== undefined || !isDeclared) return
      Object.defineProperty(schema, 'security', {
        enumerable: true,
        get: () => (isSwagger2 ? [{ [bearer]: [] }] : security),
      })
    },
  }
}

/** The scheme names of a realm: `identityBearer` and `identityCookie`, or with its decorator. */
function schemesOf({ cookie, cookies, decorator, publicUrl }: DocumentContext['options']): Record<string, unknown> {
  const bearer = { type: 'http', scheme: 'bearer', description: 'The accessToken of POST /login or /refresh' }
  const name = cookie.name ?? (publicUrl?.protocol === 'https:' ? `__Host-${decorator}` : decorator)
  const sent = { type: 'apiKey', in: 'cookie', name, description: 'Set by POST /login?useCookies=true' }
  return { [`${decorator}Bearer`]: bearer, ...(cookies && { [`${decorator}Cookie`]: sent }) }
}

/**
 * When all routes are known: adds security, 401 and 403 to a host's guarded routes. Their schemas are compiled by then,
 * so that only the document changes.
 */
export function documentGuards(
  instance: FastifyInstance,
  routes: Routes,
  { decorator }: DocumentContext['options'],
  documentation: Documentation,
): void {
  // A document has our security schemes only when one of our routes comes earlier in it; without them their names
  // would be invalid.
  const hadSwagger = instance.hasDecorator('swagger')
  instance.addHook('onReady', (done) => {
    if (!hadSwagger && instance.hasDecorator('swagger')) {
      instance.log.warn(
        '@fastify/swagger was registered after fastify-identity, whose routes its document lacks: register it before',
      )
    }
    const name = guardNameOf(decorator)
    const guarded = new Set(
      routes
        .table()
        .filter(({ hooks }) => hooks.includes(name))
        .map(({ method, url }) => routeKey(method, url)),
    )
    const isGuarded = (route: RouteOptions) =>
      guardsOf(route, decorator).length > 0 ||
      [route.method].flat().some((method) => guarded.has(routeKey(method, route.url)))
    for (const added of routes.added) {
      if (isGuarded(added.route)) documentation.paint(added, hadSwagger && added.isAfterOurs)
    }
    done()
  })
}

function withRefusals(route: RouteOptions, hasOwnCompiler: boolean): FastifySchema & { security?: Security } {
  const schema = route.schema ?? {}
  const response = (schema.response ?? {}) as Record<string, unknown> // Fastify leaves it unknown
  const isBare = Object.keys(response).length === 0
  // Schemas of another library (a host's own type provider) cannot be mixed with JSON Schema in one route.
  const isForeign = Object.values(response).some(isNoJsonSchema) || (isBare && hasOwnCompiler)
  return {
    ...schema,
    ...(isForeign ? {} : { response: { ...(isBare ? unknownAnswer : {}), ...refusals, ...response } }),
  }
}

// As @fastify/swagger shows a route without a schema.
const unknownAnswer = { 200: { description: 'Default Response' } }

const refusals = {
  401: { type: 'null', description: 'The request has no valid token or cookie' },
  403: {
    type: 'null',
    description: 'The caller lacks what this route requires, or the cookie comes from a page of another origin',
  },
}

function isNoJsonSchema(schema: unknown): boolean {
  return typeof schema !== 'object' || schema === null || '~standard' in schema || '_def' in schema
}
