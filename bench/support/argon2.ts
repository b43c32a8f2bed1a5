// argon2id with nothing else to do, in a process of its own: the rate that logins are compared with.
import { availableParallelism } from 'node:os'
import { createHasher } from '../../src/passwords/hasher.js'
import { chooseBackend } from '../../src/passwords/argon2.js'
import { answering } from './child.js'

const password = Buffer.from('Correct-Horse-7')
const salt = Buffer.alloc(16, 7)
// The parameters of new hashes, and what verifying one computes.
const cost = { memoryKiB: 19_456, iterations: 2, parallelism: 1 }
const backend = await chooseBackend()

answering(
  {
    /** Hashes per second. */
    async rate({ inFlight, seconds }: { inFlight: number; seconds: number }) {
      const begin = performance.now()
      const end = begin + seconds * 1000
      let done = 0
      await Promise.all(
        Array.from({ length: inFlight }, async () => {
          while (performance.now() < end) {
            await backend.derive(password, salt, cost, 32)
            done++
          }
        }),
      )
      return (done / (performance.now() - begin)) * 1000
    },
    /** As the plugin stores it. */
    async hash() {
      const hasher = createHasher()
      const hash = await hasher.hash(String(password))
      await hasher.close()
      return hash
    },
    cores: () => availableParallelism(),
  },
  () => backend.close(),
)
