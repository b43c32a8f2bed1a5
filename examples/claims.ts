// Claims of your own in every ticket: computed at each sign-in, refresh and validation of a cookie, read without a
// query in between.
import Fastify, { type FastifyInstance } from 'fastify'
import identity, { requireAuthorization } from 'fastify-identity'
import { serve } from './serve.js'

export async function build(database: string): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(identity, {
    prefix: '/account',
    database,
    // A stranger can register an address of another company; only its owner can confirm it.
    claims: ({ email, emailConfirmed }) =>
      email !== null && emailConfirmed ? [{ type: 'tenant', value: email.split('@')[1] ?? '' }] : [],
  })
  app.get(
    '/tenant',
    { onRequest: requireAuthorization({ claims: { tenant: true } }) },
    (request) => request.identity!.findFirst('tenant')!.value,
  )
  app.get(
    '/board',
    { onRequest: requireAuthorization({ claims: { tenant: ['example.com', 'example.org'] } }) },
    () => 'What the board said',
  )
  return app
}

await serve(import.meta, build)
