// One realm under two prefixes, for example while clients move from one version of an API to the next. Users, tokens
// and cookies are the same; a mailed link points to the prefix of the request that caused it.
import Fastify, { type FastifyInstance } from 'fastify'
import identity, { identityRoutes } from 'fastify-identity'
import { serve } from './serve.js'

export async function build(database: string): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(identity, { prefix: '/v1/account', database })
  await app.register(identityRoutes, {
    prefix: '/v2/people',
    endpoints: { forgotPassword: false, resetPassword: false },
  })
  return app
}

await serve(import.meta, build)
