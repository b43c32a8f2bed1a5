// Reads the SMTP URL of option `email`. Not left to nodemailer, which would read any of its own options from the URL,
// even those that disable certificate checks. No error message contains a part of the URL, which may hold a password
// anywhere.
import { InvalidOption } from '../errors.js'
import { isDeliverable } from './address.js'

export interface SmtpSettings {
  readonly host: string
  readonly port: number
  /** TLS from the first byte (`smtps:`). Otherwise STARTTLS is used when the server offers it. */
  readonly secure: boolean
  /** Refuse a server that does not offer STARTTLS. */
  readonly requireTLS: boolean
  readonly auth: { readonly user: string; readonly pass: string } | null
  readonly from: { readonly name: string; readonly address: string }
}

/**
 * Reads `smtp://` (port 587) or `smtps://` (port 465) URLs. User and password are percent-encoded, except for
 * letters, digits and `-._~`. Parameters: `from`, the sender (`a@example.com` or `Name <a@example.com>`), and
 * `requireTLS`, by default true when a password would be sent to another machine.
 * @param from overrides the URL's own `from`
 * @throws FST_IDENTITY_INVALID_OPTION; its message contains no part of the URL
 */
export function readSmtpUrl(text: string, from?: string): SmtpSettings {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || (url.protocol !== 'smtp:' && url.protocol !== 'smtps:'))
    throw refused('is not an SMTP URL', example)
  if (url.hostname === '') throw refused('is an SMTP URL without a host', example)
  // An unencoded '/', '?' or '#' in a password ends the host early; the rest must not be read as a path or a
  // parameter.
  if (
    !['', '/'].includes(url.pathname) ||
    url.hash !== '' ||
    [...url.searchParams.keys()].some((name) => !parameters.includes(name))
  ) {
    throw refused(
      'is an SMTP URL with unknown parts',
      `Percent-encode user and password; the parameters are ${parameters.join(' and ')}`,
    )
  }

  const secure = url.protocol === 'smtps:'
  const auth = credentialsOf(url)
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (secure ? 465 : 587) : Number(url.port),
    secure,
    requireTLS: flag(url, 'requireTLS') ?? (!secure && auth !== null && !isLoopback(url.hostname)),
    auth,
    from: mailboxOf(from ?? url.searchParams.get('from')),
  }
}

const parameters = ['from', 'requireTLS']
const example = 'Set it to a URL such as smtps://user:password@mail.example.com?from=no-reply@example.com'

function refused(problem: string, remedy: string): Error {
  return new InvalidOption('email', problem, remedy)
}

function credentialsOf(url: URL): SmtpSettings['auth'] {
  if (url.username === '' && url.password === '') return null
  if (url.username === '' || url.password === '') {
    throw refused('is an SMTP URL with half of its credentials', 'Give both user and password, or neither')
  }
  try {
    return { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) }
  } catch {
    throw refused('is an SMTP URL with a broken percent-encoding', "Write a '%' in user or password as %25")
  }
}

function flag(url: URL, name: string): boolean | null {
  const value = url.searchParams.get(name)
  if (value === null) return null
  if (value === 'true' || value === 'false') return value === 'true'
  throw refused(`is an SMTP URL whose ${name} is neither true nor false`, 'Set it to one of them, or leave it out')
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}

function mailboxOf(text: string | null): SmtpSettings['from'] {
  if (text === null || text === '') throw refused('names no sender address', example)
  const open = text.endsWith('>') ? text.lastIndexOf('<') : -1
  const name = open < 0 ? '' : text.slice(0, open).trim()
  const address = open < 0 ? text : text.slice(open + 1, -1)
  if (isDeliverable(address) && !/\p{Cc}/u.test(name)) return { name, address }
  throw refused(
    'names a sender that is not an e-mail address',
    "Write from as a@example.com or Name <a@example.com>; a '+' in a URL is %2B",
  )
}
