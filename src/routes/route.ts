// How a route is hung: one description of a route becomes the route itself, its other spellings, and the 405 for other verbs.
import { type TObject, type TSchema, Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema, onRequestHookHandler } from 'fastify'
import { bind, inSnakeCase } from '../http/json-schema.js'
import { documented } from '../http/openapi.js'
import { sendEmpty } from '../http/problem.js'
import type { Realm } from '../http/context.js'

export interface RouteDefinition {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly url: string
  readonly operationId: string
  readonly summary: string
  readonly description?: string
  /** Only signed-in users; 401 before the body is read. */
  readonly guard?: onRequestHookHandler
  /** Runs before the body is read, after the guard. */
  readonly before?: onRequestHookHandler
  readonly body?: TObject
  /** No body at all is as good as `{}`. */
  readonly bodyIsOptional?: boolean
  readonly query?: TObject
  readonly params?: TObject
  readonly response: Readonly<Record<number, TSchema | Answer>>
  readonly handler: (request: FastifyRequest, reply: FastifyReply) => unknown
}

interface Answer {
  readonly description: string
  readonly content: Readonly<Record<string, { readonly schema: TSchema }>>
}

// Unique in a document with several realms, and with one realm under several prefixes.
function operationId({ options, mounted }: Realm, { prefix }: FastifyInstance, route: RouteDefinition): string {
  const name = route.operationId.replace(/^identity/, options.decorator)
  mounted.add(prefix)
  return mounted.size === 1 ? name : `${name}_${prefix.replace(/\W+/g, '_')}`
}

const verbs = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/** Hangs routes in a scope. @returns their whole paths */
export function registerRoutes(
  scope: FastifyInstance,
  realm: Realm,
  routes: readonly RouteDefinition[],
): readonly string[] {
  for (const definition of routes) {
    const schema: FastifySchema = {
      operationId: operationId(realm, scope, definition),
      summary: definition.summary,
      ...(definition.description === undefined ? {} : { description: definition.description }),
      tags: ['Identity'],
      ...(definition.body === undefined
        ? {}
        : { body: definition.bodyIsOptional === true ? Type.Union([definition.body, Type.Null()]) : definition.body }),
      ...(definition.query === undefined ? {} : { querystring: definition.query }),
      ...(definition.params === undefined ? {} : { params: definition.params }),
      response:
        realm.options.jsonNaming === 'camelCase'
          ? definition.response
          : Object.fromEntries(
              Object.entries(definition.response).map(([status, answer]) => [status, inSnakeCase(answer)]),
            ),
    }
    const route = {
      method: definition.method,
      exposeHeadRoute: false,
      onRequest: [definition.guard, definition.before].filter((hook) => hook !== undefined),
      preValidation: binding(definition),
      handler: definition.handler,
    }
    scope.route({
      ...route,
      url: definition.url,
      schema,
      config: { identity: 'own', ...documented(realm, definition.guard !== undefined) },
    })
  }
  refuseOtherVerbs(scope, routes)
  return routes.map(({ url }) => scope.prefix.replace(/\/$/, '') + url)
}

function binding({ body, query, bodyIsOptional }: RouteDefinition) {
  return (request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void) => {
    try {
      if (body !== undefined && request.body !== undefined) {
        // JSON null is no body that anybody asked for, also where none is needed.
        request.body = request.body === null && bodyIsOptional === true ? [] : bind(body, request.body)
      }
      if (query !== undefined) request.query = bind(query, request.query)
      done()
    } catch (error) {
      done(error as Error) // bind throws errors only
    }
  }
}

/**
 * Answers what is under the prefix and is no path: 404 without a body. The reference answers its paths in any letter case and with a slash
 * at the end; Fastify's router leaves that to the host. A path of ours that is only spelled otherwise goes through the router once more,
 * before anything of the request was read. The prefix is the host's and answers as the host's router spells it.
 */
export function answerOtherSpellings(strays: FastifyInstance, paths: readonly string[]): void {
  const known = paths.map((path) => path.split('/'))
  strays.setNotFoundHandler((_request, reply) => sendEmpty(reply, 404))
  strays.addHook('onRequest', (request, reply, done) => {
    if (!request.is404) {
      done()
      return
    }
    const canonical = canonicalUrl(known, request.raw.url ?? '')
    if (canonical === null) {
      sendEmpty(reply, 404)
      return
    }
    reply.hijack()
    request.raw.url = canonical
    strays.routing(request.raw, reply.raw)
  })
}

function canonicalUrl(paths: readonly (readonly string[])[], url: string): string | null {
  const [path = '', ...query] = url.split('?')
  const given = path.replace(/\/$/, '').split('/')
  const found = paths.find(
    (parts) =>
      parts.length === given.length &&
      parts.every((part, index) => part.startsWith(':') || part.toLowerCase() === given[index]?.toLowerCase()),
  )
  if (found === undefined) return null
  const canonical = [found.map((part, index) => (part.startsWith(':') ? given[index] : part)).join('/'), ...query].join(
    '?',
  )
  return canonical === url ? null : canonical
}

function refuseOtherVerbs(scope: FastifyInstance, routes: readonly RouteDefinition[]): void {
  for (const url of new Set(routes.map((route) => route.url))) {
    const allowed = routes.filter((route) => route.url === url).map((route) => route.method)
    const others = verbs.filter((verb) => !allowed.some((method) => method === verb))
    scope.route({
      method: others,
      url,
      exposeHeadRoute: false,
      schema: { hide: true },
      config: { identity: 'own' },
      // Before the body is read: what it is does not matter any more.
      onRequest: (_request, reply) => {
        sendEmpty(reply.header('allow', allowed.join(', ')), 405)
      },
      handler: (_request, reply) => reply,
    })
  }
}
