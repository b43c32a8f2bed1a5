// Reads the rows of the key ring, makes the first ones where there are none, unwraps them, and replaces the rings in use by those they make.
import type { Clock } from '../../clock.js'
import { DatabaseUnavailable, KeysUnwrapped, SecretWrong } from '../../errors.js'
import type { Db } from '../../store/db.js'
import { type KeyPurpose, type KeyRecord, loadKeys, rewrapKey } from '../../store/keys.js'
import {
  bindingOf,
  createCurrentRing,
  createKeyRing,
  type CurrentRing,
  type RingKey,
  staticKey,
  unwrapRoot,
  wrapRoot,
} from '../../tokens/key-ring.js'
import { makeKey } from './make-key.js'

export interface RingOptions {
  /** Root secrets, newest first. */
  readonly secrets: readonly string[]
  /** A ring that its owner manages; the vault's key is wrapped under its secrets when there is no root secret. */
  readonly ring: readonly { readonly id: string; readonly secret: string }[] | null
  /** Realms of one database do not open each other's tokens. */
  readonly appName: string
  readonly onError: (error: unknown) => void
}

export interface RingReader {
  /** The secrets that keys are wrapped under, newest first. */
  readonly secrets: readonly string[]
  /** The ring of option `keys`; null without it. */
  readonly given: readonly RingKey[] | null
  readonly token: CurrentRing
  readonly vault: CurrentRing
  /** One read after the other: the result of an older one never replaces that of a newer one. */
  readonly read: () => Promise<void>
  /** The rows of the keys of tokens, as read last. */
  readonly tokenKeys: () => KeyRecord[]
}

export function createRingReader(db: Db, options: RingOptions, clock: Clock): RingReader {
  const { appName } = options
  const secrets = options.secrets.length > 0 ? options.secrets : (options.ring ?? []).map(({ secret }) => secret)
  const given = options.ring?.map(({ id, secret }, position) => staticKey(id, secret, position)) ?? null
  let loaded: readonly KeyRecord[] = []
  const token = createCurrentRing(clock)
  const vault = createCurrentRing(clock)
  const roots = new Map<string, Uint8Array>()
  let binding = appName
  let last: Promise<unknown> = Promise.resolve()

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

  return {
    secrets,
    given,
    token,
    vault,
    read,
    tokenKeys: () => loaded.filter(({ purpose }) => purpose === 'token'),
  }
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

/** A row as a key of the ring. `root` is still wrapped where the row is. */
export function asRingKey({ id, root, createdAt, activatesAt, retiresAt, revokedAt }: KeyRecord): RingKey {
  return { id: Number.parseInt(id, 16), root, createdAt, activatesAt, retiresAt, revokedAt }
}

/** Whether nothing but the wrapping under another secret has changed. */
function isSame(records: readonly KeyRecord[], others: readonly KeyRecord[]): boolean {
  const fingerprint = (list: readonly KeyRecord[]) =>
    JSON.stringify(
      list.map(({ id, purpose, wrapped, createdAt, activatesAt, retiresAt, revokedAt }) => [
        id,
        purpose,
        wrapped,
        createdAt,
        activatesAt,
        retiresAt,
        revokedAt,
      ]),
    )
  return fingerprint(records) === fingerprint(others)
}
