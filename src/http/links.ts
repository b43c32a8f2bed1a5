// The target of mailed links: the `/confirmEmail` of the prefix of the request, under `publicUrl`. Never the
// request's Host.
import type { FastifyRequest } from 'fastify'
import type { Realm } from './context.js'

export function confirmEmailUrl(realm: Realm, request: FastifyRequest): string {
  // No mail without publicUrl: option `email` requires it.
  return new URL(`${request.server.prefix}/confirmEmail`, realm.options.publicUrl ?? 'http://localhost').href
}
