// The scope below the prefix: our own parser, validator, serializer and error handler, so that a host's settings
// neither weaken nor break it.
import type { FastifyInstance, FastifyRequest, RegisterOptions } from 'fastify'
import { bodyLimit, boundBodies, readJsonOnly } from '../http/json-parser.js'
import { checkOnly, writeOnly } from '../http/json-schema.js'
import { type ErrorContext, errorHandler } from '../http/problem.js'
import { withoutQuery } from '../http/request-log.js'
import type { EndpointDeclaration } from './endpoint.js'
import { type EndpointNeeds, endpoints, type Operation } from './endpoints.js'
import { answerUnmatched, registerRoutes, type RegistrationContext, type Routes } from './route.js'

export type MountContext = EndpointNeeds &
  RegistrationContext &
  ErrorContext & {
    /** Sees each request of ours that a proxy has forwarded, for a warning about the set-up. */
    readonly watchProxy: (request: FastifyRequest) => void
  }

/** Mounts the routes of a realm under a prefix, and answers unknown paths below it. */
export type Mount = (
  app: FastifyInstance,
  switches: Readonly<Record<Operation, boolean>>,
  asked: RegisterOptions & { readonly prefix: string },
) => Promise<void>

export function createMount(context: MountContext): Mount {
  return async (app, switches, asked) => {
    const where = { ...asked, logSerializers: { ...withoutQuery(app.log), ...asked.logSerializers } }
    let routes: Routes | undefined
    await app.register((scope, _options, done) => {
      routes = mountRoutes(scope, context, switches)
      done()
    }, where)
    // Without a prefix the host answers for unknown paths.
    if (/^\/?$/.test(where.prefix)) return
    await app.register((scope, _options, done) => {
      answerAsOurs(scope, context)
      if (routes !== undefined) answerUnmatched(scope, routes)
      done()
    }, where)
  }
}

/** Registers the routes in a scope of its own. */
function mountRoutes(
  scope: FastifyInstance,
  context: MountContext,
  switches: Readonly<Record<Operation, boolean>>,
): Routes {
  readJsonOnly(scope)
  scope.setValidatorCompiler(checkOnly)
  scope.setSerializerCompiler(writeOnly)
  // A host's serializer for all replies would come before the compiled ones; null, which Fastify's types forget,
  // removes it here.
  scope.setReplySerializer(null as unknown as () => string)
  scope.addHook('onRoute', (route) => {
    route.bodyLimit ??= bodyLimit
  })
  answerAsOurs(scope, context)
  const isOn = ({ switch: declared }: EndpointDeclaration) =>
    Object.entries(switches).some(([name, value]) => value && name in declared)
  return registerRoutes<MountContext>(scope, context, endpoints.filter(isOn))
}

// Every answer is for this caller only, and its content type is exact (security HT-01, HT-02).
function answerAsOurs(scope: FastifyInstance, context: MountContext): void {
  boundBodies(scope)
  scope.setErrorHandler(errorHandler(context))
  scope.addHook('onRequest', function identityRoute(request, reply, done) {
    if (request.headers['x-forwarded-proto'] !== undefined) context.watchProxy(request)
    void reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
    done()
  })
  // A connection that stays open delays the end of the server for as long as it is kept alive. Fastify closes those
  // of new requests while it closes; this is for requests in progress.
  let isClosing = false
  scope.addHook('preClose', (done) => {
    isClosing = true
    done()
  })
  scope.addHook('onSend', (request, reply, _payload, done) => {
    if (isClosing && request.raw.httpVersionMajor === 1) void reply.header('connection', 'close')
    done()
  })
}
