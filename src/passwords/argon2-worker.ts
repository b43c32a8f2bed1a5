// The worker thread in which argon2.ts computes argon2id in JavaScript when no native code is available. One job
// after the other.
import { parentPort } from 'node:worker_threads'
import { argon2id } from '@noble/hashes/argon2.js'
import type { Argon2Cost } from './formats.js'

export interface WorkerJob {
  readonly id: number
  readonly password: Uint8Array
  readonly salt: Uint8Array
  readonly cost: Argon2Cost
  readonly tagBytes: number
}

export interface WorkerAnswer {
  readonly id: number
  readonly tag: Uint8Array
}

parentPort?.on('message', ({ id, password, salt, cost, tagBytes }: WorkerJob) => {
  const tag = argon2id(password, salt, { m: cost.memoryKiB, t: cost.iterations, p: cost.parallelism, dkLen: tagBytes })
  parentPort?.postMessage({ id, tag } satisfies WorkerAnswer)
})
