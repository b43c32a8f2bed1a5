// Cross-site requests that a browser makes with our cookie: refused by what the browser says about their origin (Fetch Metadata),
// as .NET 11 and Go 1.25 do, so that no client has to send a token. Origin is compared with `publicUrl`, never with Host.
import type { FastifyRequest } from 'fastify'

const safe = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

export interface OriginContext {
  readonly options: {
    readonly csrf: { readonly trustedOrigins: ReadonlySet<string> } | null
    readonly publicUrl: URL | null
  }
}

/** Whether a request may act with, set or clear the cookie (security D11). Clients that are no browsers send neither header and may. */
export function isSameOrigin({ options }: OriginContext, request: FastifyRequest): boolean {
  if (options.csrf === null || safe.has(request.method)) return true
  const site = request.headers['sec-fetch-site']
  if (site === 'same-origin' || site === 'none') return true
  const { origin } = request.headers
  if (
    origin !== undefined &&
    (options.csrf.trustedOrigins.has(origin) || isOwnLoopback(options.publicUrl, origin, request))
  )
    return true
  return site === undefined && origin === undefined
}

// Development without `publicUrl`, in a browser too old for Fetch Metadata: a page of this very loopback address.
function isOwnLoopback(publicUrl: URL | null, origin: string, request: FastifyRequest): boolean {
  if (publicUrl !== null || request.headers['sec-fetch-site'] !== undefined) return false
  const [, host] = /^https?:\/\/((?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?)$/.exec(origin) ?? []
  return host !== undefined && host === request.headers.host
}
