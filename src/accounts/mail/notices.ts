// Security notices: mails to users about changes of their account (ASVS 5.0 6.3.7), as option `notices` says. Sent to
// confirmed addresses only, since any other one may be a stranger's.
import type { SecurityNotice } from '../../email/messages.js'
import type { Db, Trx } from '../../store/db.js'
import { inTransaction } from '../../store/transaction.js'
import type { UserRecord } from '../../store/users.js'
import type { MailWriter } from './outbox.js'

export interface Notices {
  /** Whether this notice goes out to this user. */
  isMailed(notice: SecurityNotice, user: UserRecord): boolean
  /**
   * Writes the mail inside the transaction of its cause; returns whether there is one, so that `written` is called
   * after the commit.
   */
  write(trx: Trx, notice: SecurityNotice, user: UserRecord): Promise<boolean>
  written(): void
  /**
   * Runs `act`, which returns whether it took effect, with the mail in one transaction; `act` alone when nothing is
   * to be mailed.
   */
  withNotice(db: Db, notice: SecurityNotice, user: UserRecord, act: (place: Db) => Promise<boolean>): Promise<boolean>
}

export function createNotices(named: readonly SecurityNotice[], mail: MailWriter): Notices {
  const isMailed = (notice: SecurityNotice, user: UserRecord) =>
    named.includes(notice) && user.email !== null && user.emailConfirmed

  async function write(trx: Trx, notice: SecurityNotice, user: UserRecord): Promise<boolean> {
    if (!isMailed(notice, user)) return false
    await mail.securityNotice(trx, user, notice)
    return true
  }

  return {
    isMailed,
    write,
    written: () => mail.written(),
    async withNotice(db, notice, user, act) {
      if (!isMailed(notice, user)) return act(db)
      const hasHappened = await inTransaction(db, async (trx) => (await act(trx)) && (await write(trx, notice, user)))
      if (hasHappened) mail.written()
      return hasHappened
    },
  }
}
