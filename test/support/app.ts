// A host with the plugin for one test: a schema of its own in a real Postgres, a clock that stands still until it is
// moved, every log line from level trace on, and clients that call it over HTTP. Nothing of ours is replaced.
import Fastify, { type FastifyHttpOptions, type FastifyInstance } from 'fastify'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import pg from 'pg'
import identity, { type IdentityOptions } from '../../src/index.js'
import { createClock, type TestClock } from '../../src/testing/index.js'
import { patientTimeouts } from './patience.js'
import { databaseUrl, uniqueSchema } from './postgres.js'

export interface AppOptions {
  /** Options of the plugin. Prefix `/account`, a schema of its own and a cheap hasher unless it says otherwise. */
  readonly identity?: IdentityOptions
  readonly server?: Omit<FastifyHttpOptions<Server>, 'logger' | 'loggerInstance'>
  /** What the host registers before the plugin. */
  readonly before?: (app: FastifyInstance) => unknown
  /** What the host registers after it: routes, mostly. */
  readonly after?: (app: FastifyInstance) => unknown
  /** The machine's time and the database's, as in production. */
  readonly realTime?: boolean
  /** Default true: as with `NODE_ENV=production`, a request that cannot be read gets the status alone. */
  readonly production?: boolean
}

export interface CallOptions {
  /** Sent as JSON. */
  readonly json?: unknown
  /** Sent as it is; its content type is the caller's business. */
  readonly payload?: string | Buffer
  readonly headers?: Readonly<Record<string, string | string[]>>
  /** For `Authorization: Bearer …`. */
  readonly token?: string
  /** The whole Cookie header. */
  readonly cookie?: string
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>
  readonly body: string
  readonly setCookies: readonly string[]
  json(): unknown
}

export interface Tokens {
  readonly tokenType: 'Bearer'
  readonly accessToken: string
  readonly expiresIn: number
  readonly refreshToken: string
}

export interface Person {
  readonly email: string
  readonly password: string
}

export type CookieMode = 'useCookies' | 'useSessionCookies'

export interface TestApp {
  readonly app: FastifyInstance
  readonly clock: TestClock
  /** Each line the host's logger wrote. */
  readonly logLines: readonly string[]
  readonly schema: string
  /** A request without a socket. */
  call(method: string, url: string, options?: CallOptions): Promise<Answer>
  /** Registers somebody over HTTP; a new address unless one is given. */
  register(person?: Partial<Person>): Promise<Person>
  /** Logs in over HTTP, somebody new unless a person is given. */
  signIn(person?: Person): Promise<Person & Tokens>
  /** The same with a cookie: `cookie` is what a browser would send back. */
  signInWithCookie(person?: Person, mode?: CookieMode): Promise<Person & { readonly cookie: string }>
  /** A statement in the plugin's schema, past the plugin. */
  sql(text: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>
  /** Opens a socket and answers `http://127.0.0.1:port`. */
  listen(): Promise<string>
  close(): Promise<void>
}

export const goodPassword = 'Correct-Horse-7'

/** The name and value of a Set-Cookie header, as a browser sends them back. */
export function pairOf(setCookie: string): string {
  return setCookie.slice(0, setCookie.indexOf(';'))
}

/** What an answer's headers say, without what each HTTP server adds by itself. */
export function headersOf({ headers }: Answer): Record<string, string | string[] | number | undefined> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !['date', 'connection', 'keep-alive'].includes(name)),
  )
}

/** The headers of every answer of ours without a body. */
export const emptyHeaders = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'content-length': '0' }

/** A status and not one byte more. */
export function expectEmpty(answer: Answer, status: number, more: Readonly<Record<string, string>> = {}): void {
  assert.deepEqual(
    { status: answer.status, body: answer.body, headers: headersOf(answer) },
    { status, body: '', headers: { ...emptyHeaders, ...more } },
  )
}

/** A problem, byte for byte. */
export function expectProblem(
  answer: Answer,
  status: number,
  body: string,
  more: Readonly<Record<string, string>> = {},
): void {
  assert.equal(answer.body, body)
  assert.equal(answer.status, status)
  assert.deepEqual(headersOf(answer), {
    ...emptyHeaders,
    'content-type': 'application/problem+json',
    'content-length': String(Buffer.byteLength(body)),
    ...more,
  })
}

export async function startApp(options: AppOptions = {}): Promise<TestApp> {
  const clock = createClock()
  const isProduction = options.production !== false
  const logLines: string[] = []
  const app = Fastify({
    // A busy machine may need more than the 10 s that Fastify gives a plugin.
    pluginTimeout: 0,
    ...options.server,
    logger: {
      level: 'trace',
      stream: {
        write(line: string) {
          logLines.push(line)
        },
      },
    },
  })
  const database = options.identity?.database ?? (await databaseUrl())
  const schema = options.identity?.schema ?? uniqueSchema()
  try {
    await options.before?.(app)
    const register = () =>
      app.register(identity, {
        prefix: '/account',
        password: { hasher: { memoryKiB: 64, iterations: 1, maxWaitSeconds: 60 } },
        databaseTimeouts: patientTimeouts,
        ...(options.realTime === true ? {} : { clock }),
        ...(isProduction && options.identity?.keys === undefined
          ? { secret: 'a root secret of the tests, long enough' }
          : {}),
        ...options.identity,
        lockout: { maxWaitSeconds: 120, ...options.identity?.lockout },
        database,
        schema,
      })
    if (isProduction) await inProduction(register)
    else await register()
    await options.after?.(app)
    await app.ready()
  } catch (error) {
    await app.close()
    throw error
  }
  const prefix = options.identity?.prefix ?? '/account'
  const pool = new pg.Pool({ connectionString: await databaseUrl(), options: `-c search_path=${schema}`, max: 2 })

  async function call(
    method: string,
    url: string,
    { json, payload, headers, token, cookie }: CallOptions = {},
  ): Promise<Answer> {
    const answer = await app.inject({
      method: method as 'GET', // any verb may be asked for
      url,
      headers: {
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(cookie === undefined ? {} : { cookie }),
        ...headers,
      },
      ...(json === undefined ? {} : { payload: JSON.stringify(json) }),
      ...(payload === undefined ? {} : { payload }),
    })
    const setCookie = answer.headers['set-cookie'] ?? []
    return {
      status: answer.statusCode,
      headers: answer.headers,
      body: answer.body,
      setCookies: typeof setCookie === 'string' ? [setCookie] : setCookie,
      json: () => JSON.parse(answer.body) as unknown,
    }
  }

  async function register({
    email = `${randomBytes(6).toString('hex')}@example.com`,
    password = goodPassword,
  }: Partial<Person> = {}): Promise<Person> {
    const answer = await call('POST', `${prefix}/register`, { json: { email, password } })
    assert.equal(answer.status, 200, answer.body)
    return { email, password }
  }

  return {
    app,
    clock,
    logLines,
    schema,
    call,
    register,
    async signIn(given) {
      const { email, password } = given ?? (await register())
      const answer = await call('POST', `${prefix}/login`, { json: { email, password } })
      assert.equal(answer.status, 200, answer.body)
      return { email, password, ...(answer.json() as Tokens) }
    },
    async signInWithCookie(given, mode = 'useCookies') {
      const { email, password } = given ?? (await register())
      const answer = await call('POST', `${prefix}/login?${mode}=true`, { json: { email, password } })
      assert.equal(answer.status, 200, answer.body)
      return { email, password, cookie: pairOf(answer.setCookies[0]!) }
    },
    async sql(text, values = []) {
      const { rows } = await pool.query<Record<string, unknown>>(text, [...values])
      return rows
    },
    async listen() {
      await app.listen({ host: '127.0.0.1', port: 0 })
      return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}` // a TCP socket has a port
    },
    async close() {
      await pool.end()
      await app.close()
    },
  }
}

// Applications may start side by side.
const starting = { count: 0, environment: process.env.NODE_ENV }

async function inProduction(work: () => PromiseLike<unknown>): Promise<void> {
  if (starting.count++ === 0) starting.environment = process.env.NODE_ENV
  process.env.NODE_ENV = 'production'
  try {
    await work()
  } finally {
    if (--starting.count === 0) {
      if (starting.environment === undefined) delete process.env.NODE_ENV
      else process.env.NODE_ENV = starting.environment
    }
  }
}

/** 401 as the bearer scheme challenges. */
export function expectChallenge(answer: Answer, more: Readonly<Record<string, string>> = {}): void {
  expectEmpty(answer, 401, { 'www-authenticate': 'Bearer', ...more })
}

/** The same to a caller whose token is not accepted. */
export function expectTokenRefused(answer: Answer, more: Readonly<Record<string, string>> = {}): void {
  expectChallenge(answer, { 'www-authenticate': 'Bearer error="invalid_token"', ...more })
}

/** Runs `work` with an app of its own, which is closed whatever happens. */
export async function withApp(options: AppOptions, work: (app: TestApp) => Promise<void>): Promise<void> {
  const app = await startApp(options)
  try {
    await work(app)
  } finally {
    await app.close()
  }
}
