// By invitation only: /register is off, and signed-in users invite others; you create the first user with
// app.identity.users.create. An invited user gets a mail with a code, with which POST /account/resetPassword sets the
// first password.
import { type Static, Type } from '@sinclair/typebox'
import Fastify, { type FastifyInstance } from 'fastify'
import identity, { requireAuthorization } from 'fastify-identity'
import { serve } from './serve.js'

const Invitation = Type.Object({ email: Type.String() })

export async function build(
  database: string,
  mail = (to: string, code: string) => console.log(`To ${to}: ${code}`),
): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(identity, {
    prefix: '/account',
    database,
    endpoints: { register: false, confirmEmail: false, resendConfirmationEmail: false },
    codes: { resetPasswordSeconds: 86_400 },
  })
  const { users } = app.identity

  app.post<{ Body: Static<typeof Invitation> }>(
    '/invitations',
    {
      onRequest: requireAuthorization(),
      schema: { body: Invitation },
    },
    async (request, reply) => {
      const { email } = request.body
      // A user who can read the code owns the address.
      const result = await users.create({ userName: email, email, emailConfirmed: true })
      if (!result.succeeded) return reply.code(400).send(result.errors)
      mail(email, users.generatePasswordResetToken(result.user))
      return reply.code(202).send()
    },
  )
  return app
}

await serve(import.meta, (database) => build(database))
