// The options of sessions.
import { Type } from '@sinclair/typebox'
import { closed, defaulted, seconds } from '../../option-schema.js'

export const sessionOptions = Type.Object(
  {
    /** How long a session may last, how many a user may have, and what is kept of them. */
    sessions: Type.Optional(
      Type.Object(
        {
          /**
           * Longest life of a session in seconds, counted from the sign-in: no refresh and no renewed cookie outlives it. The reference has
           * no such limit.
           * @default `2592000`
           */
          absoluteSeconds: defaulted(seconds(), 2_592_000),
          /**
           * How long a session may be unused, in seconds: any request of it is a use, at any instance. It ends that long after its last use, or
           * up to a sixth of that (90 seconds at most) later, with the cause `expired`.
           * @default none: a session that is not refreshed lasts as long as its tokens and cookie
           */
          idleSeconds: Type.Optional(seconds(10)),
          /**
           * How many sessions a user may have. A sign-in beyond that ends the oldest one, with the cause `tooMany`.
           * @default none: any number
           */
          maxPerUser: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
          /**
           * Whether the network address of a sign-in is kept with its session and listed. Off, since it is personal data that nothing here
           * needs, and behind a proxy without `trustProxy` it is the proxy's.
           * @default `false`
           */
          recordAddress: defaulted(Type.Boolean(), false),
          /**
           * Whether a session with a claim `actor` of its own (`signIn.signIn(user, { claims })`), in which another person acts for the user, may
           * use the endpoints under `/manage`, and end other sessions by `POST /logout`. Otherwise the answer is 403.
           * @default `false`
           */
          actorMayManage: defaulted(Type.Boolean(), false),
        },
        closed,
      ),
    ),
  },
  closed,
)
