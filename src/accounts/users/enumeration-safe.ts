// Registering and moving to another address where answers must not tell who has an account (preset 'hardened'; ASVS 5.0 6.3.8). Taken and free
// cost the same statements and the same hash; the owner of what is taken is told by mail, and nobody else. A user name that somebody chose
// apart from the address cannot be hidden from who chooses the same: that is told, as in the reference.
import { failed, type IdentityResult, success } from '../../errors.js'
import { inTransaction, type Trx } from '../../store/transaction.js'
import { findOwners, insertUser } from '../../store/users.js'
import { type AccountContext, normalized, ChangeRefused, uniqueEmailOf } from './change-user.js'
import type { MailWriter } from '../mail/outbox.js'
import { prepareUser } from './new-user.js'
import type { NewUser, User } from './user.js'

export interface HiddenAccounts {
  /**
   * Creates a user, or mails the owner of the address or name and creates nothing; both succeed.
   *
   * @param confirm writes the mail to a new user
   * @returns what is wrong with the user or the password; DuplicateUserName where the name is not the address
   */
  register(given: NewUser, password: string, confirm: (trx: Trx, user: User) => Promise<void>): Promise<IdentityResult>
  /** Writes the mail that a user's wish for another address causes: `confirm`, or to whom that address belongs a notice. */
  mailNewAddress(user: User, next: Pick<User, 'userName' | 'email'>, confirm: () => Promise<void>): Promise<void>
}

export function createHiddenAccounts(
  context: AccountContext,
  mail: MailWriter,
  lockoutForNewUsers: boolean,
): HiddenAccounts {
  const { db, describe, notifier } = context

  /** Who has a user's address, else who has the name. */
  function ownerOf(user: User, owners: readonly User[]): User | null {
    return (
      owners.find(({ normalizedEmail }) => normalizedEmail !== null && normalizedEmail === user.normalizedEmail) ??
      owners[0] ??
      null
    )
  }

  async function tell(owner: User | null): Promise<void> {
    if (owner === null || owner.email === null) await mail.nothing(db)
    else await mail.securityNotice(db, owner, 'accountExists')
  }

  return {
    async register(given, password, confirm) {
      const prepared = await prepareUser(context, given, password, lockoutForNewUsers)
      if (!prepared.succeeded) return prepared
      const { user } = prepared
      let owners: readonly User[] = []
      const isCreated = await unlessTaken(
        inTransaction(db, async (trx) => {
          await notifier.hook('userCreating', trx, user)
          const isWritten = await insertUser(trx, user, uniqueEmailOf(context, user))
          // An address that was taken before addresses had to be unique is in no index.
          owners = await findOwners(trx, user.normalizedUserName, uniqueEmailOf(context, user), user.id)
          // With what hooks have written.
          if (!isWritten || owners.length > 0) throw new ChangeRefused([])
          await confirm(trx, user)
          await notifier.hook('userCreated', trx, user)
        }),
      )
      if (isCreated) {
        mail.written()
        notifier.emit('userCreated', { userId: user.id })
        return success
      }
      const isNameTaken = owners.some(({ normalizedUserName }) => normalizedUserName === user.normalizedUserName)
      if (isNameTaken && user.normalizedUserName !== user.normalizedEmail) {
        return failed(describe, [{ code: 'DuplicateUserName', args: [user.userName] }])
      }
      await tell(ownerOf(user, owners))
      mail.written()
      return success
    },

    async mailNewAddress(user, next, confirm) {
      const changed = { ...user, ...next, ...normalized(next) }
      const owners = await findOwners(db, changed.normalizedUserName, uniqueEmailOf(context, changed), user.id)
      if (owners.length === 0) await confirm()
      else await tell(ownerOf(changed, owners))
    },
  }
}

async function unlessTaken(work: Promise<void>): Promise<boolean> {
  try {
    await work
    return true
  } catch (error) {
    if (error instanceof ChangeRefused) return false
    throw error
  }
}
