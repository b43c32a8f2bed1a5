// Delivery to an SMTP server through nodemailer, one connection per mail: an outbox that is mostly empty gains
// nothing from a pool. Recipients are checked here once more (OWASP ASVS 1.3.11): nodemailer splits `a@x.com,b@y.com`
// into two even as the address of an envelope.
import type { createTransport } from 'nodemailer'
import { deliverable } from './address.js'
import { DeliveryFailed } from './delivery-failed.js'
import type { MailMessage } from './messages.js'
import type { SmtpSettings } from './smtp-url.js'

/**
 * Milliseconds. `totalMs` ends a delivery that makes progress but does not finish; it must be shorter than the minute
 * for which the outbox reserves a mail.
 */
export interface SmtpLimits {
  readonly connectMs: number
  readonly greetingMs: number
  readonly socketMs: number
  readonly totalMs: number
}

export const smtpLimits: SmtpLimits = { connectMs: 10_000, greetingMs: 10_000, socketMs: 30_000, totalMs: 50_000 }

export interface SmtpSender {
  send(message: MailMessage): Promise<void>
  close(): void
}

/**
 * Sends messages to the server of `settings`. Rejects with DeliveryFailed. `close` aborts deliveries in progress and
 * refuses new ones.
 */
export function smtpSender(settings: SmtpSettings, limits: SmtpLimits = smtpLimits): SmtpSender {
  const { from, auth, ...server } = settings
  const inProgress = new Set<AbortController>()
  let closed = false
  let transport: Promise<ReturnType<typeof createTransport>> | undefined

  // Loaded with the first mail: a host with another sender never loads it.
  const open = async () =>
    (await import('nodemailer')).createTransport({
      ...server,
      ...(auth === null ? {} : { auth }),
      connectionTimeout: limits.connectMs,
      dnsTimeout: limits.connectMs,
      greetingTimeout: limits.greetingMs,
      socketTimeout: limits.socketMs,
      disableFileAccess: true,
      disableUrlAccess: true,
    })

  return {
    async send({ to, subject, html, text }) {
      if (closed) throw senderClosed()
      const address = deliverable(to)
      const delivery = new AbortController()
      const tooLong = new DeliveryFailed(`No SMTP delivery within ${limits.totalMs} ms`, 'ETIMEDOUT', false)
      const deadline = setTimeout(() => delivery.abort(tooLong), limits.totalMs)
      inProgress.add(delivery)
      try {
        transport ??= open()
        await (
          await transport
        ).sendMail({
          from,
          to: { name: '', address },
          envelope: { from: from.address, to: [address] },
          subject,
          html,
          text,
          headers: { 'Auto-Submitted': 'auto-generated' }, // RFC 3834 §5: no out-of-office answers
          signal: delivery.signal,
        })
      } catch (error) {
        throw deliveryFailed(delivery.signal.aborted ? delivery.signal.reason : error)
      } finally {
        clearTimeout(deadline)
        inProgress.delete(delivery)
      }
    },
    close() {
      closed = true
      for (const delivery of inProgress) delivery.abort(senderClosed())
    },
  }
}

function senderClosed(): DeliveryFailed {
  return new DeliveryFailed('The SMTP sender is closed', 'ECLOSED', false)
}

// A server may quote the mail, so its text is kept only in answers about an address; otherwise only its codes (RFC
// 3463) are.
function deliveryFailed(error: unknown): DeliveryFailed {
  if (error instanceof DeliveryFailed) return error
  const reason = error instanceof Error ? error : new Error('unknown reason')
  const code = textOf(reason, 'code') ?? 'ESMTP'
  const response = textOf(reason, 'response')
  if (response === null) return new DeliveryFailed(`No SMTP delivery: ${reason.message}`, code, false)

  const command = textOf(reason, 'command') ?? 'CONN'
  const [codes = '', reply = '', status] = /^(\d{3})(?:[ -](\d\.\d{1,3}\.\d{1,3}))?/.exec(response) ?? []
  const said = command === 'MAIL FROM' || command === 'RCPT TO' ? response.slice(0, 300) : codes
  return new DeliveryFailed(
    `The SMTP server refused at ${command}: ${said}`,
    code,
    (command === 'RCPT TO' && isUnknownMailbox(reply, status)) || isRefusedMessage(command, reply, status),
  )
}

// RFC 5321 §4.2.1: a 5xx after DATA refuses this very message, which a retry would send again. So does X.3.4, too big, which may come at MAIL
// FROM already (RFC 1870 §6.1).
function isRefusedMessage(command: string, reply: string, status: string | undefined): boolean {
  return (command === 'DATA' && reply.startsWith('5')) || status === '5.3.4'
}

// A server also answers RCPT with 5xx when it does not relay, rejects the sender, has us on a block list or is full.
// Those are temporary, so the status decides where there is one: X.1.1 no such mailbox, X.1.2 no such host, X.1.3 bad
// syntax, X.1.6 moved, X.1.10 no mail accepted.
function isUnknownMailbox(reply: string, status: string | undefined): boolean {
  if (status === undefined) return ['550', '551', '553'].includes(reply)
  return ['5.1.1', '5.1.2', '5.1.3', '5.1.6', '5.1.10'].includes(status)
}

function textOf(error: Error, name: 'code' | 'command' | 'response'): string | null {
  const value: unknown = Reflect.get(error, name)
  return typeof value === 'string' ? value : null
}
