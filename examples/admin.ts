// Routes for administrators: find users, lock and unlock them, end their sessions, reset a lost second factor, delete
// them.
// The first administrator comes from the environment: ADMIN=ann@example.com ADMIN_PASSWORD=… node
// dist/examples/admin.js
import { type Static, Type } from '@sinclair/typebox'
import Fastify, { type FastifyInstance } from 'fastify'
import identity, { type IdentityResult, requireAuthorization, type User } from 'fastify-identity'
import { serve } from './serve.js'

const Search = Type.Object({ search: Type.Optional(Type.String()), after: Type.Optional(Type.String()) })

export async function build(
  database: string,
  { ADMIN: email, ADMIN_PASSWORD: password }: NodeJS.ProcessEnv = process.env,
): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(identity, { prefix: '/account', database })
  const { roles, sessions, users } = app.identity

  // At a second start both exist, and nothing is changed.
  await roles.create('admin')
  if (email !== undefined) {
    const created = await users.create({ userName: email, email, emailConfirmed: true }, password)
    if (created.succeeded) await users.addToRole(created.user, 'admin')
  }

  const changes: Record<string, (user: User) => Promise<IdentityResult>> = {
    lock: (user) => users.lock(user),
    unlock: (user) => users.unlock(user),
    resetSecondFactor: (user) => users.resetSecondFactor(user),
    delete: (user) => users.delete(user),
  }

  await app.register(
    (admin, _options, done) => {
      // For every route of this scope. Removing the role takes effect with the next refresh: end the sessions too.
      admin.addHook('onRequest', requireAuthorization({ roles: ['admin'] }))

      admin.get<{ Querystring: Static<typeof Search> }>(
        '/users',
        { schema: { querystring: Search } },
        async ({ query }) => {
          const { users: found, next } = await users.list({ ...query, limit: 50 })
          // Not the whole user, which includes hash and stamps.
          return {
            users: found.map(({ id, userName, lockoutEnd, twoFactorEnabled }) => ({
              id,
              userName,
              lockoutEnd,
              twoFactorEnabled,
            })),
            next,
          }
        },
      )

      for (const [name, change] of Object.entries(changes)) {
        admin.post<{ Params: { id: string } }>(`/users/:id/${name}`, async ({ params }, reply) => {
          const user = await users.findById(params.id)
          if (user === null) return reply.code(404).send()
          const result = await change(user)
          return result.succeeded ? reply.code(204).send() : reply.code(409).send(result.errors)
        })
      }

      admin.delete<{ Params: { id: string } }>('/users/:id/sessions', async ({ params }) => ({
        ended: await sessions.revokeAll(params.id),
      }))
      done()
    },
    { prefix: '/admin' },
  )
  return app
}

await serve(import.meta, (database) => build(database))
