// What a schema cannot say about origins, pages and the cookie.
import { InvalidOption } from '../errors.js'
import type { Resolved } from '../option-schema.js'
import type { httpOptions } from './options.js'

/** An origin: scheme, host and port, nothing else. @throws FST_IDENTITY_INVALID_OPTION */
export function origin(option: string, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  if (
    url === null ||
    !/^https?:$/.test(url.protocol) ||
    url.pathname !== '/' ||
    url.search !== '' ||
    url.hash !== '' ||
    url.username !== '' ||
    url.password !== ''
  ) {
    throw new InvalidOption(
      option,
      'is not an origin',
      'Write scheme, host and port only, for example https://api.example.com',
    )
  }
  return url
}

/** The absolute URL of a page, or null. @throws FST_IDENTITY_INVALID_OPTION */
export function page(option: string, text: string | undefined): string | null {
  if (text === undefined) return null
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new InvalidOption(
      option,
      'is not an absolute URL',
      'Write it whole, for example https://app.example.com/confirm',
    )
  }
  return text
}

/** The origins that may send unsafe requests with the cookie. @throws FST_IDENTITY_INVALID_OPTION */
export function trustedOrigins(list: readonly string[], publicUrl: URL | null): ReadonlySet<string> {
  if (list.includes('*'))
    throw new InvalidOption(
      'csrf.trustedOrigins',
      'contains *',
      'Name each origin, for example https://app.example.com',
    )
  const origins = list.map((text) => appOrigin(text) ?? origin('csrf.trustedOrigins', text).origin)
  return new Set(publicUrl === null ? origins : [publicUrl.origin, ...origins])
}

// What pages of an application send as Origin: capacitor://localhost, ionic://localhost, tauri://localhost, app://-, chrome-extension://id.
// Schemes whose pages have no origin of their own send `null`, which is never trusted.
function appOrigin(text: string): string | null {
  const [, scheme, host] = /^([a-z][a-z0-9+.-]*):\/\/([^\s/?#@]+)\/?$/i.exec(text) ?? []
  if (scheme === undefined || host === undefined) return null
  const isOther = /^(?:https?|wss?|ftp|file|data|blob|about|javascript|view-source)$/i.test(scheme)
  return isOther ? null : `${scheme.toLowerCase()}://${host.toLowerCase()}`
}

/** @throws FST_IDENTITY_INVALID_OPTION for attributes that a browser would refuse together */
export function checkCookie(
  cookie: Resolved<typeof httpOptions.properties>['cookie'],
  decorator: string,
  publicUrl: URL | null,
): void {
  const isInsecure = cookie.secure === false || (cookie.secure === 'auto' && publicUrl?.protocol === 'http:')
  if (cookie.sameSite === 'none' && isInsecure) {
    throw new InvalidOption(
      'cookie.sameSite',
      "'none' needs a secure cookie: browsers drop any other",
      cookie.secure === false
        ? "Set cookie.secure to true, or sameSite to 'lax'"
        : "Set publicUrl to an https origin, cookie.secure to true, or sameSite to 'lax'",
    )
  }
  const name = cookie.name ?? decorator
  if (name.startsWith('__Host-') && (cookie.domain !== null || cookie.path !== '/' || cookie.secure === false)) {
    throw new InvalidOption(
      'cookie.name',
      "starts with '__Host-', which allows no domain, no path but / and no insecure cookie",
      'Choose another name',
    )
  }
}
