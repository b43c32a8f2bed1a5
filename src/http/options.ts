// The options of requests and answers: bearer tokens, cookies, origins, guards.
import { type Static, Type } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { callback, closed, defaulted, seconds } from '../option-schema.js'
import type { Policy } from './requirements.js'

const bearerOptions = Type.Object(
  {
    /**
     * Life of an access token in seconds. Reference: `BearerTokenOptions.BearerTokenExpiration`.
     * @default `3600`
     */
    accessTokenSeconds: defaulted(seconds(), 3600),
    /**
     * Life of a refresh token in seconds. Reference: `BearerTokenOptions.RefreshTokenExpiration`.
     * @default `1209600`
     */
    refreshTokenSeconds: defaulted(seconds(), 1_209_600),
    /**
     * Whether a refresh token is good for one exchange only (RFC 9700 §4.14.2). The reference accepts it again until it expires.
     * @default `true`
     */
    rotateRefreshTokens: defaulted(Type.Boolean(), true),
    /**
     * How long a used refresh token gets the same successor again, in seconds: for a lost answer or a second tab. Later use ends the session.
     * @default `30`
     */
    reuseGraceSeconds: defaulted(seconds(0), 30),
    /**
     * Takes the token from another place, for example a header of a proxy. Where it returns null, the Authorization header counts.
     * Reference: `BearerTokenEvents.OnMessageReceived`.
     * @default none
     */
    readToken: Type.Optional(callback<(request: FastifyRequest) => string | null | undefined>()),
  },
  closed,
)

const cookieOptions = Type.Object(
  {
    /**
     * Name of the cookie.
     * @default the value of `decorator`; with `__Host-` before it where the cookie is secure, has no domain and path `/`
     */
    name: Type.Optional(Type.String({ pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$" })),
    /**
     * Life of the ticket in a cookie, in seconds. Reference: `CookieAuthenticationOptions.ExpireTimeSpan`.
     * @default `1209600`
     */
    lifetimeSeconds: defaulted(seconds(), 1_209_600),
    /**
     * Whether a cookie past half its life is renewed. Reference: `CookieAuthenticationOptions.SlidingExpiration`.
     * @default `true`
     */
    slidingExpiration: defaulted(Type.Boolean(), true),
    /**
     * The cookie's SameSite attribute. `'none'` needs a secure cookie.
     * @default `'lax'`
     */
    sameSite: defaulted(Type.Union([Type.Literal('lax'), Type.Literal('strict'), Type.Literal('none')]), 'lax'),
    /**
     * The cookie's Secure attribute. `'auto'` sets it where `publicUrl` is https, or without one where the request came by https.
     * @default `'auto'`
     */
    secure: defaulted(Type.Union([Type.Boolean(), Type.Literal('auto')]), 'auto'),
    /**
     * The cookie's Domain attribute.
     * @default none: the host that set it
     */
    domain: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9.-]{1,253}$' })),
    /**
     * The cookie's Path attribute.
     * @default `'/'`
     */
    path: defaulted(Type.String({ pattern: '^/[^;\\s]{0,255}$' }), '/'),
  },
  closed,
)

const authorizationOptions = Type.Object(
  {
    /**
     * Rules of the application by name, for `requireAuthorization('name')`: `(principal, request) => boolean`, also as a promise.
     * @default none
     */
    policies: defaulted(
      Type.Unsafe<Readonly<Record<string, Policy>>>(Type.Record(Type.String(), callback<Policy>())),
      {},
    ),
    /**
     * Whether every route of the application must declare its access: with `true`, the application does not get ready while a route has
     * neither `requireAuthorization` nor `allowAnonymous`. OPTIONS routes need neither.
     * @default `false`
     */
    explicit: defaulted(Type.Boolean(), false),
  },
  closed,
)

const csrfOptions = Type.Object(
  {
    /**
     * Further origins that may send unsafe requests with the cookie, for example `https://app.example.com`, or that of an application's own
     * pages: `capacitor://localhost`, `tauri://localhost`, `chrome-extension://…`. `publicUrl` is always one.
     * @default none
     */
    trustedOrigins: Type.Optional(Type.Unsafe<readonly string[]>(Type.Array(Type.String()))),
  },
  closed,
)

export const httpOptions = Type.Object(
  {
    /**
     * Origin under which clients reach this server, for example `https://api.example.com`; mailed links begin with it. It is never taken
     * from a request. Needed by `email`.
     * @default none
     */
    publicUrl: Type.Optional(Type.String()),
    /**
     * Whether cookies are accepted and set; `false`: bearer tokens only.
     * @default `true`
     */
    cookies: defaulted(Type.Boolean(), true),
    /** Bearer tokens. */
    bearer: Type.Optional(bearerOptions),
    /** The cookie of a sign-in. */
    cookie: Type.Optional(cookieOptions),
    /** When a cookie's user is read again. */
    securityStamp: Type.Optional(
      Type.Object(
        {
          /**
           * How old a cookie may be before its user is read from the database again, in seconds; 0: at every request. Reference:
           * `SecurityStampValidatorOptions.ValidationInterval`.
           * @default `1800`
           */
          validationSeconds: defaulted(seconds(0), 1800),
        },
        closed,
      ),
    ),
    /** Guards. */
    authorization: Type.Optional(authorizationOptions),
    /**
     * Names of the members of answers: `'snake_case'` or `'camelCase'`. Requests are read in both.
     * @default `'camelCase'`
     */
    jsonNaming: defaulted(Type.Union([Type.Literal('camelCase'), Type.Literal('snake_case')]), 'camelCase'),
    /**
     * Whether unsafe requests with the cookie must come from the same origin, `publicUrl` or a trusted origin; `false` switches the check
     * off. The reference has no such check.
     * @default `true`
     */
    csrf: defaulted(Type.Union([Type.Boolean(), csrfOptions]), true),
  },
  closed,
)

/** Option `bearer`. */
export type BearerOptions = Static<typeof bearerOptions>

/** Option `cookie`. */
export type CookieOptions = Static<typeof cookieOptions>

/** Option `authorization`. */
export type AuthorizationOptions = Static<typeof authorizationOptions>
