// Every refusal has a line at level debug in the log: `{ reason, requestId, … }`, always the same shape, and never a value that the client
// sent. The reason is found after the decision, so that requests which pass do not pay for it.
import type { FastifyRequest } from 'fastify'

// docs/troubleshooting.md has a row for each.
export const refusals = {
  credentialsMissing: 'there is neither a bearer token nor a cookie of this realm',
  schemeOther: 'the Authorization header is not Bearer and a token',
  authorizationTwice: 'there are several Authorization headers',
  tokenMalformed: 'the token is none of ours',
  tokenPurpose: 'the token was made for another purpose',
  tokenKeyUnknown: 'the key of the token is not in the ring',
  tokenAltered: 'the token was changed, or made under another appName',
  tokenExpired: 'the token has expired',
  tokenEarly: 'the token was issued in the future: clocks differ',
  sessionEnded: 'the session has ended',
  userGone: 'the user no longer exists',
  databaseNeeded: 'the caller must be read from the database, which a guard or allowAnonymous() does',
  refreshRefused: 'the refresh token was used before, or its session has ended',
  codeRefused: 'the code of the link is wrong, used or expired, or of another user',
  signInFailed: 'the name, password or code is wrong',
  signInLockedOut: 'the user is locked out',
  signInNotAllowed: 'the user may not sign in yet',
  signInRequiresTwoFactor: 'a second factor is required',
  signInStale: 'the sign-in is too old for this change',
  originForeign: 'a request with the cookie came from another origin',
  socketOriginForeign: 'a WebSocket with the cookie was asked for by another origin',
  roleMissing: 'the caller has none of the roles',
  claimMissing: 'the caller lacks a claim',
  methodMissing: 'the caller signed in by none of the methods',
  signInTooOld: 'the sign-in is older than maxAgeSeconds',
  policyRefused: 'the policy said no',
  bodyMissing: 'there is no body',
  bodyMalformed: 'the body is not well-formed JSON',
  bodyNotObject: 'the body is not an object',
  bodyTooLarge: 'the body is larger than 16 KiB',
  bodyUnreadable: 'the body could not be read',
  memberMissing: 'a member of the body is missing',
  memberInvalid: 'a member of the body is wrong',
  parameterMissing: 'a parameter of the query is missing',
  parameterInvalid: 'a parameter of the query is wrong',
  contentTypeOther: 'the content type is not application/json',
  charsetUnknown: 'the charset of the body is not known',
  cookiesOff: 'a cookie was asked for, and option cookies is false',
  validationFailed: 'the values break a rule',
  methodNotAllowed: 'the path does not take this method',
  pathUnknown: 'there is no such path',
  sessionUnknown: 'the caller has no such session',
} as const

/** Why a request was refused, or `request.identity` is null. */
export type Refusal = keyof typeof refusals

/** What else a line may have: names that are ours or the host's. */
export interface RefusalDetails {
  /** The member of the body, or the parameter of the query, by its name in the schema. */
  readonly member?: string
  /** Codes of a failed validation. */
  readonly codes?: readonly string[]
}

/** Logs a refusal. A function as reason is called only where the line is written. */
export function logRefusal(
  request: FastifyRequest,
  reason: Refusal | (() => Refusal),
  more: RefusalDetails = {},
): void {
  if (!isDebugging(request)) return
  const found = typeof reason === 'string' ? reason : reason()
  request.log.debug({ reason: found, requestId: request.id, ...more }, `identity: refused, ${refusals[found]}`)
}

// A logger of another make may have no such method, and decides by itself.
function isDebugging({ log }: FastifyRequest): boolean {
  const isEnabled: unknown = Reflect.get(log, 'isLevelEnabled')
  if (typeof isEnabled === 'function') return Reflect.apply(isEnabled, log, ['debug']) === true
  const level: unknown = log.level // Fastify's logger has none where the host has switched it off
  return level !== undefined
}
