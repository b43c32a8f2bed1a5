// Schemas of answers that several routes share.
import { type TSchema, Type } from '@sinclair/typebox'
import type { Answer } from './endpoint.js'

export const Empty = (description: string) => Type.Null({ description })

// One schema for all problems, as in the reference's document: `error?.errors` of a generated client compiles whatever the status.
const Problem = Type.Object(
  {
    type: Type.String({ format: 'uri' }),
    title: Type.String(),
    status: Type.Integer({ format: 'int32' }),
    detail: Type.Optional(Type.String()),
    errors: Type.Optional(
      Type.Record(Type.String(), Type.Array(Type.String()), { description: 'With status 400: messages by error code' }),
    ),
  },
  { title: 'HttpValidationProblemDetails' },
)

function problem(schema: TSchema, description: string): Answer {
  return { description, content: { 'application/problem+json': { schema } } }
}

export const failedSignIn = problem(Problem, 'detail is Failed, LockedOut, NotAllowed or RequiresTwoFactor')
export const staleSignIn = problem(
  Problem,
  'The sign-in is too old for this change: detail is ReauthenticationRequired (RFC 9470); an empty body where nobody is signed in',
)
export const invalid = problem(
  Problem,
  'The request was understood and refused; an empty body where it could not be read',
)
export const unavailable = problem(
  Problem,
  'The database or the password queue is not available; try again after Retry-After seconds',
)
export const crossOrigin = problem(Problem, 'The request came from another site')

export const malformed = Empty('The request could not be read')
export const nobody = Empty('Nobody is signed in')
export const acting = Empty('Another person acts for the user in this session')
export const gone = Empty('The user no longer exists')

/** Possible for every route that reads a body. */
export const unreadable = {
  413: Empty('The body is larger than 16 KiB'),
  415: Empty('The body is not JSON in UTF-8'),
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
