// The loops of seal.ts, in a process of their own.
import { stampMark } from '../../src/tokens/fields.js'
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from 'node:crypto'
import { createOpenedCache } from '../../src/tokens/ticket-cache.js'
import { sealingKey } from '../../src/tokens/seal.js'
import { newStamp } from '../../src/tokens/stamp.js'
import { openTicket, sealTicket, type Ticket } from '../../src/tokens/ticket.js'
import { answering } from './child.js'
import { person } from './contender.js'

interface Primitives {
  secretbox(claims: object): () => unknown
  jwt(claims: object): () => unknown
  jwe(claims: object): Promise<() => Promise<unknown>>
}
const rivals = (await import(new URL('../../../bench/rivals/primitives.js', import.meta.url).href)) as Primitives // JavaScript, outside of the types

const { sub, email, sid, role, tenant, plan, amr } = person(1)
const now = Math.floor(Date.now() / 1000)
const ticket: Ticket = {
  userId: sub,
  sessionId: sid,
  userName: email,
  email,
  stamp: stampMark(newStamp()),
  issuedAt: now,
  expiresAt: now + 3600,
  authenticatedAt: now,
  sessionExpiresAt: now + 86_400,
  validatedAt: now,
  amr: [amr],
  roles: [role],
  counter: 0,
  persistent: false,
  claims: [
    { type: 'tenant', value: tenant },
    { type: 'plan', value: plan },
  ],
}
const key = sealingKey(7, randomBytes(32))
const find = () => key
const token = sealTicket(key, 'access', ticket)
const cache = createOpenedCache(10_000, 32 * 1024 * 1024)
cache.set('access', token, ticket)
const header = Buffer.from(`Bearer ${token}`)

const gcmKey = createSecretKey(randomBytes(32))
const nonce = randomBytes(12)
const cipher = createCipheriv('aes-256-gcm', gcmKey, nonce)
const sealed = Buffer.concat([cipher.update(JSON.stringify(person(1))), cipher.final()])
const tag = cipher.getAuthTag()

const jwe = await rivals.jwe(person(1))
const works: Readonly<Record<string, () => unknown>> = {
  sealTicket: () => sealTicket(key, 'access', ticket),
  openTicket: () => openTicket(find, 'access', token, now),
  // The header's text is as new as each request's.
  rememberedTicket: () => cache.get('access', header.toString('latin1').slice(7)),
  gcmOpen() {
    const decipher = createDecipheriv('aes-256-gcm', gcmKey, nonce)
    decipher.setAuthTag(tag)
    return JSON.parse(decipher.update(sealed).toString() + decipher.final().toString()) as unknown
  },
  secretboxOpen: rivals.secretbox(person(1)),
  jwtVerify: rivals.jwt(person(1)),
}

answering(
  {
    async nanoseconds({ what, seconds }: { what: string; seconds: number }) {
      const work = works[what]
      const end = process.hrtime.bigint() + BigInt(Math.round(seconds * 1e9))
      const before = process.cpuUsage()
      let done = 0
      while (process.hrtime.bigint() < end) {
        for (let i = 0; i < 500; i++, done++)
          if (!(work === undefined ? await jwe() : work())) throw new Error(`${what} failed`)
      }
      const { user, system } = process.cpuUsage(before)
      return ((user + system) * 1000) / done
    },
  },
  () => Promise.resolve(),
)
