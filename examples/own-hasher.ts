// A hasher of your own, here scrypt of node:crypto, for users from another system: a password that verifies as
// `yes-rehash` is stored anew at the next sign-in. It runs behind the same queue as ours, and an unknown user costs a
// verification too.
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import Fastify, { type FastifyInstance } from 'fastify'
import identity, { type PasswordHasher } from 'fastify-identity'
import { serve } from './serve.js'

const cost = 2 ** 15
const derive = promisify<string, Buffer, number, { N: number; maxmem: number }, Buffer>(scrypt)
const key = (password: string, salt: Buffer, N: number) =>
  derive(password.normalize('NFKC'), salt, 32, { N, maxmem: 256 * N * 8 })

/** `scrypt$cost$salt$key`, the last two in hex. */
export const scryptHasher: PasswordHasher = {
  async hash(password) {
    const salt = randomBytes(16)
    return ['scrypt', cost, salt.toString('hex'), (await key(password, salt, cost)).toString('hex')].join('$')
  },
  async verify(hash, password) {
    const [, made, salt, stored] = /^scrypt\$(\d{1,7})\$([0-9a-f]{32})\$([0-9a-f]{64})$/.exec(hash) ?? []
    if (made === undefined || salt === undefined || stored === undefined) return 'no'
    const derived = await key(password, Buffer.from(salt, 'hex'), Number(made))
    if (!timingSafeEqual(derived, Buffer.from(stored, 'hex'))) return 'no'
    return Number(made) < cost ? 'yes-rehash' : 'yes'
  },
}

export async function build(database: string): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(identity, { prefix: '/account', database, password: { hasher: scryptHasher } })
  return app
}

await serve(import.meta, build)
