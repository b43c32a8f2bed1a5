// The key ring: finds keys by id, the key that seals, and the time of the next one, by the clock that is passed in.
// Has no database and no timer; src/accounts/keys/ loads, stores and reloads keys.
import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { randomBytes } from 'node:crypto'
import { openBytes, sealBytes, sealingKey, type SealingKey } from './seal.js'
import { keyLength } from './xaes.js'

/** Times are milliseconds since the Unix epoch. */
export interface RingKey {
  /** uint32 */
  readonly id: number
  /** 32 bytes */
  readonly root: Uint8Array
  readonly createdAt: number
  /** It seals from then on. Later than `createdAt`, so that every instance can open before any seals. */
  readonly activatesAt: number
  /** It opens no token from then on; null while it has no successor. */
  readonly retiresAt: number | null
  /** When set, it opens and seals nothing more, whatever the clock says. */
  readonly revokedAt: number | null
}

export interface KeyRing {
  /**
   * The newest key that is active, neither retired nor revoked; if none is active yet, the oldest of those to come.
   * @throws Error when there is none at all
   */
  readonly sealing: (now: number) => SealingKey
  /** Null when unknown, retired or revoked. */
  readonly find: (id: number, now: number) => SealingKey | null
  /**
   * For columns with a purpose of their own that must outlive rotation: the key in any state, until its rows are
   * sealed anew.
   */
  readonly findForStored: (id: number) => SealingKey | null
  readonly size: number
}

/**
 * @param previous its keys, with all derived ones, are reused where id, root and appName are the same
 * @throws TypeError when two keys share an id
 */
export function createKeyRing(keys: readonly RingKey[], appName = '', previous?: KeyRing): KeyRing {
  // The same order on every instance, also among keys of the same instant.
  const slots = [...keys].sort(byAge).map((key) => ({ ...timesOf(key), sealing: keptOrNew(key, appName, previous) }))
  const byId = new Map(slots.map((slot) => [slot.sealing.id, slot]))
  if (byId.size !== slots.length) throw new TypeError('Two keys of the ring have the same id')
  return Object.freeze({
    sealing(now: number) {
      const slot = sealingOf(
        slots.filter((one) => isUsable(one, now)),
        now,
      )
      if (!slot) throw new Error('The key ring holds no key that may seal')
      return slot.sealing
    },
    find(id: number, now: number) {
      const slot = byId.get(id)
      return slot && isUsable(slot, now) ? slot.sealing : null
    },
    findForStored: (id: number) => byId.get(id)?.sealing ?? null,
    size: slots.length,
  })
}

/** A ring that may be replaced, by a clock. */
export interface CurrentRing {
  readonly sealing: () => SealingKey
  readonly find: (id: number) => SealingKey | null
  readonly ring: () => KeyRing
  readonly replace: (next: KeyRing) => void
  /** Calls a listener after each replacement, before anything else runs. */
  readonly onReplace: (listener: () => void) => void
}

export function createCurrentRing(clock: () => number): CurrentRing {
  let ring = createKeyRing([])
  const listeners: (() => void)[] = []
  return {
    sealing: () => ring.sealing(clock()),
    find: (id) => ring.find(id, clock()),
    ring: () => ring,
    replace(next) {
      ring = next
      for (const listener of listeners) listener()
    },
    onReplace: (listener) => void listeners.push(listener),
  }
}

export interface RotationOptions {
  /**
   * How long a key seals before the next is due; default 90 days. 0 requests a new one now, unless one is already
   * waiting to activate.
   */
  readonly rotationSeconds?: number
  /** Seconds between a key's creation and its first use: twice the time an instance may take to see it. Default 60. */
  readonly activationDelaySeconds?: number
  /**
   * How long a key's tokens must still open once its successor seals: the longest lifetime of any token. Unset when
   * unknown: then no key retires until an instance that knows it makes the next one.
   */
  readonly openForSeconds?: number
}

/** A key to be created, and the keys it replaces, each with the time of its retirement. */
export interface NextKey {
  readonly activatesAt: number
  readonly retirements: readonly { readonly id: number; readonly retiresAt: number }[]
}

/**
 * The key that is due now, or null. When no key may seal (the first start, all revoked) it is due and activates at
 * once. When only retiring keys are left (their successor was revoked) it is due too, and the one that seals
 * meanwhile stays for its last tokens.
 */
export function nextKey(keys: readonly RingKey[], now: number, options: RotationOptions): NextKey | null {
  const { rotationSeconds = 90 * 86_400, activationDelaySeconds = 60, openForSeconds } = options
  const usable = keys.filter((key) => isUsable(key, now)).sort(byAge)
  const newest = usable.at(-1)
  if (newest === undefined) return { activatesAt: now, retirements: [] }
  if (usable.some((key) => key.retiresAt === null) && now < newest.activatesAt + rotationSeconds * 1000) return null
  const activatesAt = now + activationDelaySeconds * 1000
  if (openForSeconds === undefined) return { activatesAt, retirements: [] }
  const retiresAt = activatesAt + openForSeconds * 1000
  const sealing = sealingOf(usable, now)
  return {
    activatesAt,
    retirements: usable
      .filter((key) => key.retiresAt === null || (key === sealing && key.retiresAt < retiresAt))
      .map(({ id }) => ({ id, retiresAt })),
  }
}

export function newRootKey(): { id: number; root: Uint8Array } {
  return { id: randomBytes(4).readUInt32BE(0), root: Uint8Array.from(randomBytes(keyLength)) }
}

/**
 * A root key sealed under a secret from outside the database; opens for this id only.
 * @throws TypeError when the secret has fewer than 32 bytes
 */
export function wrapRoot(secret: string | Uint8Array, id: number, root: Uint8Array): Buffer {
  return sealBytes(wrappingKey(strong(secret), id), 'keyWrap', root)
}

/** Tries the secrets in order. Null when none of them wrapped this root for this id. */
export function unwrapRoot(
  secrets: readonly (string | Uint8Array)[],
  id: number,
  wrapped: Uint8Array,
): { root: Uint8Array; secretIndex: number } | null {
  for (const [secretIndex, secret] of secrets.entries()) {
    const root = openBytes((named) => (named === id ? wrappingKey(secret, id) : null), 'keyWrap', wrapped)
    if (root?.length === keyLength) return { root: Uint8Array.from(root), secretIndex }
  }
  return null
}

/**
 * A key that its owner manages, active without a limit of time. Its id in tokens is the first 4 bytes of SHA-256 of
 * `id`.
 * @param position place in the owner's list: 0, the first, seals
 * @throws TypeError when the secret has fewer than 32 bytes
 */
export function staticKey(id: string, secret: string | Uint8Array, position = 0): RingKey {
  const kid = Buffer.from(sha256(Buffer.from(id))).readUInt32BE(0)
  const root = fromSecret(strong(secret), 'identity/v1/static')
  return { id: kid, root, createdAt: 0, activatesAt: 0 - position, retiresAt: null, revokedAt: null }
}

/**
 * What binds tokens to the tables that they were made over: text derived from the key of the vault, which each schema makes once. Two
 * applications with one static ring and different databases do not open each other's tokens.
 */
export function bindingOf(vaultRoot: Uint8Array): string {
  return Buffer.from(hkdf(sha256, vaultRoot, undefined, Buffer.from('identity/v1/schema'), 16)).toString('hex')
}

function wrappingKey(secret: string | Uint8Array, id: number): SealingKey {
  return sealingKey(id, fromSecret(secret, 'identity/v1/wrap'))
}

function fromSecret(secret: string | Uint8Array, info: string): Uint8Array {
  return hkdf(sha256, Buffer.from(secret), undefined, Buffer.from(info), keyLength)
}

function strong(secret: string | Uint8Array): string | Uint8Array {
  if (Buffer.byteLength(secret) < keyLength) throw new TypeError('A secret has at least 32 bytes')
  return secret
}

function keptOrNew({ id, root }: RingKey, appName: string, previous: KeyRing | undefined): SealingKey {
  const kept = previous?.findForStored(id)
  return kept?.isOf(root, appName) ? kept : sealingKey(id, root, appName)
}

type KeyTimes = Pick<RingKey, 'activatesAt' | 'retiresAt' | 'revokedAt'>

function timesOf({ activatesAt, retiresAt, revokedAt }: RingKey): KeyTimes {
  return { activatesAt, retiresAt, revokedAt }
}

function isUsable({ retiresAt, revokedAt }: KeyTimes, now: number): boolean {
  return revokedAt === null && (retiresAt === null || now < retiresAt)
}

/** Usable keys by age. */
function sealingOf<T extends KeyTimes>(usable: readonly T[], now: number): T | undefined {
  return usable.findLast(({ activatesAt }) => activatesAt <= now) ?? usable[0]
}

function byAge(a: RingKey, b: RingKey): number {
  return a.activatesAt - b.activatesAt || a.createdAt - b.createdAt || a.id - b.id
}
