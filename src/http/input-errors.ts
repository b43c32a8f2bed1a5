// Requests that cannot be read. The client gets the status alone in production, as the reference answers, and elsewhere a problem that
// names the member; the log has the reason. No text repeats a value that was sent.
import createError, { type FastifyErrorConstructor } from '@fastify/error'
import type { FastifyError } from 'fastify'
import { type Refusal, refusals } from './refusals.js'

const Malformed = createError('FST_ERR_CTP_IDENTITY_MALFORMED', 'The body is not well-formed JSON', 400)
const UnsupportedType = createError('FST_ERR_CTP_IDENTITY_TYPE', 'The body is not JSON', 415)
const Invalid = createError('FST_ERR_VALIDATION', 'The request does not match its schema', 400)

/** What is wrong with a request. */
export interface InputRefusal {
  readonly reason: Refusal
  readonly member?: string
  /** What was expected of the member: a sentence about its schema. */
  readonly expected?: string
}

const refusalsOf = new WeakMap<object, InputRefusal>()

function make(
  constructor: FastifyErrorConstructor<{ code: string; statusCode: number }>,
  refusal: InputRefusal,
): FastifyError {
  const error = new constructor()
  refusalsOf.set(error, refusal)
  return error
}

export const malformedBody = () => make(Malformed, { reason: 'bodyMalformed' })
export const otherType = () => make(UnsupportedType, { reason: 'contentTypeOther' })
export const unknownCharset = () => make(UnsupportedType, { reason: 'charsetUnknown' })
export const invalidInput = (refusal: InputRefusal) => make(Invalid, refusal)

/** Whether a request could not be read, parsed or validated. */
export function isInputError({ code, validation }: FastifyError): boolean {
  return (
    validation !== undefined ||
    code === 'FST_ERR_VALIDATION' ||
    (typeof code === 'string' && code.startsWith('FST_ERR_CTP_'))
  )
}

/** What is wrong, of an error of ours or of Fastify's. */
export function inputRefusalOf(error: FastifyError): InputRefusal {
  const own = refusalsOf.get(error)
  if (own !== undefined) return inContext(own, error.validationContext)
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return { reason: 'bodyTooLarge' }
  if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return { reason: 'contentTypeOther' }
  return { reason: 'bodyUnreadable' }
}

const ofQuery: Partial<Record<Refusal, Refusal>> = {
  memberMissing: 'parameterMissing',
  memberInvalid: 'parameterInvalid',
}

function inContext(refusal: InputRefusal, context: string | undefined): InputRefusal {
  const reason = context === 'querystring' ? ofQuery[refusal.reason] : undefined
  return reason === undefined ? refusal : { ...refusal, reason }
}

/** A sentence for the developer of a client. @param nameOf the name of a member on the wire */
export function detailOf({ reason, member, expected }: InputRefusal, nameOf: (member: string) => string): string {
  if (member === undefined) return sentence(refusals[reason]) + (remedies[reason] ?? '')
  const what = reason.startsWith('parameter') ? 'parameter' : 'member'
  const name = `The ${what} '${nameOf(member)}'`
  return reason.endsWith('Missing')
    ? `${name} is missing`
    : `${name} is wrong${expected === undefined ? '' : `: ${expected}`}`
}

const remedies: Partial<Record<Refusal, string>> = {
  bodyMissing: ': send an object of JSON, with content-type: application/json',
  contentTypeOther: ': send JSON, with content-type: application/json',
  charsetUnknown: ': send UTF-8',
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
