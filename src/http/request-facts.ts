// What a request says of its sender, for the list of sessions and for hook `signingIn`.
import type { FastifyRequest } from 'fastify'

export function factsOf(request: FastifyRequest): { readonly client: string | undefined; readonly address: string } {
  return { client: request.headers['user-agent'], address: request.ip }
}
