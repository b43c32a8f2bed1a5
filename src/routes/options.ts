// Option `endpoints`: one switch for each operation.
import { type Static, Type } from '@sinclair/typebox'
import { closed, defaulted } from '../option-schema.js'

const on = () => defaulted(Type.Boolean(), true)

export const endpointOptions = Type.Object(
  {
    /**
     * `POST /register`: creates a user.
     * @default `true`
     */
    register: on(),
    /**
     * `POST /login`: opens a session, by tokens or a cookie.
     * @default `true`
     */
    login: on(),
    /**
     * `POST /refresh`: exchanges a refresh token for a new pair.
     * @default `true`
     */
    refresh: on(),
    /**
     * `POST /logout`: ends sessions.
     * @default `true`
     */
    logout: on(),
    /**
     * `GET /confirmEmail`: confirms an address by a mailed link.
     * @default `true`
     */
    confirmEmail: on(),
    /**
     * `POST /resendConfirmationEmail`: mails the confirmation link again.
     * @default `true`
     */
    resendConfirmationEmail: on(),
    /**
     * `POST /forgotPassword`: mails a code or link that resets the password.
     * @default `true`
     */
    forgotPassword: on(),
    /**
     * `POST /resetPassword`: sets a password by a mailed code.
     * @default `true`
     */
    resetPassword: on(),
    /**
     * `POST /manage/2fa`: sets up the second factor.
     * @default `true`
     */
    twoFactor: on(),
    /**
     * `GET` and `POST /manage/info`: shows and changes the caller's account.
     * @default `true`
     */
    info: on(),
    /**
     * `GET /manage/sessions` and `DELETE /manage/sessions/:id`: lists and ends the caller's sessions.
     * @default `true`
     */
    sessions: on(),
  },
  closed,
)

/** An operation that option `endpoints` switches. */
export type Operation = keyof Static<typeof endpointOptions>

export const routeOptions = Type.Object(
  {
    /** Switches of the endpoints: `{ register: false }` leaves one out. */
    endpoints: Type.Optional(endpointOptions),
  },
  closed,
)
