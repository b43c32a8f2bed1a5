// Delivers waiting mails; a claim keeps other instances from sending them too. A failed delivery is retried, here or by another instance.
import { nextAttemptSeconds } from '../../email/backoff.js'
import { DeliveryFailed } from '../../email/delivery-failed.js'
import type { ClosableSender, Notice } from '../../email/sender.js'
import type { Db } from '../../store/db.js'
import { type ClaimedMail, claimMails, deleteMail, failMail, nextDueSeconds, postponeMail } from '../../store/outbox.js'
import type { SealingKey } from '../../tokens/seal.js'
import { type Letter, type LetterKind, openLetter } from './letters.js'

export interface DeliveryDependencies {
  readonly db: Db
  readonly vault: () => SealingKey
  /** Null: nothing is delivered. */
  readonly sender: ClosableSender | null
  /** How often mails are looked for that are due, or that another instance has left. Default 2,000. */
  readonly pollMilliseconds?: number
  readonly log: { warn(details: object, message: string): void }
}

export interface Delivery {
  /** Looks for due mails now. */
  readonly wake: () => void
  /** Resolves when no mail waits any more, on any instance; rejects when the database does not answer. */
  flush(): Promise<void>
  /** Stops, and waits a while for deliveries in progress. */
  close(): Promise<void>
}

// A claimed mail belongs to its worker for a minute, longer than a delivery by SMTP can take (50 s); the claim is
// renewed while the delivery runs.
const leaseSeconds = 60
const renewMilliseconds = 20_000
const abandonedMilliseconds = 5 * 60_000
const parallel = 5
const lookMilliseconds = 2_000
const closingMilliseconds = 10_000

export function startDelivery({ db, vault, sender, log, pollMilliseconds = 0 }: DeliveryDependencies): Delivery {
  const running = new Set<Promise<void>>()
  let stopped = sender === null
  let looking: Promise<number> | null = null
  const isStopped = () => stopped
  const timer = setInterval(() => wake(), Math.max(lookMilliseconds, pollMilliseconds))
  timer.unref()

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
    if (sender === null) return
    const letter = openLetter(vault(), mail)
    if (letter === null || mail.kind === 'nothing') {
      if (letter === null) log.warn({ mail: mail.id }, 'a mail of another key ring was dropped')
      await noted(isStopped, () => deleteMail(db, mail.id))
      return
    }
    try {
      await whileHeld(db, mail.id, send(sender, mail.kind as LetterKind, letter))
    } catch (error) {
      const waitSeconds =
        error instanceof DeliveryFailed && error.permanent ? null : nextAttemptSeconds(mail.attempts, mail.ageSeconds)
      log.warn(
        { mail: mail.id, kind: mail.kind, attempts: mail.attempts, reason: reasonOf(error), again: waitSeconds },
        'a mail was not delivered',
      )
      await noted(isStopped, () =>
        waitSeconds === null ? failMail(db, mail.id) : postponeMail(db, mail.id, waitSeconds),
      )
      return
    }
    await noted(isStopped, () => deleteMail(db, mail.id))
  }

  return {
    wake,

    async flush() {
      while (!stopped) {
        wake()
        await looking
        const seconds = await nextDueSeconds(db)
        if (seconds === null) return
        // Being delivered, here or by another instance, or not due yet.
        const pause = running.size > 0 ? 250 : Math.min(Math.max(seconds * 1000, 10), 250)
        // A race of none never ends.
        await within(pause, Promise.race(running))
      }
    },

    async close() {
      stopped = true
      clearInterval(timer)
      await looking
      await within(closingMilliseconds, Promise.all(running))
      sender?.close?.()
    },
  }
}

// The outcome is stored however long it takes: a delivered mail must not be sent again because the database was
// away.
async function noted(isStopped: () => boolean, write: () => Promise<void>): Promise<void> {
  for (let pause = 100; ; pause = Math.min(pause * 2, lookMilliseconds)) {
    try {
      await write()
      return
    } catch (error) {
      if (isStopped()) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, pause).unref())
  }
}

/** Waits for work, for a limited time. */
async function within(milliseconds: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise((resolve) => {
    timer = setTimeout(resolve, milliseconds)
  })
  await Promise.race([work, over]).finally(() => clearTimeout(timer))
}

async function send(sender: ClosableSender, kind: LetterKind, { user, to, content }: Letter): Promise<void> {
  if (kind === 'confirmationLink') await sender.sendConfirmationLink(user, to, content)
  else if (kind === 'passwordResetLink') await sender.sendPasswordResetLink(user, to, content)
  else if (kind === 'securityNotice')
    await sender.sendSecurityNotice(user, to, content as Notice) // written by securityNotice() of outbox.ts
  else await sender.sendPasswordResetCode(user, to, content)
}

// A slow sender keeps its claim, so that no other instance sends the mail too; one that never answers is given up.
async function whileHeld(db: Db, id: string, sending: Promise<void>): Promise<void> {
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

// A sender's error may quote the mail: only its code or name is logged.
function reasonOf(error: unknown): string {
  if (error instanceof DeliveryFailed) return error.code
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
  return code ?? (error instanceof Error ? error.name : 'unknown')
}
