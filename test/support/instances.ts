// A Fastify with the plugin on a schema of its own, and the few requests that most tests begin with. Hashing is
// argon2id at its cheapest.
import Fastify, { type FastifyInstance } from 'fastify'
import type { EventEmitter } from 'node:events'
import type { TestContext } from 'node:test'
import identity, { type IdentityOptions, requireAuthorization } from '../../src/index.js'
import { patientTimeouts } from './patience.js'
import { databaseUrl, uniqueSchema } from './postgres.js'

export const password = 'Correct-horse-1'
export const cheapHasher = { memoryKiB: 8, iterations: 1, maxConcurrent: 2, maxQueue: 1000, maxWaitSeconds: 60 }

/** An instance with the routes at the root, a guarded `/guarded` and a route `/open` without a guard; closed at the end of the test. */
export async function startApp(t: TestContext, options: IdentityOptions = {}): Promise<FastifyInstance> {
  // A busy machine may need more than the 10 s that Fastify gives a plugin.
  const app = Fastify({ pluginTimeout: 0 })
  t.after(() => app.close())
  await app.register(identity, {
    database: options.database ?? (await databaseUrl()),
    schema: options.schema ?? uniqueSchema(),
    databaseTimeouts: patientTimeouts,
    ...options,
    password: { hasher: cheapHasher, ...options.password },
    lockout: { maxWaitSeconds: 120, ...options.lockout },
  })
  app.get('/guarded', { onRequest: requireAuthorization() }, (request) => ({ userId: request.identity?.userId }))
  app.get('/open', (request) => ({ userId: request.identity?.userId ?? null }))
  await app.ready()
  return app
}

/** Two instances of one realm on one database. */
export async function startTwins(
  t: TestContext,
  options: IdentityOptions = {},
): Promise<[FastifyInstance, FastifyInstance]> {
  const schema = options.schema ?? uniqueSchema()
  return [await startApp(t, { ...options, schema }), await startApp(t, { ...options, schema })]
}

export interface Tokens {
  readonly accessToken: string
  readonly refreshToken: string
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
  /** The body parsed; null when it is empty. */
  readonly body: Record<string, unknown> | null
}

async function send(
  app: FastifyInstance,
  method: 'GET' | 'POST',
  url: string,
  payload?: object,
  accessToken?: string,
): Promise<Answer> {
  const headers = accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` }
  const {
    statusCode,
    headers: answered,
    body,
  } = await app.inject({ method, url, headers, ...(payload === undefined ? {} : { payload }) })
  return {
    status: statusCode,
    headers: answered,
    text: body,
    body: body === '' ? null : (JSON.parse(body) as Record<string, unknown>), // every body of ours is a JSON object
  }
}

export const register = (app: FastifyInstance, email: string, pass = password) =>
  send(app, 'POST', '/register', { email, password: pass })
export const login = (app: FastifyInstance, email: string, pass = password) =>
  send(app, 'POST', '/login', { email, password: pass })
export const refresh = (app: FastifyInstance, refreshToken: string) => send(app, 'POST', '/refresh', { refreshToken })
export const logout = (app: FastifyInstance, accessToken: string) => send(app, 'POST', '/logout', {}, accessToken)
export const guarded = (app: FastifyInstance, accessToken: string) =>
  send(app, 'GET', '/guarded', undefined, accessToken)
export const info = (app: FastifyInstance, accessToken: string) =>
  send(app, 'GET', '/manage/info', undefined, accessToken)

/** The pair of a sign-in or a refresh; an error that names the answer where there is none. */
export function tokensOf({ status, text, body }: Answer): Tokens {
  const { accessToken, refreshToken } = body ?? {}
  if (status !== 200 || typeof accessToken !== 'string' || typeof refreshToken !== 'string')
    throw new Error(`No tokens: ${status} ${text}`)
  return { accessToken, refreshToken }
}

export async function signIn(app: FastifyInstance, email: string, pass = password): Promise<Tokens> {
  return tokensOf(await login(app, email, pass))
}

/** Registers and signs in. */
export async function newcomer(app: FastifyInstance, email: string): Promise<Tokens> {
  await register(app, email)
  return signIn(app, email)
}

/** How often each value occurs. */
export function tally(values: readonly (string | number)[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1
  return counts
}

/** Asks again until it holds; how long that took, in milliseconds. The deadline only ends what would never end. */
export async function until(holds: () => Promise<boolean> | boolean, deadlineMilliseconds = 120_000): Promise<number> {
  const start = performance.now()
  while (!(await holds())) {
    if (performance.now() - start > deadlineMilliseconds)
      throw new Error(`Not so after ${deadlineMilliseconds} ms: ${holds.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  return performance.now() - start
}

/** The events of a name that an emitter emits from now on. */
export function heard(emitter: EventEmitter, name: string): unknown[] {
  const events: unknown[] = []
  emitter.on(name, (event) => events.push(event))
  return events
}
