// The options of sessions.
import { Type } from '@sinclair/typebox'
import { closed, defaulted, seconds } from '../../option-schema.js'

export const sessionOptions = Type.Object(
  {
    /** How long a session may last. */
    sessions: Type.Optional(
      Type.Object(
        {
          /**
           * Longest life of a session in seconds, counted from the sign-in: no refresh and no renewed cookie outlives it. The reference has
           * no such limit.
           * @default `2592000`
           */
          absoluteSeconds: defaulted(seconds(), 2_592_000),
        },
        closed,
      ),
    ),
  },
  closed,
)
