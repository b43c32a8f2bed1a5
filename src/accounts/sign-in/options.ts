// The options of signing in.
import { Type } from '@sinclair/typebox'
import { callback, closed, defaulted } from '../../option-schema.js'
import type { User } from '../users/user.js'

export const signInOptions = Type.Object(
  {
    /** What a user needs to sign in beside the right password. */
    signIn: Type.Optional(
      Type.Object(
        {
          /**
           * Whether a user needs a confirmed e-mail address to sign in. Reference: `SignInOptions.RequireConfirmedEmail`.
           * @default `false`; `true` with preset `hardened`
           */
          requireConfirmedEmail: defaulted(Type.Boolean(), false, true),
          /**
           * Whether a user needs a confirmed phone number to sign in. Reference: `SignInOptions.RequireConfirmedPhoneNumber`.
           * @default `false`
           */
          requireConfirmedPhoneNumber: defaulted(Type.Boolean(), false),
          /**
           * Whether a user needs a confirmed account to sign in, which is a confirmed e-mail address, or what `isConfirmed` says. Reference:
           * `SignInOptions.RequireConfirmedAccount`.
           * @default `false`
           */
          requireConfirmedAccount: defaulted(Type.Boolean(), false),
          /**
           * What a confirmed account is: `(user) => boolean`, asked with `requireConfirmedAccount`. Only `true` confirms. Reference:
           * `IUserConfirmation`.
           * @default the e-mail address is confirmed
           */
          isConfirmed: Type.Optional(callback<(user: User) => boolean>()),
        },
        closed,
      ),
    ),
  },
  closed,
)
