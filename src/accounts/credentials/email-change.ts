// A requested change of address: what is wrong with the address is decided before anything is mailed, and of several requests the last counts.
import type { IdentityError } from '../../errors.js'
import { requestEmailChange } from '../../store/email-changes.js'
import type { Db } from '../../store/db.js'
import { findOwners } from '../../store/users.js'
import { codeHash, sealCode } from '../../tokens/code.js'
import { secondsOf } from '../../tokens/ticket.js'
import { type AccountContext, normalized, uniqueEmailOf, userErrors } from '../users/change-user.js'
import { ownerOf } from '../users/enumeration-safe.js'
import type { MailWriter } from '../mail/outbox.js'
import type { User } from '../users/user.js'

/** The new address of a user, and the user name from then on. */
export interface NewAddress {
  readonly email: string
  readonly userName: string
}

/** For our own routes. */
export interface EmailChanges {
  /** The faults of a new address, and of the user name that goes with it; other users are not read. */
  validate(user: User, next: NewAddress): Promise<readonly IdentityError[]>
  /**
   * Mails the link to the new address, and ends the links of earlier requests. An address that another user has gets no link, which could
   * only fail; the same statements run, and the answer is the same.
   *
   * @param base absolute URL of confirmEmail
   */
  request(user: User, next: NewAddress, base: string): Promise<void>
  /** Ends the links of earlier requests: the user stays at the present address. */
  cancel(user: User): Promise<void>
}

/** @param notifiesOwner whether the owner of a taken address gets a notice; without it, nobody gets a mail */
export function createEmailChanges(context: AccountContext, mail: MailWriter, notifiesOwner: boolean): EmailChanges {
  const { db, clock, keys } = context

  const moved = (user: User, next: NewAddress): User => ({ ...user, ...next, ...normalized(next) })

  function newCode(user: User, newEmail: string): string {
    const contents = { userId: user.id, stamp: user.securityStamp, data: newEmail }
    return sealCode(keys.sealing(), 'changeEmail', contents, secondsOf(clock()))
  }

  async function note(place: Db, user: User, code: string): Promise<void> {
    await requestEmailChange(place, { userId: user.id, codeHash: codeHash(code), issuedAt: secondsOf(clock()) })
  }

  return {
    validate: (user, next) => userErrors(context, moved(user, next), user),

    async request(user, next, base) {
      await mail.writeAlone(async (place) => {
        const code = newCode(user, next.email)
        // Noted for a taken address too: an earlier link that went on would show that it is taken.
        await note(place, user, code)
        const changed = moved(user, next)
        const owners = await findOwners(place, changed, uniqueEmailOf(context, changed))
        const owner = ownerOf(changed, owners)
        if (owner === null) await mail.confirmationLink(place, user, next.email, base, code, next.email)
        else if (notifiesOwner && owner.email !== null) await mail.securityNotice(place, owner, 'accountExists')
        else await mail.nothing(place)
      })
    },

    // A code that is mailed to nobody.
    cancel: (user) => note(db, user, newCode(user, '')),
  }
}
