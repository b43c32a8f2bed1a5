// The keys of a realm: loads them from Postgres, makes the first ones, rotates them by the clock, and reads them
// again when a token names an unknown key. The first instance makes a key, and the others read it before it seals.
// The vault key seals stored data and does not rotate.
import type { Clock } from '../../clock.js'
import { KeysAreStatic } from '../../errors.js'
import { hex, makeKey } from './make-key.js'
import { mapDatabaseError } from '../../store/sql-errors.js'
import type { Db } from '../../store/db.js'
import { inTransaction } from '../../store/transaction.js'
import { retireKey, revokeKeys } from '../../store/keys.js'
import { nextKey } from '../../tokens/key-ring.js'
import type { SealingKey } from '../../tokens/seal.js'
import { asRingKey, createRingReader, type RingOptions, type RingReader } from './ring-reader.js'

/** A key without its bytes. Times are milliseconds since the epoch. */
export interface KeyInfo {
  /** Eight hexadecimal digits, as in the head of each token. */
  readonly id: string
  /** When the key was made. */
  readonly createdAt: number
  /** From when on it seals. */
  readonly activatesAt: number
  /** From when on it opens no token any more; null while it has no successor. */
  readonly retiresAt: number | null
  /** When it was revoked; null while it was not. */
  readonly revokedAt: number | null
}

/** `app.identity.keys`. */
export interface KeyManager {
  /** The keys of tokens and codes, oldest first. Those of option `keys` in the order given, since 1970. */
  list(): Promise<readonly KeyInfo[]>
  /**
   * Makes a new key, which seals after `activateAfterSeconds` (default 15: every instance has read it five times by
   * then). Tokens of older keys stay valid until they expire. Returns the new key, or one that is already waiting to
   * seal.
   */
  rotate(options?: { activateAfterSeconds?: number }): Promise<KeyInfo>
  /** Refuses every token and code that this key sealed: here at once, on other instances within 2 s. @returns false for an unknown or revoked one */
  revoke(id: string): Promise<boolean>
  /** Ends every session: revokes every key and makes a new one. For use after a leak of keys. */
  revokeAll(): Promise<void>
}

/** The key ring, as routes and managers use it. */
export interface Keys {
  /** The key that seals tickets and codes now. */
  readonly sealing: () => SealingKey
  /** The key of a token; null when unknown, revoked or retired. */
  readonly find: (id: number) => SealingKey | null
  /** The key of stored data: names of the throttle, second factors, waiting mails. */
  readonly vault: () => SealingKey
  /**
   * Reads the ring again, at most once a second for all callers; resolves when the newest result is in place.
   * @throws the error of that read, FST_IDENTITY_DATABASE_UNAVAILABLE for one
   */
  reload(): Promise<void>
  /** Calls a listener after each reading that found another ring: tickets opened before it must be opened again. */
  readonly onReplace: (listener: () => void) => void
  /** Whether the keys are unwrapped in the database: they were made without a secret, and none is set. */
  readonly isUnwrapped: boolean
}

export interface KeyOptions extends RingOptions {
  /**
   * The longest lifetime of any token or code: a key opens for that long after its successor seals. Null when it is
   * not known.
   */
  readonly openForSeconds: number | null
  /** How often the ring is read. Default 2,000. */
  readonly lookMilliseconds?: number
}

const reloadMilliseconds = 1_000
const lookMilliseconds = 2_000
const activationDelaySeconds = 60
const manualDelaySeconds = 15

/**
 * Loads the ring, making its first keys when there are none, and keeps it up to date until `close`.
 *
 * @throws FST_IDENTITY_SECRET_WRONG when a key is wrapped under a secret that is not among `secrets`, FST_IDENTITY_KEYS_UNWRAPPED when there is a
 *   secret and the keys were made without one
 */
export async function openKeys(
  db: Db,
  options: KeyOptions,
  clock: Clock,
): Promise<Keys & { manager: KeyManager; close(): void }> {
  const reader = createRingReader(db, options, clock)
  const { token, vault, read } = reader
  let reading: Promise<unknown> | null = null
  let failure: Error | null = null
  let readAt = -Infinity

  await read()
  const rotateWhenDue = rotation(db, reader, options.openForSeconds, clock)
  const timer = setInterval(() => {
    void keys
      .reload()
      .then(() => rotateWhenDue(undefined, activationDelaySeconds))
      .catch(options.onError)
  }, options.lookMilliseconds ?? lookMilliseconds)
  timer.unref()

  const keys = {
    sealing: token.sealing,
    find: token.find,
    vault: vault.sealing,
    async reload() {
      if (reading === null && performance.now() - readAt < reloadMilliseconds) {
        // The outcome of the last reading: a key that was not found while the database is away is not unknown.
        if (failure !== null) throw failure
        return
      }
      reading ??= read()
        .then(() => (failure = null))
        .catch((error: unknown) => {
          failure = mapDatabaseError(error) as Error // the database throws errors
          throw failure
        })
        .finally(() => {
          reading = null
          readAt = performance.now()
        })
      await reading
    },
    onReplace: token.onReplace,
    get isUnwrapped() {
      return reader.secrets.length === 0
    },
    manager: createKeyManager(db, reader, rotateWhenDue),
    close: () => clearInterval(timer),
  }
  return keys
}

type RotateWhenDue = (rotationSeconds: number | undefined, delaySeconds: number) => Promise<void>

/** Makes the key that is due, if one is. */
function rotation(
  db: Db,
  { secrets, given, read, tokenKeys }: RingReader,
  openForSeconds: number | null,
  clock: Clock,
): RotateWhenDue {
  return async (rotationSeconds, delaySeconds) => {
    if (given !== null) return
    const records = tokenKeys()
    const now = clock()
    // A row that was not made by our instances must not delay the key that is due.
    const trusted = records.filter(({ wrapped }) => wrapped || secrets.length === 0)
    const next = nextKey(trusted.map(asRingKey), now, {
      ...(rotationSeconds === undefined ? {} : { rotationSeconds }),
      ...(openForSeconds === null ? {} : { openForSeconds }),
      activationDelaySeconds: delaySeconds,
    })
    if (next === null) return
    const generation = Math.max(0, ...records.map((record) => record.generation)) + 1
    await inTransaction(db, async (trx) => {
      const key = { purpose: 'token', generation, createdAt: now, activatesAt: next.activatesAt } as const
      if (!(await makeKey(trx, secrets[0], key))) return
      for (const { id, retiresAt } of next.retirements) await retireKey(trx, hex(id), retiresAt)
    })
    await read()
  }
}

function createKeyManager(db: Db, { given, read, tokenKeys }: RingReader, rotateWhenDue: RotateWhenDue): KeyManager {
  return {
    async list() {
      if (given !== null) return given.map((key) => infoOf({ ...key, id: hex(key.id), activatesAt: 0 }))
      await read()
      return tokenKeys().map(infoOf)
    },
    async rotate({ activateAfterSeconds = manualDelaySeconds } = {}) {
      if (given !== null) throw new KeysAreStatic()
      await read()
      await rotateWhenDue(0, activateAfterSeconds)
      const newest = tokenKeys()
        .filter(({ revokedAt }) => revokedAt === null)
        .sort((a, b) => b.activatesAt - a.activatesAt)[0]
      if (newest === undefined) throw new Error('A ring without a key was rotated')
      return infoOf(newest)
    },
    async revoke(id) {
      if (given !== null) throw new KeysAreStatic()
      const revoked = await revokeKeys(db, id)
      await read()
      // No key may seal any more: the next one seals at once.
      await rotateWhenDue(undefined, activationDelaySeconds)
      return revoked > 0
    },
    async revokeAll() {
      if (given !== null) throw new KeysAreStatic()
      await revokeKeys(db, null)
      await read()
      await rotateWhenDue(undefined, activationDelaySeconds)
    },
  }
}

function infoOf({ id, createdAt, activatesAt, retiresAt, revokedAt }: KeyInfo): KeyInfo {
  return { id, createdAt, activatesAt, retiresAt, revokedAt }
}
