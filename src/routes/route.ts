// How an endpoint is registered: its declaration becomes the route, the other spellings of its path, and the 405 for other verbs.
import { Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from 'fastify'
import { type ActingContext, closeToActors } from '../http/acting.js'
import { requireAuthorization } from '../http/authorize.js'
import { expectJson } from '../http/json-parser.js'
import { binding, inSnakeCase } from '../http/json-schema.js'
import type { Documentation } from '../http/openapi.js'
import { sendRefusal } from '../http/problem.js'
import type { Endpoint, EndpointDeclaration, Route } from './endpoint.js'
import { answerAnySpelling, type PathSpelling } from '../http/path-spelling.js'

export interface RegistrationContext extends ActingContext {
  readonly options: ActingContext['options'] & {
    readonly decorator: string
    readonly jsonNaming: 'camelCase' | 'snake_case'
  }
  readonly documentation: Pick<Documentation, 'documented'>
  /** The prefixes under which the routes of this realm were mounted. */
  readonly mounted: Set<string>
}

// Unique in a document with several realms, and with one realm under several prefixes.
function operationIdOf({ options, mounted }: RegistrationContext, { prefix }: FastifyInstance, name: string): string {
  const own = `${options.decorator}${name.charAt(0).toUpperCase()}${name.slice(1)}`
  mounted.add(prefix)
  return mounted.size === 1 ? own : `${own}_${prefix.replace(/\W+/g, '_')}`
}

const verbs = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE']

/** What was registered under a prefix. */
export interface Routes {
  /** The value of `Allow` for a path of ours, in any spelling; null for any other path. */
  allowed(path: string): string | null
}

/** Registers endpoints in a scope. */
export function registerRoutes<Needs extends RegistrationContext>(
  scope: FastifyInstance,
  context: Needs,
  endpoints: readonly Endpoint<EndpointDeclaration, Needs>[],
): Routes {
  const { decorator, jsonNaming } = context.options
  const spelling = answerAnySpelling(
    scope,
    endpoints.map(({ path }) => path),
  )
  for (const endpoint of endpoints) {
    const { method, path, auth, query } = endpoint
    const route = endpoint.route(context)
    const body = route.body ?? endpoint.body
    const isGuarded = auth === 'signedIn'
    const guard = isGuarded ? requireAuthorization({ decorator }) : undefined
    scope.route({
      method,
      url: path,
      exposeHeadRoute: false,
      schema: schemaOf(endpoint, route, operationIdOf(context, scope, endpoint.name), jsonNaming),
      config: { identity: 'own', ...context.documentation.documented(isGuarded) },
      onRequest: [
        body === undefined ? undefined : expectJson(endpoint.bodyIsOptional === true),
        guard,
        isGuarded && path.startsWith('/manage/') ? closeToActors(context) : undefined,
        route.before,
      ].filter((hook) => hook !== undefined),
      preValidation: binding(body, query, endpoint.bodyIsOptional === true),
      handler: route.handler,
    })
  }
  refuseOtherVerbs(scope, endpoints, spelling)
  return {
    allowed(path) {
      const url = spelling.urlOf(path)
      return url === null ? null : allowedAt(endpoints, url).join(', ')
    },
  }
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

/** Answers unmatched requests under the prefix, without a body: 405 for a method that no route takes, otherwise 404. */
export function answerUnmatched(unmatched: FastifyInstance, routes: Routes): void {
  unmatched.setNotFoundHandler((_request, reply) => sendRefusal(reply, 404, 'pathUnknown'))
  unmatched.addHook('onRequest', (request, reply, done) => {
    if (!request.is404) {
      done()
      return
    }
    const allowed = routes.allowed(request.url.replace(/[?#].*$/s, ''))
    if (allowed === null) sendRefusal(reply, 404, 'pathUnknown')
    else sendRefusal(reply.header('allow', allowed), 405, 'methodNotAllowed')
  })
}

function allowedAt(endpoints: readonly EndpointDeclaration[], url: string): string[] {
  return endpoints.filter(({ path }) => path === url).map(({ method }) => method)
}

function refuseOtherVerbs(
  scope: FastifyInstance,
  endpoints: readonly EndpointDeclaration[],
  spelling: PathSpelling,
): void {
  for (const url of new Set(endpoints.map(({ path }) => path))) {
    const allowed = allowedAt(endpoints, url)
    const refusal = {
      url,
      exposeHeadRoute: false,
      schema: { hide: true },
      config: { identity: 'own' as const },
      // Before the body is read, which does not matter any more.
      onRequest: (_request: FastifyRequest, reply: FastifyReply) => {
        sendRefusal(reply.header('allow', allowed.join(', ')), 405, 'methodNotAllowed')
      },
      handler: (_request: FastifyRequest, reply: FastifyReply) => reply,
    }
    scope.route({ ...refusal, method: verbs.filter((verb) => !allowed.includes(verb)) })
    // A host that answers preflights (CORS) by a route goes on doing so.
    scope.route({ ...refusal, method: 'OPTIONS', constraints: spelling.unlessHostAnswers })
  }
}
