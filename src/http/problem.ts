// Unsuccessful answers: RFC 9457 problems with the reference's members, and the empty bodies that it sends otherwise.
import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { IdentityError } from '../errors.js'
import { mapDatabaseError } from '../store/sql-errors.js'
import { detailOf, inputRefusalOf, isInputError } from './input-errors.js'
import { snakeCase } from './naming.js'
import { logRefusal, type Refusal } from './refusals.js'

// The sections of RFC 9110 that the reference uses as types; any other status has the type about:blank (RFC 9457
// §4.2.1).
const sections: Readonly<Record<number, string>> = {
  400: '15.5.1',
  401: '15.5.2',
  403: '15.5.4',
  500: '15.6.1',
  503: '15.6.4',
}

export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail?: string
  readonly errors?: Readonly<Record<string, readonly string[]>>
  readonly traceId?: string
}

export function problemOf(status: number, more: Partial<Problem> = {}): Problem {
  const section = sections[status]
  const type = section === undefined ? 'about:blank' : `https://tools.ietf.org/html/rfc9110#section-${section}`
  return { type, title: STATUS_CODES[status] ?? 'Error', status, ...more }
}

/** Sends a problem. Its content type is exact: Fastify adds a charset to texts and objects, not to bytes. */
export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  return reply
    .code(problem.status)
    .header('content-type', 'application/problem+json')
    .send(Buffer.from(JSON.stringify(problem)))
}

/** 400 with errors by code, in the order in which they were found. */
export function sendValidationProblem(reply: FastifyReply, errors: readonly IdentityError[]): FastifyReply {
  const byCode: Record<string, string[]> = {}
  for (const { code, description } of errors) (byCode[code] ??= []).push(description)
  logRefusal(reply.request, 'validationFailed', { codes: Object.keys(byCode) })
  return sendProblem(reply, problemOf(400, { title: 'One or more validation errors occurred.', errors: byCode }))
}

/** A status without a body. */
export function sendEmpty(reply: FastifyReply, status: number): FastifyReply {
  return reply.code(status).send()
}

/** A status without a body, and why in the log. */
export function sendRefusal(reply: FastifyReply, status: number, reason: Refusal): FastifyReply {
  logRefusal(reply.request, reason)
  return sendEmpty(reply, status)
}

/** 401 with the challenge of the bearer scheme; to a caller with a token it says that the token is not accepted (RFC 6750 §3.1), never why. */
export function sendChallenge(reply: FastifyReply, hasToken = false): FastifyReply {
  return sendEmpty(reply.header('www-authenticate', hasToken ? 'Bearer error="invalid_token"' : 'Bearer'), 401)
}

const retryAfterSeconds = 2

/** What the error handler asks of a registration. */
export interface ErrorContext {
  readonly options: {
    /** Whether an answer says what is wrong with a request that cannot be read. */
    readonly explainsInput: boolean
    readonly jsonNaming: 'camelCase' | 'snake_case'
  }
}

/** 503 for an error that says so. */
export function sendUnavailable(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  request.log.warn({ err: error }, 'identity: not available')
  void sendProblem(reply.header('retry-after', retryAfterSeconds), problemOf(503, { detail: error.message }))
}

/**
 * The error handler of our own routes. A host's error handler does not get their errors, and ours does not get a
 * host's.
 */
export function errorHandler({ options }: ErrorContext) {
  return (thrown: FastifyError, request: FastifyRequest, reply: FastifyReply): void => {
    // An error with a status is not the database's: Fastify gives 400 to ECONNRESET of a client that went away.
    const error = (thrown.statusCode === undefined ? mapDatabaseError(thrown) : thrown) as FastifyError // an error stays an error
    const status = error.statusCode ?? 500
    if (status === 503) sendUnavailable(error, request, reply)
    else if (isInputError(error)) sendUnreadable(options, error, reply.code(status))
    // An error of a host's hook in front of our routes, such as a rate limit: its message is meant for the client.
    else if (status >= 400 && status < 500) void sendProblem(reply, problemOf(status, { detail: error.message }))
    else {
      request.log.error({ err: error }, 'identity: unexpected error')
      void sendProblem(reply, problemOf(500, { traceId: request.id }))
    }
  }
}

// In production the reference answers with the status alone.
function sendUnreadable(options: ErrorContext['options'], error: FastifyError, reply: FastifyReply): void {
  const refusal = inputRefusalOf(error)
  const nameOf = options.jsonNaming === 'camelCase' ? (name: string) => name : snakeCase
  logRefusal(reply.request, refusal.reason, refusal.member === undefined ? {} : { member: refusal.member })
  if (options.explainsInput) void sendProblem(reply, problemOf(reply.statusCode, { detail: detailOf(refusal, nameOf) }))
  else void sendEmpty(reply, reply.statusCode)
}
