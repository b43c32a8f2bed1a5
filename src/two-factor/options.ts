// The options of the second factor.
import { Type } from '@sinclair/typebox'
import { closed, defaulted, seconds } from '../option-schema.js'

export const twoFactorOptions = Type.Object(
  {
    /** The second factor: codes of an authenticator app (RFC 6238), and machines that are remembered. */
    twoFactor: Type.Optional(
      Type.Object(
        {
          /**
           * The name of the application in the authenticator app, 1 to 128 characters.
           * @default host of `publicUrl`, otherwise `'Fastify'`
           */
          issuer: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
          /**
           * Whether one code opens more than one login. The reference allows it.
           * @default `false`
           */
          allowCodeReuse: defaulted(Type.Boolean(), false),
          /**
           * Steps of 30 seconds accepted before and after the current one, 0 to 10 (RFC 6238 §5.2). The reference accepts 2.
           * @default `1`
           */
          windowSteps: defaulted(Type.Integer({ minimum: 0, maximum: 10 }), 1),
          /**
           * How long a remembered machine needs no second factor, in seconds. Reference: cookie `Identity.TwoFactorRememberMe`.
           * @default `1209600`
           */
          rememberMachineSeconds: defaulted(seconds(), 1_209_600),
        },
        closed,
      ),
    ),
  },
  closed,
)
