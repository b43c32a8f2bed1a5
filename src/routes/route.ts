// How a door is hung: one description of a route becomes the route itself, its other spellings, and the 405 for other verbs.
import type { TObject, TSchema } from '@sinclair/typebox'
import { Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema, onRequestHookHandler } from 'fastify'
import { bind, inSnakeCase } from '../http/json.js'
import { documented } from '../http/openapi.js'
import { sendEmpty } from '../http/problem.js'
import type { Realm } from '../http/realm.js'

export interface Door {
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
function operationId({ options, mounted }: Realm, { prefix }: FastifyInstance, door: Door): string {
  const name = door.operationId.replace(/^identity/, options.decorator)
  mounted.add(prefix)
  return mounted.size === 1 ? name : `${name}_${prefix.replace(/\W+/g, '_')}`
}

const verbs = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/** Hangs doors in a scope. @returns their whole paths */
export function hang(scope: FastifyInstance, realm: Realm, doors: readonly Door[]): readonly string[] {
  for (const door of doors) {
    const schema: FastifySchema = {
      operationId: operationId(realm, scope, door),
      summary: door.summary,
      ...(door.description === undefined ? {} : { description: door.description }),
      tags: ['Identity'],
      ...(door.body === undefined ? {} : { body: door.bodyIsOptional === true ? Type.Union([door.body, Type.Null()]) : door.body }),
      ...(door.query === undefined ? {} : { querystring: door.query }),
      ...(door.params === undefined ? {} : { params: door.params }),
      response: realm.options.jsonNaming === 'camelCase' ? door.response
        : Object.fromEntries(Object.entries(door.response).map(([status, answer]) => [status, inSnakeCase(answer)])),
    }
    const route = {
      method: door.method,
      exposeHeadRoute: false,
      onRequest: [door.guard, door.before].filter((hook) => hook !== undefined),
      preValidation: binding(door),
      handler: door.handler,
    }
    scope.route({ ...route, url: door.url, schema, config: { identity: 'own', ...documented(realm, door.guard !== undefined) } })
  }
  refuseOtherVerbs(scope, doors)
  return doors.map(({ url }) => scope.prefix.replace(/\/$/, '') + url)
}

function binding({ body, query, bodyIsOptional }: Door) {
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
  const found = paths.find((parts) => parts.length === given.length && parts.every((part, index) =>
    part.startsWith(':') || part.toLowerCase() === given[index]?.toLowerCase()))
  if (found === undefined) return null
  const canonical = [found.map((part, index) => part.startsWith(':') ? given[index] : part).join('/'), ...query].join('?')
  return canonical === url ? null : canonical
}

function refuseOtherVerbs(scope: FastifyInstance, doors: readonly Door[]): void {
  for (const url of new Set(doors.map((door) => door.url))) {
    const allowed = doors.filter((door) => door.url === url).map((door) => door.method)
    const others = verbs.filter((verb) => !allowed.some((method) => method === verb))
    scope.route({
      method: others,
      url,
      exposeHeadRoute: false,
      schema: { hide: true },
      config: { identity: 'own' },
      // Before the body is read: what it is does not matter any more.
      onRequest: (_request, reply) => { sendEmpty(reply.header('allow', allowed.join(', ')), 405) },
      handler: (_request, reply) => reply,
    })
  }
}
