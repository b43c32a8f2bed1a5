// Turns passwords into strings to store, and says whether a password belongs to one: argon2id, in turn, off the event loop.
// What is stored is in formats.ts, who computes in argon2.ts, who waits in queue.ts. Does not judge passwords; that is policy.ts.
import { pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { chooseBackend, type Argon2Backend } from './argon2.js'
import { formatArgon2id, parseHash, type Argon2Cost, type Argon2Hash, type Pbkdf2Hash } from './formats.js'
import { costOf, limitsOf, thisMachine, type HasherOptions, type HasherQueueOptions } from './hasher-options.js'
import { maxPasswordBytes } from './policy.js'
import { createQueue, type QueueLimits } from './queue.js'

export type { HasherOptions, HasherQueueOptions }

/** `yes-rehash`: the password is right, and should be stored anew because the hash is of another format or another cost. */
export type VerifyResult = 'no' | 'yes' | 'yes-rehash'

/** What option `password.hasher` may be replaced with. `verify` answers `no` to a hash it cannot read; it does not throw. */
export interface PasswordHasher {
  hash(password: string): Promise<string>
  verify(hash: string, password: string): Promise<VerifyResult>
}

/** A hasher behind a queue. Both methods throw HasherBusy in a flood, and the signal's reason when it is aborted before their turn. */
export interface QueuedHasher extends PasswordHasher {
  /** True while the next call would be refused: a route may say so before it reads a body. */
  readonly busy: boolean
  /** The string to store. Throws TypeError for a password that is not well-formed Unicode, RangeError above 4,096 bytes of UTF-8. */
  hash(password: string, signal?: AbortSignal): Promise<string>
  /** Null, for want of a user or a password, takes as long as a wrong password and answers `no`; so does a hash that is of no use. */
  verify(hash: string | null, password: string, signal?: AbortSignal): Promise<VerifyResult>
  /** Refuses new work, finishes what was begun or waits, then ends the worker if there is one. */
  close(): Promise<void>
}

/** The default hasher. Throws InvalidOption. `backend` replaces the choice of chooseBackend and is closed with the hasher. */
export function createHasher(options: HasherOptions = {}, backend?: Argon2Backend): QueuedHasher {
  const limits = limitsOf(options, thisMachine())
  const cost = costOf(options)
  const chosen = backend === undefined ? chooseBackend() : Promise.resolve(backend)
  return inTurn(argon2idHasher(cost, chosen, randomBytes), limits, async () => (await chosen).close())
}

/** Puts a host's own hasher behind the queue. It gets passwords as typed, and a random one right away: the hash to compare nobody's with. */
export function queueHasher(hasher: PasswordHasher, options: HasherQueueOptions = {}): QueuedHasher {
  // It may be remote: the size of libuv's pool bounds the default, not what the host sets.
  const limits = limitsOf(options, thisMachine(), 1024)
  return inTurn(withDummy(hasher, randomBytes), limits, () => Promise.resolve())
}

/** A hasher that knows what to spend on nobody, before the queue is put in front of it. */
interface Work {
  hash(password: string): Promise<string>
  verify(hash: string | null, password: string): Promise<VerifyResult>
  /** Run as the first job, for what would make the first answer slower than the second. */
  readonly prepare?: () => Promise<unknown>
}

type RandomBytes = (length: number) => Uint8Array

function inTurn(work: Work, limits: QueueLimits, end: () => Promise<void>): QueuedHasher {
  const queue = createQueue(limits)
  let closing: Promise<void> | undefined
  // Whoever needs what failed here tries again, and sees the error.
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
      // Nobody can have such a password, so the quick answer tells nothing about anybody.
      if (isTooLong(password) || !isWellFormed(password)) return 'no'
      return queue.run(() => work.verify(hash, password), signal)
    },
    close: () => (closing ??= queue.close().then(end)),
  }
}

const saltBytes = 16
const tagBytes = 32

function argon2idHasher(cost: Argon2Cost, chosen: Promise<Argon2Backend>, random: RandomBytes): Work {
  // The hash of nobody: of the current cost, since a cheaper one is told apart by its timing, and of no password, its tag being random.
  const nobody: Argon2Hash = { kind: 'argon2id', cost, salt: random(saltBytes), tag: random(tagBytes) }

  return {
    async hash(password) {
      const salt = random(saltBytes)
      const backend = await chosen
      return formatArgon2id(cost, salt, await backend.derive(utf8(password.normalize('NFKC')), salt, cost, tagBytes))
    },
    async verify(hash, password) {
      const stored = (hash === null ? null : parseHash(hash)) ?? nobody
      return stored.kind === 'argon2id' ? verifyArgon2id(stored, password) : verifyPbkdf2(stored, password)
    },
  }

  // Ours are always of the NFKC form (NIST SP 800-63B-4 §3.1.1.2). One that another system made may be of the text as typed.
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

/** The reference hashed the text as typed; whatever it wrote is to be replaced. */
async function verifyPbkdf2({ digest, iterations, salt, tag }: Pbkdf2Hash, password: string): Promise<VerifyResult> {
  const derived = await derivePbkdf2(utf8(password), salt, iterations, tag.length, digest)
  return timingSafeEqual(derived, tag) ? 'yes-rehash' : 'no'
}

function withDummy(hasher: PasswordHasher, random: RandomBytes): Work {
  let made: Promise<string> | undefined
  return {
    hash: (password) => hasher.hash(password),
    async verify(hash, password) {
      if (hash !== null) return hasher.verify(hash, password)
      await hasher.verify(await dummy(), password)
      return 'no'
    },
    prepare: dummy,
  }

  async function dummy(): Promise<string> {
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
