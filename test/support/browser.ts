// Two kinds of clients over real sockets: a browser, which keeps cookies for as long as they say by the clock of the
// test, and an app on a device, which keeps tokens. Both stand behind a proxy that ends TLS, so that Secure cookies
// travel here over http.
import assert from 'node:assert/strict'
import type { Tokens } from './app.js'

interface Cookie {
  readonly value: string
  /** Milliseconds; null until the browser closes. */
  readonly expiresAt: number | null
}

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly body: string
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller names the answer it expects
  json<T>(): T
}

async function send(
  origin: string,
  method: string,
  path: string,
  json: unknown,
  headers: Record<string, string>,
): Promise<Reply> {
  const answer = await fetch(origin + path, {
    method,
    redirect: 'manual',
    headers: { ...(json === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  })
  const body = await answer.text()
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- as above
  return { status: answer.status, headers: answer.headers, body, json: <T>() => JSON.parse(body) as T }
}

export class Browser {
  readonly cookies = new Map<string, Cookie>()

  constructor(
    readonly origin: string,
    readonly clock: () => number,
  ) {}

  async send(method: string, path: string, json?: unknown): Promise<Reply> {
    const held = [...this.cookies].filter(([, { expiresAt }]) => expiresAt === null || expiresAt > this.clock())
    const answer = await send(this.origin, method, path, json, {
      'sec-fetch-site': 'same-origin',
      ...(held.length === 0 ? {} : { cookie: held.map(([name, { value }]) => `${name}=${value}`).join('; ') }),
    })
    for (const line of answer.headers.getSetCookie()) this.#keep(line)
    return answer
  }

  get = (path: string) => this.send('GET', path)
  post = (path: string, json?: unknown) => this.send('POST', path, json)

  /** Opens a link of a mail. */
  open(link: string): Promise<Reply> {
    const url = new URL(link)
    return this.get(url.pathname + url.search)
  }

  /** Closes every window: what was for this session only is gone. */
  close(): void {
    for (const [name, { expiresAt }] of this.cookies) if (expiresAt === null) this.cookies.delete(name)
  }

  #keep(line: string): void {
    const [pair = '', ...attributes] = line.split('; ')
    const name = pair.slice(0, pair.indexOf('='))
    const maxAge = attributes.find((attribute) => attribute.startsWith('Max-Age='))
    const expiresAt = maxAge === undefined ? null : this.clock() + Number(maxAge.slice(8)) * 1000
    if (expiresAt !== null && expiresAt <= this.clock()) this.cookies.delete(name)
    else this.cookies.set(name, { value: pair.slice(pair.indexOf('=') + 1), expiresAt })
  }
}

export class Device {
  tokens: Tokens | null = null

  constructor(readonly origin: string) {}

  send(method: string, path: string, json?: unknown): Promise<Reply> {
    return send(
      this.origin,
      method,
      path,
      json,
      this.tokens === null ? {} : { authorization: `Bearer ${this.tokens.accessToken}` },
    )
  }

  get = (path: string) => this.send('GET', path)
  post = (path: string, json?: unknown) => this.send('POST', path, json)

  /** Logs in and keeps the tokens. */
  async logIn(credentials: Readonly<Record<string, string>>): Promise<Reply> {
    const answer = await send(this.origin, 'POST', '/account/login', credentials, {})
    if (answer.status === 200) this.tokens = answer.json<Tokens>()
    return answer
  }

  async refresh(): Promise<Reply> {
    assert.ok(this.tokens !== null)
    const answer = await send(this.origin, 'POST', '/account/refresh', { refreshToken: this.tokens.refreshToken }, {})
    if (answer.status === 200) this.tokens = answer.json<Tokens>()
    return answer
  }
}

/** What a refused login says. */
export function reasonOf(answer: Reply): string {
  assert.equal(answer.status, 401, answer.body)
  return answer.json<{ detail: string }>().detail
}
