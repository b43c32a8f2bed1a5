// "Where you are signed in": a page of your own over app.identity.sessions. (GET and DELETE /manage/sessions do the
// same for a SPA.)
import Fastify, { type FastifyInstance } from 'fastify'
import identity, { requireAuthorization } from 'fastify-identity'
import { serve } from './serve.js'

export async function build(database: string): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(identity, { prefix: '/account', database })
  const { sessions } = app.identity

  app.get('/devices', { onRequest: requireAuthorization() }, async (request) => {
    const { userId, sessionId } = request.identity!
    return (await sessions.list(userId)).map(
      ({ id, client, lastSeenAt }) =>
        `${client ?? 'unknown'}, last seen ${new Date(lastSeenAt).toISOString()}${id === sessionId ? ' (this one)' : ''}`,
    )
  })
  // The caller must have proved the password within the last five minutes.
  app.delete('/devices', { onRequest: requireAuthorization({ maxAgeSeconds: 300 }) }, async (request) => {
    const { userId, sessionId } = request.identity!
    return { signedOut: await sessions.revokeAll(userId, { except: sessionId }) }
  })
  return app
}

await serve(import.meta, build)
