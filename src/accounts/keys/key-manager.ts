// The keys of a realm: loads them from Postgres, makes the first ones, rotates them by the clock, and reads them
// again when a token names an unknown key. The first instance makes a key, and the others read it before it seals.
// The vault key seals stored data and does not rotate.
import type { Clock } from '../../clock.js'
import { DatabaseUnavailable, KeysAreStatic, KeysUnwrapped, SecretWrong } from '../../errors.js'
import { hex, makeKey } from './make-key.js'
import { mapDatabaseError } from '../../store/sql-errors.js'
import type { Db } from '../../store/db.js'
import { inTransaction } from '../../store/transaction.js'
import { type KeyPurpose, type KeyRecord, loadKeys, retireKey, revokeKeys, rewrapKey } from '../../store/keys.js'
import {
  bindingOf,
  createCurrentRing,
  createKeyRing,
  nextKey,
  type RingKey,
  staticKey,
  unwrapRoot,
  wrapRoot,
} from '../../tokens/key-ring.js'
import type { SealingKey } from '../../tokens/seal.js'

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

export interface KeyOptions {
  /** Root secrets, newest first. */
  readonly secrets: readonly string[]
  /** A ring that its owner manages; the vault's key is wrapped under its secrets when there is no root secret. */
  readonly ring: readonly { readonly id: string; readonly secret: string }[] | null
  /** Realms of one database do not open each other's tokens. */
  readonly appName: string
  /**
   * The longest lifetime of any token or code: a key opens for that long after its successor seals. Null when it is
   * not known.
   */
  readonly openForSeconds: number | null
  /** How often the ring is read. Default 2,000. */
  readonly lookMilliseconds?: number
  readonly onError: (error: unknown) => void
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
  const { appName } = options
  const secrets = options.secrets.length > 0 ? options.secrets : (options.ring ?? []).map(({ secret }) => secret)
  const given = options.ring?.map(({ id, secret }, position) => staticKey(id, secret, position)) ?? null
  let loaded: readonly KeyRecord[] = []
  const token = createCurrentRing(clock)
  const vault = createCurrentRing(clock)
  const roots = new Map<string, Uint8Array>()
  let binding = appName
  let last: Promise<unknown> = Promise.resolve()
  let reading: Promise<unknown> | null = null
  let failure: Error | null = null
  let readAt = -Infinity

  // One read after the other: the result of an older one never replaces that of a newer one.
  function read(): Promise<void> {
    const following = last.then(readNow)
    last = following.catch(() => undefined)
    return following
  }

  async function readNow(): Promise<void> {
    let records = await loadKeys(db)
    for (const purpose of ['token', 'vault'] as const) {
      if (records.some((record) => record.purpose === purpose) || (purpose === 'token' && given !== null)) continue
      // A ring that existed and is missing is being restored; a new first key would conflict with the restored rows.
      if (loaded.some((record) => record.purpose === purpose)) throw new DatabaseUnavailable()
      const now = clock()
      await makeKey(db, secrets[0], { purpose, generation: 1, createdAt: now, activatesAt: now })
      records = await loadKeys(db)
    }
    if (isSame(records, loaded)) return
    if (loaded.length === 0) refuseUnwrapped(records, secrets, given !== null)
    const keys: { purpose: KeyPurpose; key: RingKey }[] = []
    for (const record of records) {
      if (!record.wrapped && secrets.length > 0) {
        // Not made by an instance with a secret.
        options.onError(new KeysUnwrapped())
        continue
      }
      // An instance with a newer secret may have wrapped anew what this one has read before.
      const root = (await unwrap(db, record, secrets)) ?? roots.get(record.id)
      if (root === undefined) {
        // At start that is a misconfiguration; later it is a key of other instances, whose tokens are refused here.
        const error = new SecretWrong(reasonOf(secrets))
        if (loaded.length === 0) throw error
        options.onError(error)
        continue
      }
      roots.set(record.id, root)
      keys.push({ purpose: record.purpose, key: { ...asRingKey(record), root } })
    }
    const of = (purpose: KeyPurpose) => keys.filter((one) => one.purpose === purpose).map(({ key }) => key)
    const [vaultKey] = of('vault')
    if (vaultKey !== undefined) binding = `${appName}/${bindingOf(vaultKey.root)}`
    token.replace(createKeyRing(given ?? of('token'), binding, token.ring()))
    vault.replace(createKeyRing(of('vault'), appName, vault.ring()))
    loaded = records
  }

  function tokenKeys(): KeyRecord[] {
    return loaded.filter(({ purpose }) => purpose === 'token')
  }

  /** Makes the key that is due, if one is. */
  async function rotateWhenDue(rotationSeconds: number | undefined, delaySeconds: number): Promise<void> {
    if (given !== null) return
    const records = tokenKeys()
    const now = clock()
    // A row that was not made by our instances must not delay the key that is due.
    const trusted = records.filter(({ wrapped }) => wrapped || secrets.length === 0)
    const next = nextKey(trusted.map(asRingKey), now, {
      ...(rotationSeconds === undefined ? {} : { rotationSeconds }),
      ...(options.openForSeconds === null ? {} : { openForSeconds: options.openForSeconds }),
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

  await read()
  const timer = setInterval(() => {
    void keys
      .reload()
      .then(() => rotateWhenDue(undefined, activationDelaySeconds))
      .catch(options.onError)
  }, options.lookMilliseconds ?? lookMilliseconds)
  timer.unref()

  const manager: KeyManager = {
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
      return secrets.length === 0
    },
    manager,
    close: () => clearInterval(timer),
  }
  return keys
}

// A ring without any wrapped key was made without a secret. In a wrapped ring, an unwrapped row is ignored.
function refuseUnwrapped(records: readonly KeyRecord[], secrets: readonly string[], isStatic: boolean): void {
  if (secrets.length === 0) return
  for (const purpose of ['token', 'vault'] as const) {
    const keys = records.filter((record) => record.purpose === purpose)
    if (!(isStatic && purpose === 'token') && keys.every(({ wrapped }) => !wrapped)) throw new KeysUnwrapped()
  }
}

// A key under an older secret is wrapped under the newest as soon as it is read. Null: under another one.
async function unwrap(db: Db, record: KeyRecord, secrets: readonly string[]): Promise<Uint8Array | null> {
  if (!record.wrapped) return Uint8Array.from(record.root)
  const id = Number.parseInt(record.id, 16)
  const opened = unwrapRoot(secrets, id, record.root)
  const [newest] = secrets
  if (opened !== null && newest !== undefined && opened.secretIndex !== 0) {
    await rewrapKey(db, record.id, record.root, wrapRoot(newest, id, opened.root))
  }
  return opened?.root ?? null
}

function reasonOf(secrets: readonly string[]): string {
  return secrets.length === 0
    ? "The keys in the database are wrapped under a root secret, and none is set: neither option 'secret' nor IDENTITY_SECRET"
    : 'The root secret cannot open the keys in the database'
}

function asRingKey({ id, root, createdAt, activatesAt, retiresAt, revokedAt }: KeyRecord): RingKey {
  return { id: Number.parseInt(id, 16), root, createdAt, activatesAt, retiresAt, revokedAt }
}

function infoOf({ id, createdAt, activatesAt, retiresAt, revokedAt }: KeyInfo): KeyInfo {
  return { id, createdAt, activatesAt, retiresAt, revokedAt }
}

function isSame(records: readonly KeyRecord[], others: readonly KeyRecord[]): boolean {
  const fingerprint = (list: readonly KeyRecord[]) =>
    JSON.stringify(list.map((record) => ({ ...infoOf(record), purpose: record.purpose, wrapped: record.wrapped })))
  return fingerprint(records) === fingerprint(others)
}
