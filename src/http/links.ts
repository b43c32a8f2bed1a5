// The target of mailed links: the `/confirmEmail` of the prefix of the request, under `publicUrl`. Never the
// request's Host.
import type { FastifyRequest } from 'fastify'

export interface LinkContext {
  readonly options: { readonly publicUrl: URL | null }
}

export function confirmEmailUrl({ options }: LinkContext, request: FastifyRequest): string {
  // No mail without publicUrl: option `email` requires it.
  return new URL(`${request.server.prefix}/confirmEmail`, options.publicUrl ?? 'http://localhost').href
}
