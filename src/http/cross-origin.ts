// Cross-site requests that a browser makes with our cookie: refused by what the browser says about their origin (Fetch Metadata),
// as .NET 11 and Go 1.25 do, so that no client has to send a token. Over plain http browsers say nothing but the origin, except on
// loopback: there it must be the host that was asked.
import type { FastifyReply, FastifyRequest } from 'fastify'
import { problemOf, sendProblem } from './problem.js'
import { logRefusal } from './refusals.js'

const safe = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

export interface OriginContext {
  readonly options: {
    readonly csrf: { readonly trustedOrigins: ReadonlySet<string> } | null
    readonly publicUrl: URL | null
  }
}

/** Whether a request may act with, set or clear the cookie (security D11). Clients that are no browsers send neither header and may. */
export function isSameOrigin({ options }: OriginContext, request: FastifyRequest): boolean {
  if (options.csrf === null || (safe.has(request.method) && !opensSocket(request))) return true
  const site = request.headers['sec-fetch-site']
  if (site === 'same-origin' || site === 'none') return true
  const { origin } = request.headers
  if (origin === undefined) return site === undefined
  if (options.csrf.trustedOrigins.has(origin)) return true
  return site === undefined && isHostOf(origin, request)
}

// A browser lets no page choose the Host. A page of http has no say on a host that is asked by https.
function isHostOf(origin: string, { host, protocol }: FastifyRequest): boolean {
  const [, scheme] = /^(https?):\/\/[^/]+$/.exec(origin) ?? []
  if (scheme === undefined || (protocol === 'https' && scheme === 'http')) return false
  const asked = `${scheme}://${host}`
  return host !== '' && URL.canParse(asked) && new URL(asked).origin === origin
}

// A WebSocket is asked for by a GET that carries the cookie, and no same-origin policy keeps its answers from the page (RFC 6455 §10.2).
function opensSocket({ headers }: FastifyRequest): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket'
}

/** 403 for a request that `isSameOrigin` has refused. */
export function sendForbiddenOrigin(reply: FastifyReply): FastifyReply {
  logRefusal(reply.request, opensSocket(reply.request) ? 'socketOriginForeign' : 'originForeign')
  return sendProblem(
    reply,
    problemOf(403, {
      detail: 'A request with a cookie must come from the same origin or from one of option csrf.trustedOrigins',
    }),
  )
}
