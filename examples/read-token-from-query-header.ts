// A token from elsewhere than the Authorization header: from a header that a gateway sets, and on one path from the
// query, since a browser's EventSource can set no header. URLs end up in logs: keep this path out of them, and the
// token short-lived.
import Fastify, { type FastifyInstance } from 'fastify'
import identity, { requireAuthorization } from 'fastify-identity'
import { serve } from './serve.js'

export async function build(database: string): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(identity, {
    prefix: '/account',
    database,
    bearer: {
      accessTokenSeconds: 600,
      readToken({ headers, query, routeOptions }) {
        const forwarded = headers['x-access-token']
        if (typeof forwarded === 'string') return forwarded
        // Null: the Authorization header and the cookie are read as usual.
        const { access_token: asked } = query as { access_token?: unknown }
        return routeOptions.url === '/events' && typeof asked === 'string' ? asked : null
      },
    },
  })
  app.get('/events', { onRequest: requireAuthorization(), logLevel: 'silent' }, (request, reply) =>
    reply.header('content-type', 'text/event-stream').send(`data: hello ${request.identity!.userName}\n\n`),
  )
  app.get('/me', { onRequest: requireAuthorization() }, (request) => request.identity!.userName)
  return app
}

await serve(import.meta, build)
