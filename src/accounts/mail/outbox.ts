// Transactional outbox: mail is stored with the change that causes it and delivered after commit. A failed delivery
// is retried, here or by another instance. No request waits for it.
import { confirmEmailLink, resetPasswordLink } from '../../email/messages.js'
import { nextAttemptSeconds } from '../../email/backoff.js'
import { DeliveryFailed } from '../../email/delivery-failed.js'
import type { ClosableSender, MailUser, Notice } from '../../email/sender.js'
import type { Db } from '../../store/db.js'
import {
  type ClaimedMail,
  claimMails,
  deleteMail,
  failMail,
  insertMail,
  nextDueSeconds,
  type OutboxRecord,
  postponeMail,
} from '../../store/outbox.js'
import type { UserRecord } from '../../store/users.js'
import { open, seal, type SealingKey } from '../../tokens/seal.js'
import { newUuidV7 } from '../../tokens/stamp.js'

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

export interface MailDependencies {
  readonly db: Db
  readonly vault: () => SealingKey
  readonly sender: ClosableSender | null
  readonly links: { readonly confirmEmail: string | null; readonly resetPassword: string | null }
  /** How often mails are looked for that are due, or that another instance has left. Default 2,000. */
  readonly pollMilliseconds?: number
  readonly log: { warn(details: object, message: string): void }
}

type Kind = 'confirmationLink' | 'passwordResetLink' | 'passwordResetCode' | 'securityNotice' | 'nothing'

/** The sealed contents of a row. */
interface Letter {
  readonly user: MailUser
  readonly to: string
  /** The link, the code, or the name of a notice. */
  readonly content: string
}

// A claimed mail belongs to its worker for a minute, longer than a delivery by SMTP can take (50 s); the claim is
// renewed while the delivery runs.
const leaseSeconds = 60
const renewMilliseconds = 20_000
const abandonedMilliseconds = 5 * 60_000
const parallel = 5
const lookMilliseconds = 2_000
const closingMilliseconds = 10_000

export function createMail(dependencies: MailDependencies): MailManager & MailWriter & { close(): Promise<void> } {
  const { db, sender, links, log } = dependencies
  const running = new Set<Promise<void>>()
  let stopped = sender === null
  let looking: Promise<number> | null = null
  const timer = setInterval(() => wake(), Math.max(lookMilliseconds, dependencies.pollMilliseconds ?? 0))
  timer.unref()

  async function write(place: Db, kind: Kind, letter: Letter, userId: string | null): Promise<void> {
    if (sender !== null) await insertMail(place, sealed(kind, letter, userId))
  }

  function sealed(kind: Kind, letter: Letter, userId: string | null): OutboxRecord {
    const id = newUuidV7(Date.now())
    return { id, userId, kind, sealed: seal(dependencies.vault(), 'outbox', JSON.stringify(letter), id) }
  }

  function confirmation(user: UserRecord, email: string, base: string, code: string, changedEmail?: string): Letter {
    const query = { userId: user.id, code, ...(changedEmail === undefined ? {} : { changedEmail }) }
    return { user: mailUser(user), to: email, content: confirmEmailLink(links.confirmEmail ?? base, query) }
  }

  function letterOf(mail: ClaimedMail): Letter | null {
    const vault = dependencies.vault()
    const text = open((id) => (id === vault.id ? vault : null), 'outbox', mail.sealed, mail.id)?.toString()
    return text === undefined ? null : (JSON.parse(text) as Letter) // sealed by write() above
  }

  /** Claims due mails and starts their delivery; returns how many. */
  async function look(): Promise<number> {
    if (stopped || running.size >= parallel) return 0
    const claimed = await claimMails(db, parallel - running.size, leaseSeconds)
    for (const mail of claimed) {
      const delivery: Promise<void> = deliver(mail)
        .catch((error: unknown) => log.warn({ err: error }, 'a mail stays in the outbox'))
        .finally(() => {
          running.delete(delivery)
          wake()
        })
      running.add(delivery)
    }
    return claimed.length
  }

  // One query at a time; a call during it causes one more afterwards.
  let again = false
  function wake(): void {
    if (stopped) return
    if (looking !== null) {
      again = true
      return
    }
    looking = look()
      .catch(() => 0)
      .finally(() => {
        looking = null
        if (again) {
          again = false
          wake()
        }
      })
  }

  async function deliver(mail: ClaimedMail): Promise<void> {
    const letter = letterOf(mail)
    if (letter === null || mail.kind === 'nothing') {
      if (letter === null) log.warn({ mail: mail.id }, 'a mail of another key ring was dropped')
      await noted(() => deleteMail(db, mail.id))
      return
    }
    try {
      await whileHeld(mail.id, send(mail.kind as Kind, letter))
    } catch (error) {
      const waitSeconds =
        error instanceof DeliveryFailed && error.permanent ? null : nextAttemptSeconds(mail.attempts, mail.ageSeconds)
      log.warn(
        { mail: mail.id, kind: mail.kind, attempts: mail.attempts, reason: reasonOf(error), again: waitSeconds },
        'a mail was not delivered',
      )
      await noted(() => (waitSeconds === null ? failMail(db, mail.id) : postponeMail(db, mail.id, waitSeconds)))
      return
    }
    await noted(() => deleteMail(db, mail.id))
  }

  // The outcome is stored however long it takes: a delivered mail must not be sent again because the database was
  // away.
  async function noted(write: () => Promise<void>): Promise<void> {
    for (let pause = 100; ; pause = Math.min(pause * 2, lookMilliseconds)) {
      try {
        await write()
        return
      } catch (error) {
        if (stopped) throw error
      }
      await new Promise((resolve) => setTimeout(resolve, pause).unref())
    }
  }

  async function send(kind: Kind, { user, to, content }: Letter): Promise<void> {
    if (sender === null) return
    if (kind === 'confirmationLink') await sender.sendConfirmationLink(user, to, content)
    else if (kind === 'passwordResetLink') await sender.sendPasswordResetLink(user, to, content)
    else if (kind === 'securityNotice')
      await sender.sendSecurityNotice(user, to, content as Notice) // written by securityNotice() below
    else await sender.sendPasswordResetCode(user, to, content)
  }

  // A slow sender keeps its claim, so that no other instance sends the mail too; one that never answers is given up.
  async function whileHeld(id: string, sending: Promise<void>): Promise<void> {
    const hold = setInterval(() => void postponeMail(db, id, leaseSeconds).catch(() => undefined), renewMilliseconds)
    hold.unref()
    let giveUp: NodeJS.Timeout | undefined
    const never = new Promise<never>((_resolve, reject) => {
      giveUp = setTimeout(() => reject(new Error('the sender did not answer')), abandonedMilliseconds)
      giveUp.unref()
    })
    try {
      await Promise.race([sending, never])
    } finally {
      clearInterval(hold)
      clearTimeout(giveUp)
    }
  }

  const writer: MailWriter = {
    isOn: sender !== null,
    confirmationMail: (user, email, base, code) =>
      sealed('confirmationLink', confirmation(user, email, base, code), user.id),
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
    written: wake,
    async writeAlone(write) {
      if (sender === null) return
      await write(db, writer)
      wake()
    },
  }

  return {
    ...writer,

    async flush() {
      while (!stopped) {
        wake()
        await looking
        const seconds = await nextDueSeconds(db)
        if (seconds === null) return
        // Being delivered, here or by another instance, or not due yet.
        const pause = running.size > 0 ? 250 : Math.min(Math.max(seconds * 1000, 10), 250)
        let waiting: NodeJS.Timeout | undefined
        await Promise.race([
          ...running,
          new Promise((resolve) => {
            waiting = setTimeout(resolve, pause)
          }),
        ])
        clearTimeout(waiting)
      }
    },

    async close() {
      stopped = true
      clearInterval(timer)
      await looking
      let late: NodeJS.Timeout | undefined
      await Promise.race([
        Promise.all(running),
        new Promise((resolve) => {
          late = setTimeout(resolve, closingMilliseconds)
        }),
      ])
      clearTimeout(late)
      sender?.close?.()
    },
  }
}

function mailUser({ id, userName, email }: UserRecord): MailUser {
  return { id, userName, email }
}

// A sender's error may quote the mail: only its code or name is logged.
function reasonOf(error: unknown): string {
  if (error instanceof DeliveryFailed) return error.code
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
  return code ?? (error instanceof Error ? error.name : 'unknown')
}
