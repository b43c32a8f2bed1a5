// The options of lockout and of the codes in mails.
import { type Static, Type } from '@sinclair/typebox'
import { closed, defaulted, seconds } from '../../option-schema.js'

const codeOptions = Type.Object(
  {
    /**
     * Life in seconds of a code that confirms or changes an address. Reference: `DataProtectionTokenProviderOptions.TokenLifespan`.
     * @default `86400`
     */
    confirmEmailSeconds: defaulted(seconds(), 86_400),
    /**
     * Life in seconds of a code that resets a password. The reference keeps it a day.
     * @default `3600`
     */
    resetPasswordSeconds: defaulted(seconds(), 3600),
  },
  closed,
)

export const credentialOptions = Type.Object(
  {
    /** Locks after wrong passwords and codes. Each further lock lasts twice as long as the one before, up to a day. */
    lockout: Type.Optional(
      Type.Object(
        {
          /**
           * Whether new users, and names without a user, can be locked out. Reference: `LockoutOptions.AllowedForNewUsers`.
           * @default `true`
           */
          allowedForNewUsers: defaulted(Type.Boolean(), true),
          /**
           * Wrong passwords or codes until a lock, 1 to 100. Reference: `LockoutOptions.MaxFailedAccessAttempts`.
           * @default `5`
           */
          maxFailedAccessAttempts: defaulted(Type.Integer({ minimum: 1, maximum: 100 }), 5),
          /**
           * Length of the first lock in seconds; each further one lasts twice as long, up to a day. Reference:
           * `LockoutOptions.DefaultLockoutTimeSpan`.
           * @default `300`
           */
          lockoutSeconds: defaulted(seconds(), 300),
          /**
           * Seconds that a sign-in waits at most while as many others of its name are verified as may still fail. Then it is answered with 503.
           * @default `2`
           */
          maxWaitSeconds: defaulted(seconds(0), 2),
        },
        closed,
      ),
    ),
    /** How long the codes in mails are good. */
    codes: Type.Optional(codeOptions),
  },
  closed,
)

/** How long the codes in mails are good, in seconds. */
export type CodeLifetimes = Readonly<Required<Static<typeof codeOptions>>>
