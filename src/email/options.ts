// The options of mail.
import { Type } from '@sinclair/typebox'
import { closed, defaulted, foreign } from '../option-schema.js'
import { securityNotices, type SecurityNotice } from './messages.js'
import type { EmailOption } from './sender.js'

export const emailOptions = Type.Object(
  {
    /** Where mailed links point when a page of your own does the rest. */
    links: Type.Optional(
      Type.Object(
        {
          /**
           * Absolute URL of the page that a confirmation link opens. It gets `userId`, `code` and perhaps `changedEmail` as query, and
           * calls `GET /confirmEmail` with them.
           * @default the realm's own `/confirmEmail`, below `publicUrl`
           */
          confirmEmail: Type.Optional(Type.String()),
          /**
           * Absolute URL of the page that a reset link opens. It gets `email` and `code` as query, for `POST /resetPassword`.
           * @default none: the mail holds a code instead of a link
           */
          resetPassword: Type.Optional(Type.String()),
        },
        closed,
      ),
    ),
    /**
     * How mail is sent: an SMTP URL, an object with `send(message)`, or an `EmailSender`. Needs `publicUrl`.
     * @default none: no mail is sent, and a log line at start says so
     */
    email: Type.Optional(foreign<EmailOption>()),
    /**
     * The notices that users get by mail at their confirmed address: `'refreshTokenReused'`, `'passwordChanged'` (a reset too),
     * `'emailChanged'` (at the old address), `'twoFactorChanged'` (on or off), `'recoveryCodeUsed'`. Needs `email`. The reference has none.
     * @default `[]`; all of them with preset `hardened`
     */
    notices: defaulted(
      Type.Unsafe<readonly SecurityNotice[]>(Type.Array(Type.Union(securityNotices.map((name) => Type.Literal(name))))),
      [],
      securityNotices,
    ),
  },
  closed,
)
