// A contender: a Fastify route with or without authentication. Ours are in bench/contenders, the others in
// bench/rivals.
import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify'

export interface ContenderOptions {
  readonly database: string
  /** Of the contender's own making, where it has several ways. */
  readonly variant?: string
  /** A Postgres schema. */
  readonly schema?: string
}

/** A header as a signed-in client sends it, and the user that it belongs to. */
export interface Credential {
  readonly header: 'authorization' | 'cookie'
  readonly value: string
  readonly userId: string
  /** What they log in with, where they have a password. */
  readonly login?: object
}

export interface Contender {
  /** In front of GET /guarded. Absent: the route is bare. */
  readonly guard?: onRequestHookHandler
  /** What GET /guarded answers as `userId`. */
  readonly userOf?: (request: FastifyRequest) => string | undefined
  /** Signs `count` people in, each with claims of the same size. Called when the server listens. */
  readonly credentials?: (count: number) => Promise<Credential[]> | Credential[]
  /** Refresh tokens of sessions that are in the database. */
  readonly refreshTokens?: (count: number) => Promise<string[]>
}

/** Every contender's module exports this. */
export type Mount = (app: FastifyInstance, options: ContenderOptions) => Promise<Contender> | Contender

/** What every credential says of a person, so that all are of about the same size. */
export function person(
  index: number,
): Readonly<Record<'sub' | 'name' | 'email' | 'sid' | 'role' | 'tenant' | 'plan' | 'amr', string>> {
  const email = `person-${index}@example.com`
  return {
    sub: randomUUID(),
    name: email,
    email,
    sid: randomUUID(),
    role: 'editor',
    tenant: 'northwind',
    plan: 'team',
    amr: 'pwd',
  }
}

/** All of `count` people, one after the other. */
export async function everyone<T>(count: number, make: (index: number) => Promise<T> | T): Promise<T[]> {
  const made: T[] = []
  for (let index = 0; index < count; index++) made.push(await make(index))
  return made
}
