// Fields of your own: taken by POST /register, kept with the user, shown and changed by /manage/info, typed as
// user.profile.
import { Type } from '@sinclair/typebox'
import Fastify, { type FastifyInstance } from 'fastify'
import identity, { requireAuthorization } from 'fastify-identity'
import { serve } from './serve.js'

declare module 'fastify-identity' {
  interface Profile {
    nickname?: string
    birthYear?: number
  }
}

export async function build(database: string): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(identity, {
    prefix: '/account',
    database,
    profile: Type.Object({
      nickname: Type.String({ minLength: 1, maxLength: 32 }),
      birthYear: Type.Optional(Type.Integer({ minimum: 1900, maximum: 2100 })),
    }),
  })
  app.get('/hello', { onRequest: requireAuthorization() }, async (request) => {
    const user = await app.identity.users.findById(request.identity!.userId)
    return `Hello ${user?.profile.nickname ?? 'stranger'}`
  })
  return app
}

await serve(import.meta, build)
