// Security notices: what was done to an account, told to its owner by mail (ASVS 5.0 6.3.7), where option `notices` names it. They go only to
// an address that was confirmed, since any other one may be a stranger's.
import type { SecurityNotice } from '../../email/messages.js'
import { type Db, inTransaction, type Trx } from '../../store/transaction.js'
import type { UserRecord } from '../../store/users.js'
import type { MailWriter } from './outbox.js'

export interface Notices {
  /** Writes the mail inside the transaction of what it tells of; whether there is one, so that `written` is called after the commit. */
  write(trx: Trx, notice: SecurityNotice, user: UserRecord): Promise<boolean>
  written(): void
  /** Does `act`, which says whether it has happened, with the mail in one transaction; alone where nothing is to be mailed. */
  telling(db: Db, notice: SecurityNotice, user: UserRecord, act: (place: Db) => Promise<boolean>): Promise<boolean>
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
    write,
    written: () => mail.written(),
    async telling(db, notice, user, act) {
      if (!isMailed(notice, user)) return act(db)
      const hasHappened = await inTransaction(db, async (trx) => (await act(trx)) && (await write(trx, notice, user)))
      if (hasHappened) mail.written()
      return hasHappened
    },
  }
}
