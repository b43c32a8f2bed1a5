// Transactional outbox: mail is stored with the change that causes it and delivered after commit. No request waits for it.
import { confirmEmailLink, resetPasswordLink } from '../../email/messages.js'
import type { MailUser, Notice } from '../../email/sender.js'
import type { Db } from '../../store/db.js'
import { insertMail, type OutboxRecord } from '../../store/outbox.js'
import type { UserRecord } from '../../store/users.js'
import { type DeliveryDependencies, startDelivery } from './delivery.js'
import { type Letter, type LetterKind, sealLetter } from './letters.js'

/** `app.identity.mail`. */
export interface MailManager {
  /** Resolves when no mail waits any more, on any instance; rejects when the database does not answer. */
  flush(): Promise<void>
}

/** Stores mails. Call each method inside the transaction of its change, and `written` after the commit. */
export interface MailWriter {
  /** Whether option `email` is set; without it nothing is stored. */
  readonly isOn: boolean
  /** A confirmation link that is not written yet, for the statement that writes its user. */
  confirmationMail(user: UserRecord, email: string, base: string, code: string): OutboxRecord
  confirmationLink(
    db: Db,
    user: UserRecord,
    email: string,
    base: string,
    code: string,
    changedEmail?: string,
  ): Promise<void>
  /** A link when option `links.resetPassword` names a page, otherwise the code. */
  passwordReset(db: Db, user: UserRecord, code: string): Promise<void>
  /** To the current address of `user`. */
  securityNotice(db: Db, user: UserRecord, notice: Notice): Promise<void>
  /** Stores a row without a mail: an address without a user must not get a faster response (security EN-02). */
  nothing(db: Db): Promise<void>
  /** Starts the delivery of mails that were committed. */
  written(): void
  /** Writes mail that belongs to no other change, and has it delivered; nothing without option `email`. */
  writeAlone(write: (db: Db, mail: MailWriter) => Promise<void>): Promise<void>
}

export interface MailDependencies extends DeliveryDependencies {
  readonly links: { readonly confirmEmail: string | null; readonly resetPassword: string | null }
}

export function createMail(dependencies: MailDependencies): MailManager & MailWriter & { close(): Promise<void> } {
  const { db, vault, sender, links } = dependencies
  const delivery = startDelivery(dependencies)

  async function write(place: Db, kind: LetterKind, letter: Letter, userId: string | null): Promise<void> {
    if (sender !== null) await insertMail(place, sealLetter(vault(), kind, letter, userId))
  }

  function confirmation(user: UserRecord, email: string, base: string, code: string, changedEmail?: string): Letter {
    const query = { userId: user.id, code, ...(changedEmail === undefined ? {} : { changedEmail }) }
    return { user: mailUser(user), to: email, content: confirmEmailLink(links.confirmEmail ?? base, query) }
  }

  const writer: MailWriter = {
    isOn: sender !== null,
    confirmationMail: (user, email, base, code) =>
      sealLetter(vault(), 'confirmationLink', confirmation(user, email, base, code), user.id),
    confirmationLink: (place, user, email, base, code, changedEmail) =>
      write(place, 'confirmationLink', confirmation(user, email, base, code, changedEmail), user.id),
    passwordReset: (place, user, code) =>
      links.resetPassword === null
        ? write(place, 'passwordResetCode', { user: mailUser(user), to: user.email ?? '', content: code }, user.id)
        : write(
            place,
            'passwordResetLink',
            {
              user: mailUser(user),
              to: user.email ?? '',
              content: resetPasswordLink(links.resetPassword, { email: user.email ?? '', code }),
            },
            user.id,
          ),
    securityNotice: (place, user, notice) =>
      write(place, 'securityNotice', { user: mailUser(user), to: user.email ?? '', content: notice }, user.id),
    nothing: (place) =>
      write(place, 'nothing', { user: { id: '', userName: '', email: '' }, to: '', content: '-'.repeat(100) }, null),
    written: delivery.wake,
    async writeAlone(write) {
      if (sender === null) return
      await write(db, writer)
      delivery.wake()
    },
  }

  return { ...writer, flush: () => delivery.flush(), close: () => delivery.close() }
}

function mailUser({ id, userName, email }: UserRecord): MailUser {
  return { id, userName, email }
}
