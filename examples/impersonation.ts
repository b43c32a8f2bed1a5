// "Sign in as": support staff act for a user in a session that says who acts. It has a claim `actor` of its own, which
// survives a refresh and is listed among the user's sessions. Everything under /manage is closed to it: password,
// address, second factor, sessions.
import Fastify, { type FastifyInstance } from 'fastify'
import identity, { requireAuthorization } from 'fastify-identity'
import { serve } from './serve.js'

export async function build(database: string): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(identity, {
    prefix: '/account',
    database,
    authorization: {
      policies: { themselves: ({ sessionClaims }) => !sessionClaims.some(({ type }) => type === 'actor') },
    },
  })
  const { users, roles, signIn } = app.identity
  if (!(await roles.roleExists('support'))) await roles.create('support')

  // A password or second factor of the last ten minutes, and no session in which somebody already acts.
  const staff = requireAuthorization({ roles: ['support'], maxAgeSeconds: 600, policy: 'themselves' })
  app.post('/support/users/:id/act', { onRequest: staff }, async (request, reply) => {
    const { id } = request.params as { id: string }
    const user = await users.findById(id)
    if (user === null) return reply.code(404).send()
    // Not for those who may do as much or more.
    if (await users.isInRole(user, 'support')) return reply.code(403).send()
    const result = await signIn.signIn(user, {
      client: 'support',
      claims: [{ type: 'actor', value: request.identity!.userId }],
    })
    if (!result.succeeded) return reply.code(409).send({ detail: result.reason })
    return signIn.sendTokens(reply, result.signedIn)
  })

  app.get('/whoami', { onRequest: requireAuthorization() }, ({ identity: caller }) => ({
    user: caller!.userName,
    actor: caller!.sessionClaims.find(({ type }) => type === 'actor')?.value ?? null,
  }))
  return app
}

await serve(import.meta, build)
