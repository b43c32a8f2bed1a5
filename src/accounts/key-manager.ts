// The keys of this realm: loads them from Postgres, makes the first ones, and reads them again when a token names an unknown key.
// Whichever instance comes first makes a key; the others find it. The vault key seals what stays in the database and never turns.
import type { Clock } from '../clock.js'
import { SecretWrong } from '../errors.js'
import { insertKey, type KeyPurpose, type KeyRecord, loadKeys, rewrapKey } from '../store/keys.js'
import type { Db } from '../store/database.js'
import { createKeyRing, type KeyRing, newRootKey, type RingKey, unwrapRoot, wrapRoot } from '../tokens/key-ring.js'
import type { SealingKey } from '../tokens/seal.js'

export interface KeyManager {
  /** The key that seals tickets and codes now. */
  sealing(): SealingKey
  /** The key that a token names; null when unknown, revoked or past its time. */
  find(id: number): SealingKey | null
  /** The key of what stays in the database: the throttle's names, second factors, mails that wait. */
  vault(): SealingKey
  /** Reads the ring again, at most once a second however many ask; resolves when the newest reading is in place. */
  reload(): Promise<void>
  /** Changes with each reading that found another ring; tickets opened before it must be opened again. */
  readonly version: number
}

const reloadMilliseconds = 1_000

/**
 * Loads the ring, making its first keys when there are none.
 *
 * @throws FST_IDENTITY_SECRET_WRONG when a key is wrapped under a secret that is not among `secrets`
 */
export async function openKeyRing(db: Db, secrets: readonly string[], appName: string, clock: Clock): Promise<KeyManager> {
  let { ring, vault } = await load()
  let version = 0
  let reading: Promise<void> | null = null
  let readAt = -Infinity

  async function load(previous?: KeyRing): Promise<{ ring: KeyRing, vault: KeyRing }> {
    let records = await loadKeys(db)
    for (const purpose of ['token', 'vault'] as const) {
      if (records.some((record) => record.purpose === purpose)) continue
      await insertKey(db, firstKey(purpose, secrets, clock()))
      records = await loadKeys(db)
    }
    const keys = await Promise.all(records.map(async (record) => ({ record, key: await unwrap(db, record, secrets) })))
    const of = (purpose: KeyPurpose) => keys.filter(({ record }) => record.purpose === purpose).map(({ key }) => key)
    return { ring: createKeyRing(of('token'), appName, previous), vault: createKeyRing(of('vault'), appName) }
  }

  async function read(): Promise<void> {
    const next = await load(ring)
    ring = next.ring
    vault = next.vault
    version++
  }

  return {
    sealing: () => ring.sealing(clock()),
    find: (id) => ring.find(id, clock()),
    vault: () => vault.sealing(clock()),
    async reload() {
      if (reading === null && performance.now() - readAt < reloadMilliseconds) return
      reading ??= read().finally(() => {
        reading = null
        readAt = performance.now()
      })
      await reading
    },
    get version() { return version },
  }
}

function firstKey(purpose: KeyPurpose, secrets: readonly string[], now: number): KeyRecord {
  const { id, root } = newRootKey()
  const [secret] = secrets
  return {
    id: hex(id),
    purpose,
    generation: 1,
    root: secret === undefined ? Buffer.from(root) : wrapRoot(secret, id, root),
    wrapped: secret !== undefined,
    createdAt: now,
    activatesAt: now,
    retiresAt: null,
    revokedAt: null,
  }
}

// A key that was made without a secret, or under an older one, is wrapped under the newest as soon as it is read.
async function unwrap(db: Db, record: KeyRecord, secrets: readonly string[]): Promise<RingKey> {
  const id = Number.parseInt(record.id, 16)
  const opened = record.wrapped ? unwrapRoot(secrets, id, record.root) : { root: record.root, secretIndex: -1 }
  if (opened === null) throw new SecretWrong()
  const [newest] = secrets
  if (newest !== undefined && opened.secretIndex !== 0) await rewrapKey(db, record.id, record.root, wrapRoot(newest, id, opened.root))
  const { createdAt, activatesAt, retiresAt, revokedAt } = record
  return { id, root: opened.root, createdAt, activatesAt, retiresAt, revokedAt }
}

function hex(id: number): string {
  return id.toString(16).padStart(8, '0')
}
