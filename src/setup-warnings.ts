// Mistakes of a set-up that still lets the application start: each is logged as a warning with its remedy. Without a logger the process
// emits it once (`process.emitWarning`), so that it is seen at all. Mistakes that nothing works with are errors of options.ts.
import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import warnings from 'process-warning'
import type { ResolvedOptions } from './options.js'

const name = 'FastifyIdentityWarning'

const secretUnset = warnings.createWarning({
  name,
  code: 'FST_IDENTITY_SECRET_UNSET',
  message:
    "option 'secret' (IDENTITY_SECRET) is not set: keys lie unwrapped in the database. In production the plugin refuses to start without it",
})
const mailUnset = warnings.createWarning({
  name,
  code: 'FST_IDENTITY_EMAIL_UNSET',
  message:
    "option 'signIn.%s' is set and option 'email' is not: no confirmation is ever mailed, and new users cannot sign in. Set 'email', or " +
    'confirm addresses yourself with app.identity.users.confirmEmail',
})

const proxyUntrusted = warnings.createWarning({
  name,
  code: 'FST_IDENTITY_PROXY_UNTRUSTED',
  message:
    "a request came with 'X-Forwarded-Proto: https' and counts as http, and its address is that of the proxy: Fastify's 'trustProxy' does not " +
    "trust the sender. Without 'publicUrl' cookies are not secure and mailed links begin with http. Set 'trustProxy' to the addresses of your proxy",
})

type Checked = Pick<ResolvedOptions, 'email' | 'signIn'>

/**
 * Warns of what the options make impossible, or unsafe outside of production.
 *
 * @param isUnwrapped whether the key ring lies in the database without a root secret around it
 */
export function warnOfSetup(log: FastifyBaseLogger, { email, signIn }: Checked, isUnwrapped: boolean): void {
  if (isUnwrapped) emit(log, secretUnset)
  const confirmation = signIn.requireConfirmedEmail
    ? 'requireConfirmedEmail'
    : signIn.requireConfirmedAccount && signIn.isConfirmed === null
      ? 'requireConfirmedAccount'
      : null
  if (email === null && confirmation !== null) emit(log, mailUnset, confirmation)
}

/** Warns once, of the first request that a proxy took by https and that counts as http here. */
export function watchProxy(log: FastifyBaseLogger): (request: FastifyRequest) => void {
  let isDone = false
  return ({ headers, protocol }) => {
    const proto = headers['x-forwarded-proto']
    if (isDone || proto === undefined || protocol !== 'http' || !/^\s*https\s*(?:,|$)/i.test(String(proto))) return
    isDone = true
    emit(log, proxyUntrusted)
  }
}

function emit(log: FastifyBaseLogger, warning: ReturnType<typeof warnings.createWarning>, detail?: string): void {
  const level: unknown = log.level // Fastify's logger has none where the host has switched it off
  if (level === undefined) warning(detail)
  else log.warn({ code: warning.code }, warning.format(detail))
}
