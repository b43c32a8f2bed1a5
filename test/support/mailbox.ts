// A mailbox in memory, as a host's own EmailSender, and an app whose mails arrive in it. Also what a person does with a mail: read the
// link or the code, and open it.
import type { EmailSender, MailUser } from '../../src/index.js'
import { type AppOptions, startApp, type TestApp } from './app.js'

export type LetterKind = 'confirmationLink' | 'passwordResetLink' | 'passwordResetCode'

export interface Letter {
  readonly kind: LetterKind
  readonly user: MailUser
  readonly to: string
  /** The link or the code, raw. */
  readonly content: string
}

export class Mailbox implements EmailSender {
  readonly letters: Letter[] = []

  sendConfirmationLink(user: MailUser, to: string, link: string): Promise<void> {
    return this.#keep({ kind: 'confirmationLink', user, to, content: link })
  }

  sendPasswordResetLink(user: MailUser, to: string, link: string): Promise<void> {
    return this.#keep({ kind: 'passwordResetLink', user, to, content: link })
  }

  sendPasswordResetCode(user: MailUser, to: string, code: string): Promise<void> {
    return this.#keep({ kind: 'passwordResetCode', user, to, content: code })
  }

  #keep(letter: Letter): Promise<void> {
    this.letters.push(letter)
    return Promise.resolve()
  }
}

export interface MailApp extends TestApp {
  readonly mailbox: Mailbox
  /** Every letter that `work` caused, once nothing waits to be sent any more. */
  mailsOf(work: () => Promise<unknown>): Promise<readonly Letter[]>
  /** The one letter that `work` caused. */
  mailOf(work: () => Promise<unknown>): Promise<Letter>
}

export const publicUrl = 'https://id.example.com'

/** `startApp` with a mailbox, and links to `publicUrl`. */
export async function startMailApp(options: AppOptions = {}): Promise<MailApp> {
  const mailbox = new Mailbox()
  const app = await startApp({ ...options, identity: { publicUrl, email: mailbox, ...options.identity } })

  async function mailsOf(work: () => Promise<unknown>): Promise<readonly Letter[]> {
    await app.app.identity.mail.flush()
    const before = mailbox.letters.length
    await work()
    await app.app.identity.mail.flush()
    return mailbox.letters.slice(before)
  }

  return {
    ...app,
    mailbox,
    mailsOf,
    async mailOf(work) {
      const [letter, ...more] = await mailsOf(work)
      if (letter === undefined || more.length > 0) throw new Error(`${letter === undefined ? 0 : more.length + 1} mails instead of one`)
      return letter
    },
  }
}

/** Runs `work` with an app of its own, which is closed whatever happens. */
export async function withMailApp(options: AppOptions, work: (app: MailApp) => Promise<void>): Promise<void> {
  const app = await startMailApp(options)
  try {
    await work(app)
  } finally {
    await app.close()
  }
}

/** A mailed link as a browser asks for it: path and query. */
export function pathOf({ content }: Pick<Letter, 'content'>): string {
  const url = new URL(content)
  return url.pathname + url.search
}

/** A parameter of a mailed link. */
export function parameterOf({ content }: Pick<Letter, 'content'>, name: string): string {
  const value = new URL(content).searchParams.get(name)
  if (value === null) throw new Error(`The link has no ${name}`)
  return value
}
