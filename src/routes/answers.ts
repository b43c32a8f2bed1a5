// Schemas of answers that several routes share.
import { type TSchema, Type } from '@sinclair/typebox'
import type { Answer } from './endpoint.js'

/** An answer without a body. */
export const Empty = (description: string) => Type.Null({ description })

/** The JSON of a schema. The description says when this endpoint sends it; the schema itself is described by its members. */
export function answer<Schema extends TSchema>(description: string, schema: Schema): Schema {
  return { ...schema, description }
}

// One schema for all problems, as in the reference's document: `error?.errors` of a generated client compiles whatever the status.
const Problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer({ format: 'int32' }),
    detail: Type.Optional(Type.String()),
    instance: Type.Optional(Type.String({ description: 'Never sent here; a member of RFC 9457' })),
    errors: Type.Optional(
      Type.Record(Type.String(), Type.Array(Type.String()), { description: 'With status 400: messages by error code' }),
    ),
  },
  { title: 'HttpValidationProblemDetails' },
)

/** A problem of RFC 9457. */
export function problem(description: string): Answer {
  return { description, content: { 'application/problem+json': { schema: Problem } } }
}

export const failedSignIn = problem(
  'Not signed in. detail is Failed (the name, password or code is wrong), LockedOut (too many failures), NotAllowed (something has to be confirmed first) or RequiresTwoFactor (send twoFactorCode or twoFactorRecoveryCode as well)',
)
export const staleSignIn = problem(
  'The sign-in is too old for this change: detail is ReauthenticationRequired (RFC 9470). Without a body: the request has no valid token or cookie',
)
export const unavailable = problem('The database is not available: try again after the seconds in Retry-After')
/** For endpoints that hash or verify a password. */
export const busy = problem(
  'The database is not available, or too many passwords wait to be hashed: try again after the seconds in Retry-After',
)
/** For endpoints that verify a password or code whose failures count. */
export const crowded = problem(
  'The database is not available, or too many passwords or attempts of this user wait: try again after the seconds in Retry-After',
)

/** Below /manage/, for a request that may come from another origin. */
export const closed = problem(
  'The request has our cookie and comes from a page of another origin. Without a body: another person acts for the user in this session',
)
/** Below /manage/, for a request that changes nothing. */
export const acting = Empty('Another person acts for the user in this session')
export const nobody = Empty('The request has no valid token or cookie')
export const gone = Empty('The user of the token or cookie no longer exists')

/** 400 of a request that is refused for its form alone. */
export const malformed = (fault: string) =>
  problem(`${fault}. In production without a body; otherwise detail names what is wrong`)
/** 400 of a request that is refused for its values too. */
export const refused = (rules: string) =>
  problem(
    `${rules}: errors has the messages by code. Without errors: the body is no well-formed JSON, or a member is missing or of a wrong type`,
  )

/** Possible for every route that reads a body. */
export const unreadable = {
  413: Empty('The body is larger than 16 KiB'),
  415: Empty('The body is not JSON, or in a charset that is not known'),
}

export const AccessTokenResponse = Type.Object(
  {
    tokenType: Type.Literal('Bearer'),
    accessToken: Type.String({ description: 'For Authorization: Bearer …; opaque' }),
    expiresIn: Type.Integer({ format: 'int64', description: 'Seconds until the access token expires' }),
    refreshToken: Type.String({ description: 'For POST /refresh; opaque' }),
  },
  { title: 'AccessTokenResponse' },
)

export const InfoResponse = Type.Object(
  {
    email: Type.String(),
    isEmailConfirmed: Type.Boolean(),
  },
  { title: 'InfoResponse' },
)

export const TwoFactorResponse = Type.Object(
  {
    sharedKey: Type.String({ description: 'The key for the authenticator app, base32' }),
    recoveryCodesLeft: Type.Integer({ format: 'int32', description: 'How many recovery codes are unused' }),
    recoveryCodes: Type.Union([Type.Array(Type.String()), Type.Null()], {
      description: 'New recovery codes, shown once',
    }),
    isTwoFactorEnabled: Type.Boolean(),
    isMachineRemembered: Type.Boolean(),
  },
  { title: 'TwoFactorResponse' },
)

export const SessionResponse = Type.Object(
  {
    id: Type.String(),
    createdAt: Type.String({ format: 'date-time' }),
    lastSeenAt: Type.String({
      format: 'date-time',
      description: 'The last sign-in, refresh or validation of a cookie',
    }),
    client: Type.Union([Type.String(), Type.Null()], { description: 'The User-Agent of the login' }),
    amr: Type.Array(Type.String(), { description: 'pwd, or mfa where a second factor was used' }),
    current: Type.Boolean({ description: 'Whether this request belongs to it' }),
    method: Type.Union([Type.String(), Type.Null()], {
      description: 'password, authenticator, recoveryCode, provider, external or host',
    }),
    claims: Type.Array(Type.Object({ type: Type.String(), value: Type.String() }), {
      description: 'Claims of this session alone',
    }),
    address: Type.Union([Type.String(), Type.Null()], {
      description: 'The network address of the login; null unless option sessions.recordAddress is on',
    }),
  },
  { title: 'SessionResponse' },
)
