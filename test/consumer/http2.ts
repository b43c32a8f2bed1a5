// A host over HTTP/2: the plugin, the guards and the decorators are typed for it as for any other.
import Fastify from 'fastify'
import identity, { allowAnonymous, identityRoutes, requireAuthorization } from 'fastify-identity'

export async function overHttp2(database: string) {
  const app = Fastify({ http2: true })
  await app.register(identity, { prefix: '/account', database })
  await app.register(identityRoutes, { prefix: '/v2' })
  app.get('/desk', { onRequest: requireAuthorization({ roles: ['clerk'] }) }, (request) => request.identity?.userName)
  app.get('/hello', { onRequest: [allowAnonymous()] }, (request) => request.identity?.userName)
  app.addHook('onRequest', requireAuthorization())
  return app.identity.users.findByName('ann')
}
