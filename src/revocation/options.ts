// The option of the polls.
import { Type } from '@sinclair/typebox'
import { closed, defaulted } from '../option-schema.js'

export const revocationOptions = Type.Object(
  {
    /** How often an instance asks the database by itself. */
    revocation: Type.Optional(
      Type.Object(
        {
          /**
           * Seconds between two polls for sessions that other instances ended. Tokens and cookies of such a session are accepted for that long.
           * The other background queries (keys, mails, tidying) run no more often than this, so that a database which scales to zero can sleep:
           * with 600, an instance also notices a revoked key, or a mail that another instance has left, up to ten minutes later.
           * @default `0.5`
           */
          pollSeconds: defaulted(Type.Number({ minimum: 0.1, maximum: 3600 }), 0.5),
        },
        closed,
      ),
    ),
  },
  closed,
)
