// The options of passwords: the rules for new ones, and the settings of the built-in hasher.
import { type Static, Type } from '@sinclair/typebox'
import { closed, defaulted, foreign } from '../option-schema.js'

export const passwordRules = Type.Object(
  {
    /**
     * Fewest UTF-16 code units of a new password, as in the reference, where an emoji counts as two. Preset `hardened` counts Unicode code
     * points instead (NIST SP 800-63B-4 §3.1.1.2). Reference: `PasswordOptions.RequiredLength`.
     * @default `6`; `15` with preset `hardened`
     */
    requiredLength: defaulted(Type.Integer({ minimum: 1, maximum: 512 }), 6, 15),
    /**
     * Fewest different UTF-16 code units; 0 asks for none. Reference: `PasswordOptions.RequiredUniqueChars`.
     * @default `1`
     */
    requiredUniqueChars: defaulted(Type.Integer({ minimum: 0, maximum: 512 }), 1),
    /**
     * Whether a new password needs a digit from 0 to 9. Reference: `PasswordOptions.RequireDigit`.
     * @default `true`; `false` with preset `hardened`
     */
    requireDigit: defaulted(Type.Boolean(), true, false),
    /**
     * Whether a new password needs a letter from a to z. Reference: `PasswordOptions.RequireLowercase`.
     * @default `true`; `false` with preset `hardened`
     */
    requireLowercase: defaulted(Type.Boolean(), true, false),
    /**
     * Whether a new password needs a letter from A to Z. Reference: `PasswordOptions.RequireUppercase`.
     * @default `true`; `false` with preset `hardened`
     */
    requireUppercase: defaulted(Type.Boolean(), true, false),
    /**
     * Whether a new password needs a character other than 0-9, a-z and A-Z; letters of other alphabets count. Reference:
     * `PasswordOptions.RequireNonAlphanumeric`.
     * @default `true`; `false` with preset `hardened`
     */
    requireNonAlphanumeric: defaulted(Type.Boolean(), true, false),
    /**
     * Most Unicode code points of a new password. More than 4,096 bytes of UTF-8 are always refused. The reference has no limit.
     * @default `512`
     */
    maxLength: defaulted(Type.Integer({ minimum: 8, maximum: 4096 }), 512),
  },
  closed,
)

// Values are checked in hasher-options.ts, where the limits of the machine are known; here only unknown names are found.
export const hasherOptions = Type.Object(
  {
    /**
     * Memory of argon2id in KiB (m), from 8 × `parallelism` to 262144. A stored hash of another cost still verifies and is replaced at the
     * next login. Source of the default: OWASP Password Storage Cheat Sheet.
     * @default `19456`
     */
    memoryKiB: defaulted(foreign<number>(), 19_456),
    /**
     * Passes of argon2id (t), 1 to 10.
     * @default `2`
     */
    iterations: defaulted(foreign<number>(), 2),
    /**
     * Lanes of argon2id (p), 1 to 4.
     * @default `1`
     */
    parallelism: defaulted(foreign<number>(), 1),
    /**
     * Passwords that are hashed at the same time. Hashing shares libuv's threads with files and DNS, so that two of `UV_THREADPOOL_SIZE`
     * (4 unless set) stay free: a larger number is refused.
     * @default half the cores, at least 1, at most `UV_THREADPOOL_SIZE` − 2
     */
    maxConcurrent: Type.Optional(foreign<number>()),
    /**
     * Passwords that may wait in the queue, 0 to 1000000; further requests get a 503.
     * @default 128 × `maxConcurrent`
     */
    maxQueue: Type.Optional(foreign<number>()),
    /**
     * Longest wait in the queue in seconds, above 0, at most 600; then the request gets a 503.
     * @default `3`
     */
    maxWaitSeconds: defaulted(foreign<number>(), 3),
  },
  closed,
)

/** Settings of the built-in argon2id hasher and of the queue in front of it. */
export interface HasherOptions extends Readonly<Static<typeof hasherOptions>> {}
