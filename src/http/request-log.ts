// Fastify logs the URL of each request. For our routes the query is left out: a mailed link has a code in it
// (security OP-01).
import type { FastifyBaseLogger, FastifyRequest } from 'fastify'

type Serializer = (request: FastifyRequest) => unknown

/** The symbol under which a pino logger keeps its serializers. */
const serializersOfPino = Symbol.for('pino.serializers')

/** The logger's own `req` serializer without the query. Fastify's types require a string; pino takes any value. */
export function withoutQuery(log: FastifyBaseLogger): { readonly req: (request: FastifyRequest) => string } {
  const { [serializersOfPino]: own } = log as { [serializersOfPino]?: { req?: Serializer } } // pino's, which has no place in Fastify's types
  const serialize = own?.req ?? plain
  return {
    req(request) {
      const said = serialize(request)
      const hasUrl = typeof said === 'object' && said !== null && 'url' in said && typeof said.url === 'string'
      return (hasUrl ? { ...said, url: String(said.url).replace(afterPath, '') } : said) as string
    },
  }
}

// Also where the delimiter is encoded or a semicolon: such a path is not found, and logged all the same.
const afterPath = /(?:[?#;]|%3f|%23|%3b|&|%26).*$/is

const plain: Serializer = ({ method, url, host, ip }) => ({ method, url, host, remoteAddress: ip })
