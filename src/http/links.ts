// Where mailed links point: the `/confirmEmail` of the prefix that was asked, under `publicUrl`. Never the request's Host.
import type { FastifyRequest } from 'fastify'
import type { Realm } from './context.js'

export function confirmEmailUrl(realm: Realm, request: FastifyRequest): string {
  // Nothing is mailed without publicUrl: option `email` needs it.
  return new URL(`${request.server.prefix}/confirmEmail`, realm.options.publicUrl ?? 'http://localhost').href
}
