// A mailbox in memory for option `email`. Mails are delivered after the request that causes them: `await app.identity.mail.flush()` first.
import type { EmailSender, MailUser } from '../email/sender.js'

/** What a mail is for. */
export type LetterKind = 'confirmationLink' | 'passwordResetLink' | 'passwordResetCode' | 'securityNotice'

/** A mail that was sent. */
export interface Letter {
  /** What the mail is for. */
  readonly kind: LetterKind
  /** The user it was sent to. */
  readonly user: MailUser
  /** The address it was sent to. */
  readonly to: string
  /** The link or the code, raw; for a security notice its name. */
  readonly content: string
  /** The link. @throws Error when the mail has none */
  readonly link: URL
  /** The link's path and query, for `app.inject`. @throws Error when the mail has no link */
  readonly path: string
  /** The code, or the parameter `code` of the link. @throws Error when the mail has none */
  readonly code: string
}

/** A sender for option `email` that keeps what it gets. */
export interface Mailbox extends Required<EmailSender> {
  /** All mails so far, oldest first. */
  readonly letters: readonly Letter[]
  /** The newest mail, or the newest to an address. @throws Error when there is none */
  last(address?: string): Letter
}

/** Makes an empty mailbox for option `email`; `await app.identity.mail.flush()` before reading it. */
export function createMailbox(): Mailbox {
  const letters: Letter[] = []
  const keep =
    (kind: LetterKind) =>
    (user: MailUser, to: string, content: string): Promise<void> => {
      letters.push(new MailedLetter(kind, user, to, content))
      return Promise.resolve()
    }
  return {
    letters,
    last(address) {
      const letter = letters.findLast(({ to }) => address === undefined || to === address)
      if (letter === undefined)
        throw new Error(
          `No mail has come${address === undefined ? '' : ` to ${address}`}; await app.identity.mail.flush() first`,
        )
      return letter
    },
    sendConfirmationLink: keep('confirmationLink'),
    sendPasswordResetLink: keep('passwordResetLink'),
    sendPasswordResetCode: keep('passwordResetCode'),
    sendSecurityNotice: keep('securityNotice'),
  }
}

class MailedLetter implements Letter {
  constructor(
    readonly kind: LetterKind,
    readonly user: MailUser,
    readonly to: string,
    readonly content: string,
  ) {}

  get link(): URL {
    if (this.kind === 'confirmationLink' || this.kind === 'passwordResetLink') return new URL(this.content)
    throw new Error(`A ${this.kind} has no link`)
  }

  get path(): string {
    const { pathname, search } = this.link
    return pathname + search
  }

  get code(): string {
    const code = this.kind === 'passwordResetCode' ? this.content : this.link.searchParams.get('code')
    if (code === null) throw new Error(`This ${this.kind} has no code`)
    return code
  }
}
