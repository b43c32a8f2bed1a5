// How an endpoint is registered: its declaration becomes the route, the other spellings of its path, and the 405 for other verbs.
import { type TObject, Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from 'fastify'
import { requireAuthorization } from '../http/authorize.js'
import { bind, inSnakeCase } from '../http/json-schema.js'
import { documented } from '../http/openapi.js'
import { sendEmpty } from '../http/problem.js'
import type { Realm } from '../http/context.js'
import type { Endpoint, EndpointDeclaration, Route } from './endpoint.js'

// Unique in a document with several realms, and with one realm under several prefixes.
function operationId({ options, mounted }: Realm, { prefix }: FastifyInstance, name: string): string {
  const own = `${options.decorator}${name[0]!.toUpperCase()}${name.slice(1)}`
  mounted.add(prefix)
  return mounted.size === 1 ? own : `${own}_${prefix.replace(/\W+/g, '_')}`
}

const verbs = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/** Registers endpoints in a scope. @returns their whole paths */
export function registerRoutes(
  scope: FastifyInstance,
  realm: Realm,
  endpoints: readonly Endpoint<EndpointDeclaration, Realm>[],
): readonly string[] {
  for (const endpoint of endpoints) {
    const { method, path, auth, query } = endpoint
    const route = endpoint.route(realm)
    const body = route.body ?? endpoint.body
    const isGuarded = auth === 'signedIn'
    const guard = isGuarded ? requireAuthorization({ decorator: realm.options.decorator }) : undefined
    scope.route({
      method,
      url: path,
      exposeHeadRoute: false,
      schema: schemaOf(endpoint, route, operationId(realm, scope, endpoint.name), realm.options.jsonNaming),
      config: { identity: 'own', ...documented(realm, isGuarded) },
      onRequest: [guard, route.before].filter((hook) => hook !== undefined),
      preValidation: binding(body, query, endpoint.bodyIsOptional === true),
      handler: (request, reply) => route.handler(request, reply),
    })
  }
  refuseOtherVerbs(scope, endpoints)
  return endpoints.map(({ path }) => scope.prefix.replace(/\/$/, '') + path)
}

function schemaOf(
  { summary, description, body, bodyIsOptional, query, params, answers }: EndpointDeclaration,
  route: Route,
  operationId: string,
  naming: 'camelCase' | 'snake_case',
): FastifySchema {
  const read = route.body ?? body
  const response = { ...answers, ...route.answers }
  return {
    operationId,
    summary,
    ...(description !== undefined && { description }),
    tags: ['Identity'],
    ...(read !== undefined && { body: bodyIsOptional === true ? Type.Union([read, Type.Null()]) : read }),
    ...(query !== undefined && { querystring: query }),
    ...(params !== undefined && { params }),
    response:
      naming === 'camelCase'
        ? response
        : Object.fromEntries(Object.entries(response).map(([status, answer]) => [status, inSnakeCase(answer)])),
  }
}

function binding(body: TObject | undefined, query: TObject | undefined, bodyIsOptional: boolean) {
  return (request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void) => {
    try {
      if (body !== undefined && request.body !== undefined) {
        // JSON null is no body that anybody asked for, also where none is needed.
        request.body = request.body === null && bodyIsOptional ? [] : bind(body, request.body)
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

function refuseOtherVerbs(scope: FastifyInstance, endpoints: readonly EndpointDeclaration[]): void {
  for (const url of new Set(endpoints.map(({ path }) => path))) {
    const allowed = endpoints.filter(({ path }) => path === url).map(({ method }) => method)
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
