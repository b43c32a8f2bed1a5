// A small real SMTP server on 127.0.0.1 (RFC 5321 §4.1, AUTH PLAIN of RFC 4954) that keeps what it accepts and
// misbehaves on demand. No TLS.
import { EventEmitter, once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { readMime, type Mime } from './mime.js'

/**
 * - `accept`: takes every mail
 * - `hang`: takes the connection and never says a word
 * - `refuse`: greets with 421, a temporary failure
 * - `reject`: answers every recipient with `rejection`
 * - `drop`: takes the connection down when the mail is complete, without having kept it
 * - `lose-answer`: keeps the mail, then takes the connection down instead of answering
 * - `slow`: waits `delayMs` before each answer
 */
export type SmtpMode = 'accept' | 'hang' | 'refuse' | 'reject' | 'drop' | 'lose-answer' | 'slow'

export interface ReceivedMail extends Mime {
  /** The envelope, as given to MAIL and RCPT, without the angle brackets. */
  readonly from: string
  readonly to: readonly string[]
  readonly raw: string
}

export class SmtpServer {
  mode: SmtpMode = 'accept'
  delayMs = 50
  rejection = '550 5.1.1 no such mailbox'
  /** Answered to the mail's content instead of 250 when set. */
  contentRejection: string | null = null
  readonly mails: ReceivedMail[] = []
  /** Every command line received, credentials too. */
  readonly commands: string[] = []
  readonly #arrivals = new EventEmitter().setMaxListeners(0)
  readonly #sockets = new Set<Socket>()
  #server: Server | null = null
  #port = 0

  get port(): number {
    return this.#port
  }

  /** As option `email` takes it, with a sender. */
  get url(): string {
    return `smtp://127.0.0.1:${this.#port}?from=no-reply@example.com`
  }

  /** Listens; after a stop on the same port as before. */
  async start(): Promise<this> {
    const server = createServer((socket) => void this.#serve(socket))
    server.listen(this.#port, '127.0.0.1')
    await once(server, 'listening')
    this.#server = server
    this.#port = (server.address() as AddressInfo).port // a listening TCP server has one
    return this
  }

  /** Stops listening and takes every connection down. Mails stay. */
  async stop(): Promise<void> {
    if (this.#server === null) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server = null
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  /** Resolves once `count` mails have arrived, counted from the first. */
  async received(count: number): Promise<readonly ReceivedMail[]> {
    while (this.mails.length < count) await once(this.#arrivals, 'mail')
    return this.mails
  }

  /** Resolves once `count` command lines have arrived that begin with `word`. */
  async asked(word: string, count = 1): Promise<void> {
    while (this.commands.filter((line) => line.startsWith(word)).length < count) await once(this.#arrivals, 'command')
  }

  /** Resolves with the next connection, before it is greeted. */
  async connected(): Promise<void> {
    await once(this.#arrivals, 'connection')
  }

  async #serve(socket: Socket): Promise<void> {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket)).on('error', () => undefined) // a peer that resets is no failure of ours
    this.#arrivals.emit('connection')
    if (this.mode === 'hang') return void socket.resume()
    if (this.mode === 'refuse') return void socket.end('421 4.3.2 not now\r\n')

    socket.write('220 test ESMTP\r\n')
    const mail = { from: '', to: [] as string[], lines: null as string[] | null }
    try {
      for await (const line of linesOf(socket)) {
        const answer = mail.lines === null ? this.#command(line, mail) : this.#content(line, mail.lines, mail)
        if (answer === null) continue
        if (answer === 'down') return void socket.destroy()
        if (this.mode === 'slow') await sleep(this.delayMs)
        socket.write(`${answer}\r\n`)
        if (answer.startsWith('221')) return void socket.end()
      }
    } catch {
      socket.destroy() // torn down in the middle of a line
    }
  }

  #command(line: string, mail: { from: string; to: string[]; lines: string[] | null }): string {
    this.commands.push(line)
    this.#arrivals.emit('command')
    const verb = line.slice(0, 4).toUpperCase()
    if (verb === 'EHLO') return '250-test\r\n250-AUTH PLAIN\r\n250-8BITMIME\r\n250 SMTPUTF8'
    if (verb === 'HELO' || verb === 'NOOP') return '250 test'
    if (verb === 'AUTH') return line.endsWith(' ') ? '501 no credentials' : '235 2.7.0 welcome'
    if (verb === 'QUIT') return '221 2.0.0 bye'
    if (verb === 'MAIL' || verb === 'RSET') {
      Object.assign(mail, { from: between(line), to: [], lines: null })
      return '250 2.1.0 ok'
    }
    if (verb === 'RCPT') {
      if (this.mode === 'reject') return this.rejection
      mail.to.push(between(line))
      return '250 2.1.5 ok'
    }
    if (verb !== 'DATA') return '502 5.5.1 not here'
    if (mail.to.length === 0) return '503 5.5.1 no recipient'
    mail.lines = []
    return '354 go on'
  }

  #content(line: string, lines: string[], mail: { from: string; to: string[]; lines: string[] | null }): string | null {
    if (line !== '.') {
      lines.push(line.startsWith('.') ? line.slice(1) : line)
      return null
    }
    mail.lines = null
    if (this.mode === 'drop') return 'down'
    if (this.contentRejection !== null) return this.contentRejection
    const raw = lines.join('\r\n')
    this.mails.push({ from: mail.from, to: mail.to, raw, ...readMime(raw) })
    this.#arrivals.emit('mail')
    return this.mode === 'lose-answer' ? 'down' : '250 2.0.0 kept'
  }
}

async function* linesOf(socket: Socket): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of socket.setEncoding('utf8')) {
    rest += String(chunk)
    for (let end = rest.indexOf('\r\n'); end >= 0; end = rest.indexOf('\r\n')) {
      const line = rest.slice(0, end)
      rest = rest.slice(end + 2)
      yield line
    }
  }
}

function between(line: string): string {
  return line.slice(line.indexOf('<') + 1, line.lastIndexOf('>'))
}
