// The options of users: their names, their passwords, and the host's own fields, claims and hooks.
import { type Static, type TObject, Type } from '@sinclair/typebox'
import { callback, closed, defaulted, foreign } from '../../option-schema.js'
import type { PasswordHasher } from '../../passwords/hasher.js'
import { type HasherOptions, passwordRules } from '../../passwords/options.js'
import type { Claim } from '../../store/users.js'
import { hookOptions, type Hooks } from './hooks.js'
import type { User } from './user.js'
import type { PasswordValidator, UserValidator } from './user-validator.js'

/** The members of option `password` that are not rules of their own. */
const passwordOptions = Type.Object(
  {
    /**
     * Further rules for passwords: `(password, user) => { code, description }[]`, also as a promise. They are called after the rules above
     * and return the failures that they find.
     * @default none
     */
    validators: defaulted(Type.Unsafe<readonly PasswordValidator[]>(Type.Array(callback())), []),
    /**
     * Another hasher, `{ hash, verify }`, or the settings of the built-in one.
     * @default argon2id
     */
    hasher: Type.Optional(foreign<PasswordHasher | HasherOptions>()),
  },
  closed,
)

const nameOptions = Type.Object(
  {
    /**
     * Characters that a user name may hold; `null` or `''`: any. A name that is an address may have apostrophes before the @ too. Reference:
     * `UserOptions.AllowedUserNameCharacters`.
     * @default `'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._@+'`
     */
    allowedUserNameCharacters: defaulted(
      Type.Union([Type.String(), Type.Null()]),
      'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._@+',
    ),
    /**
     * Whether an e-mail address belongs to one user only; a unique index holds it. Reference: `UserOptions.RequireUniqueEmail`.
     * @default `false`
     */
    requireUniqueEmail: defaulted(Type.Boolean(), false),
    /**
     * Whether the user name is the e-mail address; `false`: `POST /register` and `POST /login` take `userName` too.
     * @default `true`
     */
    userNameIsEmail: defaulted(Type.Boolean(), true),
    /**
     * Further rules for users: `(user) => { code, description }[]`, also as a promise. They are called whenever a user is written and return
     * the failures that they find.
     * @default none
     */
    validators: defaulted(Type.Unsafe<readonly UserValidator[]>(Type.Array(callback())), []),
  },
  closed,
)

/** Option `password`. */
export interface PasswordSettings extends Static<typeof passwordRules>, Static<typeof passwordOptions> {}

/** Option `user`. */
export type UserSettings = Static<typeof nameOptions>

export const passwordSchema = Type.Object({ ...passwordRules.properties, ...passwordOptions.properties }, closed)

export const userOptions = Type.Object(
  {
    /** Rules for new passwords, and how they are hashed. */
    password: Type.Optional(Type.Unsafe<PasswordSettings>(passwordSchema)),
    /** Rules for users. */
    user: Type.Optional(nameOptions),
    /**
     * Fields of your own, as a TypeBox object: `POST /register` takes them, `/manage/info` shows and changes them, and `user.profile` holds
     * them.
     * @default none
     */
    profile: Type.Optional(foreign<TObject>()),
    /**
     * Claims of your own: `(user) => { type, value }[]`, added to every ticket of a user. Called at each sign-in, at each refresh, and when a
     * cookie's user is read again.
     * @default none
     */
    claims: Type.Optional(callback<(user: User) => readonly Claim[]>()),
    /**
     * Functions that are called inside the transaction of a change, with `{ user, trx }`. One that throws rolls the change back.
     * @default none
     */
    hooks: defaulted(Type.Unsafe<Hooks>(hookOptions), {}),
  },
  closed,
)
