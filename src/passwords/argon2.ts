// Computes argon2id (RFC 9106, version 19) off the event loop, by the fastest of three implementations that works
// here.
// Measured on one machine, 19 MiB and two passes: @node-rs/argon2 9 ms, node:crypto 21 ms, JavaScript in a worker 165
// ms.
import * as crypto from 'node:crypto'
import { Worker } from 'node:worker_threads'
import type { WorkerAnswer, WorkerJob } from './argon2-worker.js'
import type { Argon2Cost } from './formats.js'

/** One implementation of argon2id. `derive` must not block the event loop; `close` ends its threads. */
export interface Argon2Backend {
  readonly name: string
  derive(password: Uint8Array, salt: Uint8Array, cost: Argon2Cost, tagBytes: number): Promise<Uint8Array>
  close(): Promise<void>
}

/** Returns a backend, or null when it is not available in this process. */
export type BackendSource = () => Promise<Argon2Backend | null> | Argon2Backend | null

/** The first source whose backend passes the known-answer test; otherwise the worker, which is always available. */
export async function chooseBackend(sources: readonly BackendSource[] = [nodeRs, nodeCrypto]): Promise<Argon2Backend> {
  for (const source of sources) {
    const backend = await source()
    if (backend === null) continue
    if (await passesKnownAnswer(backend)) return backend
    await backend.close()
  }
  return nobleWorker()
}

/**
 * @node-rs/argon2: native, on libuv's pool. Null when its binary does not load (an unknown platform, an install
 * without it).
 */
export async function nodeRs(): Promise<Argon2Backend | null> {
  try {
    const { hashRaw } = await import('@node-rs/argon2')
    return {
      name: '@node-rs/argon2',
      // Its defaults are argon2id and version 19.
      derive: (password, salt, cost, tagBytes) =>
        hashRaw(password, {
          salt,
          memoryCost: cost.memoryKiB,
          timeCost: cost.iterations,
          parallelism: cost.parallelism,
          outputLen: tagBytes,
        }),
      close: () => Promise.resolve(),
    }
  } catch {
    return null
  }
}

/** node:crypto, on libuv's pool. Null before Node 24.7, and when OpenSSL was built without argon2. */
export function nodeCrypto(): Argon2Backend | null {
  // The types are those of Node 20, which has no argon2.
  const { argon2 } = crypto as unknown as { argon2?: CryptoArgon2 }
  if (argon2 === undefined) return null
  return {
    name: 'node:crypto',
    derive: (password, salt, cost, tagBytes) =>
      new Promise((resolve, reject) => {
        argon2(
          'argon2id',
          {
            message: password,
            nonce: salt,
            memory: cost.memoryKiB,
            passes: cost.iterations,
            parallelism: cost.parallelism,
            tagLength: tagBytes,
          },
          (error, tag) => (error === null ? resolve(tag) : reject(error)),
        )
      }),
    close: () => Promise.resolve(),
  }
}

type CryptoArgon2 = (
  algorithm: 'argon2id',
  parameters: {
    message: Uint8Array
    nonce: Uint8Array
    memory: number
    passes: number
    parallelism: number
    tagLength: number
  },
  done: (error: Error | null, tag: Uint8Array) => void,
) => void

/**
 * @noble/hashes in one worker thread, started by the first job. The thread keeps the process alive only while it
 * computes.
 */
export function nobleWorker(): Argon2Backend {
  const pending = new Map<number, { resolve: (tag: Uint8Array) => void; reject: (reason: unknown) => void }>()
  let worker: Worker | undefined
  let lastId = 0

  return {
    name: '@noble/hashes',
    derive: (password, salt, cost, tagBytes) =>
      new Promise((resolve, reject) => {
        const thread = (worker ??= start())
        const id = ++lastId
        pending.set(id, { resolve, reject })
        thread.ref()
        // Copies: a message carries the whole buffer under a view, which may be a pool shared with other secrets.
        thread.postMessage({
          id,
          password: Uint8Array.from(password),
          salt: Uint8Array.from(salt),
          cost,
          tagBytes,
        } satisfies WorkerJob)
      }),
    async close() {
      await worker?.terminate()
    },
  }

  function start(): Worker {
    const thread = new Worker(new URL('./argon2-worker.js', import.meta.url))
    thread.on('message', ({ id, tag }: WorkerAnswer) => {
      pending.get(id)?.resolve(tag)
      pending.delete(id)
      if (pending.size === 0) thread.unref()
    })
    // A thread that ends early (out of memory, for example) fails its jobs; the next job starts another.
    const fail = (reason: unknown) => {
      if (worker !== thread) return
      worker = undefined
      for (const { reject } of pending.values()) reject(reason)
      pending.clear()
    }
    thread.on('error', fail)
    thread.on('exit', () => fail(new Error('The argon2 worker has ended')))
    return thread
  }
}

// test.c of the argon2 reference implementation: version 19, 256 KiB, two passes, one lane.
const knownAnswer = '9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe'

async function passesKnownAnswer(backend: Argon2Backend): Promise<boolean> {
  try {
    const cost = { memoryKiB: 256, iterations: 2, parallelism: 1 }
    const tag = await backend.derive(Buffer.from('password'), Buffer.from('somesalt'), cost, 32)
    return Buffer.from(tag).toString('hex') === knownAnswer
  } catch {
    return false
  }
}
