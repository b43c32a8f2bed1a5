// User names that are no addresses: POST /register takes userName and email, POST /login either of the two.
import Fastify, { type FastifyInstance } from 'fastify'
import identity, { requireAuthorization } from 'fastify-identity'
import { serve } from './serve.js'

export async function build(database: string): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(identity, {
    prefix: '/account',
    database,
    // Otherwise two users may claim one address, and only the one who has confirmed it can log in by it.
    user: {
      userNameIsEmail: false,
      requireUniqueEmail: true,
      allowedUserNameCharacters: 'abcdefghijklmnopqrstuvwxyz0123456789-',
    },
  })
  app.get('/me', { onRequest: requireAuthorization() }, ({ identity: me }) => ({
    name: me!.userName,
    email: me!.email,
  }))
  return app
}

await serve(import.meta, build)
