// Hashes and verifies passwords: argon2id behind a queue, off the event loop. The stored forms are in formats.ts, the
// computation in argon2.ts, the queue in queue.ts. The rules for new passwords are in policy.ts.
import { pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { chooseBackend, type Argon2Backend } from './argon2.js'
import { formatArgon2id, parseHash, type Argon2Cost, type Argon2Hash, type Pbkdf2Hash } from './formats.js'
import { costOf, limitsOf, thisMachine, type HasherOptions, type HasherQueueOptions } from './hasher-options.js'
import { maxPasswordBytes } from './policy.js'
import { createQueue, type QueueLimits } from './queue.js'

export type { HasherOptions, HasherQueueOptions }

/**
 * `yes-rehash`: the password is right, and should be hashed again because the stored hash has another format or cost.
 */
export type VerifyResult = 'no' | 'yes' | 'yes-rehash'

/**
 * A replacement for the built-in hasher, option `password.hasher`. `verify` returns `no` for a hash that it cannot
 * read; it does not throw.
 */
export interface PasswordHasher {
  /** Returns the string to store for a password. */
  hash(password: string): Promise<string>
  /** Compares a password with a stored hash. */
  verify(hash: string, password: string): Promise<VerifyResult>
}

/**
 * A hasher behind a queue. Both methods throw HasherBusy when the queue is full, and the signal's reason when it is
 * aborted while they wait.
 */
export interface QueuedHasher extends PasswordHasher {
  /** True while the next call would be refused: a route can check it before it reads a body. */
  readonly busy: boolean
  /**
   * The hash to store. Throws TypeError for a password that is not well-formed Unicode, RangeError above 4,096 bytes
   * of UTF-8.
   */
  hash(password: string, signal?: AbortSignal): Promise<string>
  /**
   * A null hash (no user, or a user without a password) takes as long as a wrong password and returns `no`; so does
   * an unusable hash.
   */
  verify(hash: string | null, password: string, signal?: AbortSignal): Promise<VerifyResult>
  /** Refuses new jobs, finishes running and waiting ones, then ends the worker if there is one. */
  close(): Promise<void>
}

/**
 * The built-in hasher. Throws InvalidOption. `backend` replaces the choice of chooseBackend and is closed with the
 * hasher.
 */
export function createHasher(options: HasherOptions = {}, backend?: Argon2Backend): QueuedHasher {
  const limits = limitsOf(options, thisMachine())
  const cost = costOf(options)
  const chosen = backend === undefined ? chooseBackend() : Promise.resolve(backend)
  return queued(argon2idHasher(cost, chosen, randomBytes), limits, async () => (await chosen).close())
}

/**
 * Puts a host's own hasher behind the queue. It gets passwords as typed, and at once a random one: the dummy hash for
 * unknown names.
 */
export function queueHasher(hasher: PasswordHasher, options: HasherQueueOptions = {}): QueuedHasher {
  // It may be remote: the size of libuv's pool limits the default, not an explicit setting.
  const limits = limitsOf(options, thisMachine(), 1024)
  return queued(withDummyHash(hasher, randomBytes), limits, () => Promise.resolve())
}

/** A hasher with a dummy hash for unknown names, without the queue. */
interface Work {
  hash(password: string): Promise<string>
  verify(hash: string | null, password: string): Promise<VerifyResult>
  /** Run as the first job: prepares what would make the first call slower than the second. */
  readonly prepare?: () => Promise<unknown>
}

type RandomBytes = (length: number) => Uint8Array

function queued(work: Work, limits: QueueLimits, end: () => Promise<void>): QueuedHasher {
  const queue = createQueue(limits)
  let closing: Promise<void> | undefined
  // A later call that needs the failed preparation repeats it, and throws its error.
  if (work.prepare !== undefined) queue.run(work.prepare).catch(() => undefined)
  return {
    get busy() {
      return queue.busy
    },
    async hash(password, signal) {
      if (isTooLong(password))
        throw new RangeError(`A password must not be longer than ${maxPasswordBytes} bytes of UTF-8`)
      if (!isWellFormed(password)) throw new TypeError('A password must be well-formed Unicode')
      return queue.run(() => work.hash(password), signal)
    },
    async verify(hash, password, signal) {
      // No user can have such a password, so the quick answer reveals nothing about any account.
      if (isTooLong(password) || !isWellFormed(password)) return 'no'
      return queue.run(() => work.verify(hash, password), signal)
    },
    close: () => (closing ??= queue.close().then(end)),
  }
}

const saltBytes = 16
const tagBytes = 32

function argon2idHasher(cost: Argon2Cost, chosen: Promise<Argon2Backend>, random: RandomBytes): Work {
  // The dummy hash: its cost is the current one, since a cheaper one would differ in time; its tag is random, so that
  // no password matches.
  const dummyHash: Argon2Hash = { kind: 'argon2id', cost, salt: random(saltBytes), tag: random(tagBytes) }

  return {
    async hash(password) {
      const salt = random(saltBytes)
      const backend = await chosen
      return formatArgon2id(cost, salt, await backend.derive(utf8(password.normalize('NFKC')), salt, cost, tagBytes))
    },
    async verify(hash, password) {
      const stored = (hash === null ? null : parseHash(hash)) ?? dummyHash
      return stored.kind === 'argon2id' ? verifyArgon2id(stored, password) : verifyPbkdf2(stored, password)
    },
  }

  // Our own hashes are of the NFKC form (NIST SP 800-63B-4 §3.1.1.2). A hash of another system may be of the text as
  // typed.
  async function verifyArgon2id(stored: Argon2Hash, password: string): Promise<VerifyResult> {
    const normalized = password.normalize('NFKC')
    if (await isTagOf(stored, normalized)) return isCurrent(stored) ? 'yes' : 'yes-rehash'
    if (normalized !== password && (await isTagOf(stored, password))) return 'yes-rehash'
    return 'no'
  }

  async function isTagOf(stored: Argon2Hash, text: string): Promise<boolean> {
    const backend = await chosen
    return timingSafeEqual(await backend.derive(utf8(text), stored.salt, stored.cost, stored.tag.length), stored.tag)
  }

  function isCurrent({ cost: made, salt, tag }: Argon2Hash): boolean {
    return (
      made.memoryKiB === cost.memoryKiB &&
      made.iterations === cost.iterations &&
      made.parallelism === cost.parallelism &&
      salt.length === saltBytes &&
      tag.length === tagBytes
    )
  }
}

const derivePbkdf2 = promisify(pbkdf2)

/** The reference hashes the text as typed. Its hashes are always replaced. */
async function verifyPbkdf2({ digest, iterations, salt, tag }: Pbkdf2Hash, password: string): Promise<VerifyResult> {
  const derived = await derivePbkdf2(utf8(password), salt, iterations, tag.length, digest)
  return timingSafeEqual(derived, tag) ? 'yes-rehash' : 'no'
}

function withDummyHash(hasher: PasswordHasher, random: RandomBytes): Work {
  let made: Promise<string> | undefined
  return {
    hash: (password) => hasher.hash(password),
    async verify(hash, password) {
      if (hash !== null) return hasher.verify(hash, password)
      await hasher.verify(await dummyHash(), password)
      return 'no'
    },
    prepare: dummyHash,
  }

  async function dummyHash(): Promise<string> {
    made ??= hasher.hash(Buffer.from(random(32)).toString('base64'))
    try {
      return await made
    } catch (error) {
      made = undefined
      throw error
    }
  }
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

function isTooLong(password: string): boolean {
  return Buffer.byteLength(password) > maxPasswordBytes
}

function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text)
}
