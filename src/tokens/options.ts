// The options of the key ring.
import { type Static, Type } from '@sinclair/typebox'
import { InvalidOption, SecretMissing } from '../errors.js'
import { closed, foreign } from '../option-schema.js'

const ringKey = Type.Object(
  {
    /**
     * Name of the key, 1 to 128 characters, unique in the list.
     * @default none, required
     */
    id: Type.String({ minLength: 1, maxLength: 128 }),
    /**
     * Secret of the key, at least 32 bytes, for example the output of `openssl rand -base64 32`.
     * @default none, required
     */
    secret: Type.String(),
  },
  closed,
)

export const tokenOptions = Type.Object(
  {
    /**
     * Root secret of at least 32 bytes, or a list of them, newest first. It wraps the keys in the database. Without one, `register` refuses
     * to start when `NODE_ENV` is `production`, and logs a warning elsewhere.
     * @default environment variable `IDENTITY_SECRET`
     */
    secret: Type.Optional(foreign<string | readonly string[]>()),
    /**
     * Token keys that you manage yourself: the first seals, all open. Replaces the key ring in the database, which rotates by itself.
     * @default a key ring in Postgres
     */
    keys: Type.Optional(Type.Unsafe<readonly RingKeyOption[]>(Type.Array(ringKey, { minItems: 1 }))),
  },
  closed,
)

/** One key of option `keys`. */
export interface RingKeyOption extends Static<typeof ringKey> {}

/**
 * The root secrets, newest first; none outside production.
 *
 * @throws FST_IDENTITY_SECRET_MISSING in production without a secret and without option `keys`
 * @throws FST_IDENTITY_INVALID_OPTION for an empty list, another type, and a secret that is too short
 */
export function readSecrets(
  given: string | readonly string[] | undefined,
  environment: NodeJS.ProcessEnv,
  hasKeys: boolean,
): readonly string[] {
  const named = given ?? (environment.IDENTITY_SECRET === '' ? undefined : environment.IDENTITY_SECRET)
  const option = given === undefined ? 'IDENTITY_SECRET' : 'secret'
  if (named === undefined) {
    if (environment.NODE_ENV === 'production' && !hasKeys) throw new SecretMissing()
    return []
  }
  const list: readonly unknown[] = typeof named === 'string' ? [named] : named
  if (!Array.isArray(list) || list.length === 0)
    throw new InvalidOption(option, 'is empty', 'Pass one string or a list, newest first')
  return list.map((secret) => {
    if (typeof secret !== 'string')
      throw new InvalidOption(option, 'is not a string', 'Pass one string or a list of strings, newest first')
    return strong(option, secret)
  })
}

/**
 * The keys of option `keys`.
 *
 * @throws FST_IDENTITY_INVALID_OPTION for a secret that is too short, and for two keys of one id
 */
export function readKeys(given: readonly RingKeyOption[]): readonly RingKeyOption[] {
  const keys = given.map(({ id, secret }) => ({ id, secret: strong('keys', secret) }))
  if (new Set(keys.map(({ id }) => id)).size < keys.length)
    throw new InvalidOption('keys', 'holds two keys of one id', 'Give each key an id of its own')
  return keys
}

function strong(option: string, secret: string): string {
  if (Buffer.byteLength(secret) >= 32) return secret
  throw new InvalidOption(option, 'holds a secret shorter than 32 bytes', 'Take the output of: openssl rand -base64 32')
}
