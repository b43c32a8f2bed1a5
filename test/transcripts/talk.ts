// A conversation with a host, written down: requests go over a socket, and of answers stays what a client sees. What
// differs from run to run (tokens, codes, keys, ids, dates) becomes a numbered word, so that the same value has the
// same word wherever it appears.
import { request as send } from 'node:http'

export interface Ask {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly json?: unknown
  readonly body?: string | Buffer
}

export interface Heard {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly cookies: readonly string[]
  readonly body: string
  json(): unknown
}

export interface Letter {
  readonly to: string
  readonly subject: string
  readonly html: string
}

/** What a host offers beside its endpoints. */
export interface Stage {
  readonly origin: string
  now(): Promise<number>
  /** The time that authenticator codes are read by. */
  codeTime(): Promise<number>
  advance(seconds: number): Promise<void>
  letters(): Promise<readonly Letter[]>
}

/** One request and its answer, as they are compared. */
export interface Exchange {
  readonly label: string
  readonly request: string
  readonly answer: WrittenAnswer
}

export interface WrittenAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly cookies?: readonly string[]
  readonly body?: unknown
}

const seenHeaders = ['allow', 'www-authenticate', 'content-type', 'location']
const cookieHeaders = ['cache-control', 'pragma', 'expires']

export class Talk {
  readonly exchanges: Exchange[] = []
  readonly #words = new Map<string, string>()
  readonly #counts = new Map<string, number>()

  constructor(readonly stage: Stage) {}

  /** Asks and writes it down. */
  async ask(label: string, ask: Ask): Promise<Heard> {
    const heard = await this.quietly(ask)
    const answer = await this.#written(heard, label)
    if (this.exchanges.some((exchange) => exchange.label === label))
      throw new Error(`Two exchanges are called ${label}`)
    this.exchanges.push({ label, request: partsMasked(this.#masked(lineOf(ask))), answer })
    return heard
  }

  /** Asks without writing it down: what a story needs beside its subject. */
  quietly({ method, path, headers, json, body }: Ask): Promise<Heard> {
    const payload = json === undefined ? body : JSON.stringify(json)
    const { hostname, port } = new URL(this.stage.origin)
    return new Promise((resolve, reject) => {
      const outgoing = send(
        {
          host: hostname,
          port,
          path,
          method: method ?? (payload === undefined ? 'GET' : 'POST'),
          headers: {
            ...(json === undefined ? {} : { 'content-type': 'application/json' }),
            ...(payload === undefined ? {} : { 'content-length': String(Buffer.byteLength(payload)) }),
            ...(headers as Record<string, string>), // node takes lists of values too
          },
          agent: false,
        },
        (incoming) => {
          const chunks: Buffer[] = []
          incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
          incoming.on('end', () => {
            const text = Buffer.concat(chunks).toString()
            const flat = Object.entries(incoming.headers).map(([name, value]): [string, string] => [
              name,
              String(value),
            ])
            resolve({
              status: incoming.statusCode ?? 0,
              headers: Object.fromEntries(flat),
              cookies: incoming.headers['set-cookie'] ?? [],
              body: text,
              json: () => JSON.parse(text) as unknown,
            })
          })
        },
      )
      outgoing.on('error', reject)
      outgoing.end(payload)
    })
  }

  /** Gives a value its word in what is written from now on: of the exchange that brought it, or by number. */
  name(kind: string, value: string, label?: string): void {
    if (value === '' || this.#words.has(value)) return
    if (label !== undefined) {
      this.#words.set(value, `<${kind} of ${label.replace(/["\\<>]/g, "'")}>`)
      return
    }
    const count = (this.#counts.get(kind) ?? 0) + 1
    this.#counts.set(kind, count)
    this.#words.set(value, `<${kind} ${count}>`)
  }

  /** Writes the mails that came since the last time, and gives them back. */
  async letters(label: string, seen: number): Promise<readonly Letter[]> {
    const fresh = (await this.stage.letters()).slice(seen)
    for (const { html } of fresh) this.#learn(html)
    const written = fresh.map(({ to, subject, html }) => ({
      to,
      subject,
      html: this.#masked(html.replace(/https?:\/\/[^/]+/, '<origin>').replaceAll('%40', '@')),
    }))
    this.exchanges.push({ label, request: 'the mails', answer: { status: 0, body: written } })
    return fresh
  }

  #learn(html: string): void {
    const link = /userId=([^&]+)&amp;code=([^&']+)/.exec(html)
    if (link !== null) {
      this.name('id', link[1]!)
      this.name('code', link[2]!)
    }
    const code = /following code: (\S+)$/.exec(html)?.[1]
    if (code !== undefined) this.name('code', code)
  }

  async #written({ status, headers, cookies, body }: Heard, label: string): Promise<WrittenAnswer> {
    const names = cookies.length === 0 ? seenHeaders : [...seenHeaders, ...cookieHeaders]
    const kept = Object.fromEntries(names.filter((name) => name in headers).map((name) => [name, headers[name]!]))
    const now = await this.stage.now()
    return {
      status,
      ...(Object.keys(kept).length > 0 && { headers: kept }),
      ...(cookies.length > 0 && { cookies: cookies.map((line) => this.#cookie(line, now, label)).sort() }),
      ...(body !== '' && { body: this.#body(body, label) }),
    }
  }

  #cookie(line: string, now: number, label: string): string {
    const [pair = '', ...attributes] = line.split(/; */)
    const name = pair.slice(0, pair.indexOf('='))
    const value = pair.slice(pair.indexOf('=') + 1)
    const kind = /machine|RememberMe/.test(name) ? 'machine' : /TwoFactorUserId/.test(name) ? 'state' : 'session'
    this.name(`${kind} cookie`, value, label)
    const written = attributes
      .map((attribute) => attribute.toLowerCase())
      // Expires says the same.
      .filter((attribute) => !attribute.startsWith('max-age='))
      .map((attribute) => attribute.replace(/^expires=(.*)$/, (_, date: string) => `expires=${fromNow(date, now)}`))
      .sort()
    return [`${kind}=${value === '' ? '' : this.#masked(value)}`, ...written].join('; ')
  }

  #body(text: string, label: string): unknown {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      return this.#masked(text)
    }
    for (const [member, kind, shape] of secrets) {
      const found = (value as Record<string, unknown> | null)?.[member]
      for (const [index, secret] of [found ?? []].flat().entries())
        if (typeof secret === 'string' && shape.test(secret))
          this.name(kind, secret, Array.isArray(found) ? `${label}, ${index + 1}` : label)
    }
    return JSON.parse(this.#masked(JSON.stringify(value)))
  }

  #masked(text: string): string {
    let masked = text
    for (const [value, word] of [...this.#words].sort(([a], [b]) => b.length - a.length))
      masked = masked.replaceAll(value, () => word)
    return masked
  }
}

// What a story makes of a token or code: cut short, in small letters, with blanks in it. And the names of cookies,
// which are the host's choice.
function partsMasked(request: string): string {
  return (
    request
      // An @ in a query may be written either way.
      .replaceAll('%40', '@')
      .replace(/[\w-]{40,}/g, '<part>')
      .replace(/\.AspNetCore\.Identity\.Application=|(?<![\w-])identity=/g, 'session=')
      .replace(/Identity\.TwoFactorRememberMe=|identity-machine=/g, 'machine=')
  )
}

// A value of another shape keeps its own letters, and the comparison fails.
const secrets = [
  ['accessToken', 'access token', /^[\w-]{100,}$/],
  ['refreshToken', 'refresh token', /^[\w-]{100,}$/],
  ['sharedKey', 'key', /^[A-Z2-7]{32}$/],
  ['recoveryCodes', 'recovery code', /^[23456789BCDFGHJKMNPQRTVWXY]{5}-[23456789BCDFGHJKMNPQRTVWXY]{5}$/],
] as const

function fromNow(date: string, now: number): string {
  const seconds = (Date.parse(date) - now) / 1000
  return Date.parse(date) === 0 ? 'never' : `${(seconds / 86_400).toFixed(2)} days`
}

function lineOf({ method, path, headers, json, body }: Ask): string {
  const payload = json === undefined ? body?.toString('latin1') : JSON.stringify(json)
  const verb = method ?? (payload === undefined ? 'GET' : 'POST')
  const lines = Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${[value].flat().join(' | ')}`)
  return [`${verb} ${path}`, ...lines, ...(payload === undefined ? [] : [payload])].join('\n')
}
