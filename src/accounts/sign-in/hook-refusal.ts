// Hook `signingIn`: a host's own reasons to refuse a sign-in, a refresh or a cookie's validation.
import { printable } from '../../store/sessions.js'
import type { UserRecord } from '../../store/users.js'
import type { Notifier } from '../users/hooks.js'
import type { SessionOptions } from './sign-in-steps.js'

/** What the hook learns of a request. */
export type RequestFacts = SessionOptions

export interface HookRefusalDependencies {
  readonly notifier: Pick<Notifier, 'refusal'>
  readonly log: { warn(about: object, message: string): void }
}

/** Whether the hook refuses; its reason is logged. */
export async function isRefused(
  { notifier, log }: HookRefusalDependencies,
  user: UserRecord,
  method: string,
  { client, address }: RequestFacts = {},
): Promise<boolean> {
  if (notifier.refusal === null) return false
  const reason = await notifier.refusal({ user, method, client: printable(client), address: printable(address) })
  if (reason === null) return false
  log.warn({ userId: user.id, method, reason }, 'hooks.signingIn refused a sign-in')
  return true
}
