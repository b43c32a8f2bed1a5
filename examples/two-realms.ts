// Customers and staff in one application: a schema, a prefix and a decorator each. Tokens and cookies of one realm
// are refused by the other.
import Fastify, { type FastifyInstance } from 'fastify'
import identity, { type Identity, type Principal, requireAuthorization } from 'fastify-identity'
import { serve } from './serve.js'

declare module 'fastify' {
  interface FastifyInstance {
    staff: Identity
  }
  interface FastifyRequest {
    readonly staff: Principal | null
  }
}

export async function build(database: string): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(identity, { prefix: '/account', database })
  await app.register(identity, {
    prefix: '/staff',
    database,
    schema: 'staff',
    decorator: 'staff',
    // Staff cannot register by themselves.
    endpoints: { register: false },
    bearer: { accessTokenSeconds: 900 },
  })
  app.get('/shop', { onRequest: requireAuthorization() }, (request) => `Customer ${request.identity!.userName}`)
  app.get(
    '/desk',
    { onRequest: requireAuthorization({ decorator: 'staff' }) },
    (request) => `Clerk ${request.staff!.userName}`,
  )
  return app
}

await serve(import.meta, build)
