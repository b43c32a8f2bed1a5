// The half-way ticket of a sign-in in two steps: the first factor was proved, a code of the second is still to come. It carries the id of the
// session to be opened, which the database opens once: that makes the ticket single-use, on any number of instances.
import type { Clock } from '../../clock.js'
import { isUuid } from '../../ids.js'
import { openCode, sealCode } from '../../tokens/code.js'
import { keyIdOf } from '../../tokens/seal.js'
import { newUuidV7 } from '../../tokens/stamp.js'
import { secondsOf } from '../../tokens/ticket.js'
import type { Keys } from '../keys/key-manager.js'
import type { User } from '../users/user.js'

/** How long a half-way ticket lasts, as in the reference (cookie `Identity.TwoFactorUserId`). */
export const twoFactorTicketSeconds = 300

/** Text that only this realm can have made: which user has proved the first factor, and when. */
export interface TwoFactorTicket {
  readonly userId: string
  /** The user's name at the first step. */
  readonly userName: string
  /** To be compared with the user's stamp by `isMarkOf`. */
  readonly stampMark: string
  /** The session that this sign-in opens. */
  readonly sessionId: string
  /** When the first factor was proved, in whole seconds. */
  readonly issuedAt: number
  /** The other system whose login was the first factor; null for a password. */
  readonly loginProvider: string | null
}

export interface TwoFactorTickets {
  issue(user: User, loginProvider?: string | null): string
  /** The ticket; null without a reason for any other text, and for one that has expired. */
  read(text: string): Promise<TwoFactorTicket | null>
}

export function createTwoFactorTickets(
  keys: Pick<Keys, 'sealing' | 'find' | 'reload'>,
  clock: Clock,
): TwoFactorTickets {
  return {
    issue(user, loginProvider = null) {
      const data = JSON.stringify([newUuidV7(clock()), user.userName, loginProvider])
      return sealCode(
        keys.sealing(),
        'twoFactor',
        { userId: user.id, stamp: user.securityStamp, data },
        secondsOf(clock()),
      )
    },
    async read(text) {
      // Another instance may have just made its key.
      const keyId = keyIdOf(text, 'twoFactor')
      if (keyId !== null && keys.find(keyId) === null) await keys.reload()
      const code = openCode(keys.find, 'twoFactor', text, secondsOf(clock()), twoFactorTicketSeconds)
      if (code === null) return null
      const data: unknown = JSON.parse(code.data)
      if (!isTicketData(data)) return null
      const [sessionId, userName, loginProvider] = data
      const { userId, stampMark, issuedAt } = code
      return { userId, userName, stampMark, sessionId, issuedAt, loginProvider }
    },
  }
}

// Checked although authenticated: a ticket of a later version must not be read in part.
function isTicketData(data: unknown): data is [sessionId: string, userName: string, loginProvider: string | null] {
  if (!Array.isArray(data) || data.length !== 3) return false
  const [sessionId, userName, loginProvider] = data as unknown[] // Array.isArray says any[]
  return (
    typeof sessionId === 'string' &&
    isUuid(sessionId) &&
    typeof userName === 'string' &&
    (loginProvider === null || typeof loginProvider === 'string')
  )
}
