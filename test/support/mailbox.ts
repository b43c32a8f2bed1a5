// An app whose mails arrive in a mailbox in memory.
import { createMailbox, type Letter, type Mailbox } from '../../src/testing/index.js'
import { type AppOptions, startApp, type TestApp } from './app.js'

export type { Letter }

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
  const mailbox = createMailbox()
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
      if (letter === undefined || more.length > 0)
        throw new Error(`${letter === undefined ? 0 : more.length + 1} mails instead of one`)
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

/** A parameter of a mailed link. */
export function parameterOf({ link }: Letter, name: string): string {
  const value = link.searchParams.get(name)
  if (value === null) throw new Error(`The link has no ${name}`)
  return value
}
