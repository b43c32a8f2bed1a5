// Why the caller of a request is unknown: noted where a credential is not accepted, worked out where it is logged. Requests that are let
// through never come here.
import type { FastifyRequest } from 'fastify'
import { logRefusal, type Refusal } from './refusals.js'
import type { Scheme } from './principal.js'

interface Noted {
  readonly scheme: Scheme
  readonly reason: Refusal | (() => Refusal)
  isLogged: boolean
}

// By the slot of the realm: a request may be asked about by several.
const noted = new WeakMap<FastifyRequest, Map<symbol, Noted>>()

/** Notes that a credential of this scheme was not accepted. */
export function noteUnknown(slot: symbol, request: FastifyRequest, scheme: Scheme, reason: Noted['reason']): null {
  const ofRequest = noted.get(request) ?? new Map<symbol, Noted>()
  if (ofRequest.size === 0) noted.set(request, ofRequest)
  ofRequest.set(slot, { scheme, reason, isLogged: ofRequest.get(slot)?.isLogged ?? false })
  return null
}

/** Whether the caller came with a bearer token that was not accepted. */
export function sentToken(slot: symbol, request: FastifyRequest): boolean {
  return noted.get(request)?.get(slot)?.scheme === 'bearer'
}

/** Logs the refusal of a caller who is unknown. */
export function logUnknown(slot: symbol, request: FastifyRequest): void {
  const known = noted.get(request)?.get(slot)
  if (known !== undefined) known.isLogged = true
  logRefusal(request, known?.reason ?? (() => withoutCredential(request)))
}

/** Logs once why `request.identity` is null although there was a credential. */
export function logNull(slot: symbol, request: FastifyRequest): void {
  const known = noted.get(request)?.get(slot)
  if (known?.isLogged === false) logUnknown(slot, request)
}

function withoutCredential({ headers }: FastifyRequest): Refusal {
  return headers.authorization === undefined ? 'credentialsMissing' : 'schemeOther'
}
