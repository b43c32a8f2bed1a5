// The senders of mail: the host's own EmailSender, an object that takes finished messages, or an SMTP server by URL.
// All three become one EmailSender. When mail is sent, and what happens after a failure, is decided by the outbox.
import { InvalidOption } from '../errors.js'
import { deliverable } from './address.js'
import {
  confirmationLinkMail,
  type MailMessage,
  type Notice,
  passwordResetCodeMail,
  passwordResetLinkMail,
  securityNoticeMail,
} from './messages.js'
import { smtpSender } from './smtp.js'
import { readSmtpUrl } from './smtp-url.js'

export type { MailMessage, Notice, SecurityNotice } from './messages.js'

/** What a sender gets to know about the recipient. */
export interface MailUser {
  /** The id of the user. */
  readonly id: string
  /** The user name; null where it is not known. */
  readonly userName: string | null
  /** The address as stored; null without one. */
  readonly email: string | null
}

/**
 * The reference's IEmailSender. `email` is the recipient: the stored address, or the new one while it is being
 * changed. Links and codes are raw: escape them for html. A rejected promise means "not sent, try again". After a
 * crash a mail may be sent twice.
 */
export interface EmailSender {
  /** Sends the link that confirms an address. */
  sendConfirmationLink(user: MailUser, email: string, link: string): Promise<void>
  /** Sends the link to the page of option `links.resetPassword`. */
  sendPasswordResetLink(user: MailUser, email: string, link: string): Promise<void>
  /** Sends the code that resets a password; without option `links.resetPassword`. */
  sendPasswordResetCode(user: MailUser, email: string, code: string): Promise<void>
  /** Required with option `notices` or preset `hardened`, otherwise unused. The reference has no such mails. */
  sendSecurityNotice?(user: MailUser, email: string, notice: Notice): Promise<void>
}

/** Takes messages with the default texts. `to` is one address without separators or quotes, safe wherever a mailbox is expected. */
export interface MessageSender {
  /** Sends one message. A rejected promise means that it was not sent. */
  send(message: MailMessage): Promise<void>
}

/** Option `email`: a sender of either kind, or an SMTP URL such as `smtps://user:password@mail.example.com?from=no-reply@example.com`. */
export type EmailOption = EmailSender | MessageSender | string

/**
 * `close` exists only for a sender that was opened here: it aborts deliveries in progress. A host's own sender is
 * never closed.
 */
export type ClosableSender = Required<EmailSender> & { close?(): void }

/**
 * The sender that `option` describes.
 * @param from sender address for an SMTP URL, overrides its `from` parameter; `a@example.com` or `Name
 * <a@example.com>`
 * @throws FST_IDENTITY_INVALID_OPTION when `option` is none of the three kinds
 */
export function createSender(option: EmailOption, from?: string): ClosableSender {
  if (typeof option === 'string') {
    const smtp = smtpSender(readSmtpUrl(option, from))
    return { ...withDefaultTexts(smtp), close: () => smtp.close() }
  }
  if (isEmailSender(option)) return unclosable(option)
  if (isMessageSender(option)) return withDefaultTexts(option)
  throw new InvalidOption(
    'email',
    'is no sender',
    'Pass an object with sendConfirmationLink, sendPasswordResetLink and sendPasswordResetCode, an object with send(message), or an SMTP URL',
  )
}

/** Whether a sender can send the mails of option `notices`: every one except an EmailSender without the method. */
export function mailsNotices(option: EmailOption): boolean {
  return !isEmailSender(option) || hasMethod(option, 'sendSecurityNotice')
}

function withDefaultTexts(sender: MessageSender): Required<EmailSender> {
  return {
    sendConfirmationLink: async (_user, email, link) => sender.send(confirmationLinkMail(deliverable(email), link)),
    sendPasswordResetLink: async (_user, email, link) => sender.send(passwordResetLinkMail(deliverable(email), link)),
    sendPasswordResetCode: async (_user, email, code) => sender.send(passwordResetCodeMail(deliverable(email), code)),
    sendSecurityNotice: async (_user, email, notice) => sender.send(securityNoticeMail(deliverable(email), notice)),
  }
}

// The async arrow functions turn a synchronous exception of a sender into a rejection.
function unclosable(sender: EmailSender): Required<EmailSender> {
  return {
    sendConfirmationLink: async (user, email, link) => sender.sendConfirmationLink(user, email, link),
    sendPasswordResetLink: async (user, email, link) => sender.sendPasswordResetLink(user, email, link),
    sendPasswordResetCode: async (user, email, code) => sender.sendPasswordResetCode(user, email, code),
    sendSecurityNotice: async (user, email, notice) => {
      // The mail was stored by an instance with option `notices`, and must be sent by one.
      if (sender.sendSecurityNotice === undefined) throw new Error('The sender has no sendSecurityNotice')
      await sender.sendSecurityNotice(user, email, notice)
    },
  }
}

// Both take unknown: nothing else checks the type that a JavaScript host passes.
function isEmailSender(option: unknown): option is EmailSender {
  return (
    hasMethod(option, 'sendConfirmationLink') &&
    hasMethod(option, 'sendPasswordResetLink') &&
    hasMethod(option, 'sendPasswordResetCode')
  )
}

function isMessageSender(option: unknown): option is MessageSender {
  return hasMethod(option, 'send')
}

function hasMethod(option: unknown, name: string): boolean {
  return typeof option === 'object' && option !== null && typeof Reflect.get(option, name) === 'function'
}
