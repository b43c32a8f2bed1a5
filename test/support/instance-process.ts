// One instance in a process of its own, started by processes.ts: the plugin at the root, a guarded `/guarded`, a `/clerks` for a role, and
// the host's administration by message. Real time, and argon2id at its cheapest
// unless the test asks for other settings.
import Fastify from 'fastify'
import pg from 'pg'
import identity, { type IdentityOptions, requireAuthorization, type User } from '../../src/index.js'
import { cheapHasher } from './instances.js'
import { patientTimeouts } from './patience.js'

export interface HostSettings {
  /** The host opens the pool and passes it to option `database`. */
  readonly ownPool?: boolean
  /** Option `clock` stands still: nothing expires by itself. */
  readonly frozenClock?: boolean
}

export interface Order {
  readonly id: number
  readonly name: keyof typeof orders
  readonly about: string
}

const given = JSON.parse(process.env.IDENTITY_OPTIONS ?? '{}') as IdentityOptions // written by processes.ts
const app = Fastify({ forceCloseConnections: true, pluginTimeout: 0 })
const { ownPool = false, frozenClock = false } = JSON.parse(process.env.HOST_SETTINGS ?? '{}') as HostSettings
const start = Date.now()
// JSON carries a connection string only.
const pool = ownPool ? new pg.Pool({ connectionString: given.database as string }) : undefined
await app.register(identity, {
  databaseTimeouts: patientTimeouts,
  ...given,
  ...(pool === undefined ? {} : { database: pool }),
  ...(frozenClock ? { clock: () => start } : {}),
  password: { hasher: cheapHasher, ...given.password },
  lockout: { maxWaitSeconds: 120, ...given.lockout },
})
app.get('/guarded', { onRequest: requireAuthorization() }, (request) => ({ userId: request.identity?.userId }))

app.get('/clerks', { onRequest: requireAuthorization({ roles: ['clerk'] }) }, () => ({}))

async function userOf(name: string): Promise<User> {
  const user = await app.identity.users.findByName(name)
  if (user === null) throw new Error('There is no such user')
  return user
}

const orders = {
  /** What the mail of /forgotPassword would bring. */
  async resetCode(email: string) {
    const user = await userOf(email)
    await app.identity.users.confirmEmail(user, app.identity.users.generateEmailConfirmationToken(user))
    return app.identity.users.generatePasswordResetToken(await userOf(email))
  },
  async deleteUser(email: string) {
    return app.identity.users.delete(await userOf(email))
  },
  async lock(email: string) {
    const user = await userOf(email)
    user.lockoutEnd = new Date(Date.now() + 3_600_000)
    return app.identity.users.update(user)
  },
  revokeSession: (sessionId: string) => app.identity.sessions.revoke(sessionId),
  async revokeSessions(email: string) {
    return app.identity.sessions.revokeAll((await userOf(email)).id)
  },
  listKeys: () => app.identity.keys.list(),
  rotateKeys: (seconds: string) => app.identity.keys.rotate({ activateAfterSeconds: Number(seconds) }),
  revokeKey: (id: string) => app.identity.keys.revoke(id),
  revokeKeys: () => app.identity.keys.revokeAll(),
}

process.on('message', ({ id, name, about }: Order) => {
  orders[name](about).then(
    (answer) => process.send?.({ id, answer }),
    (error: unknown) => process.send?.({ id, error: String(error) }),
  )
})
process.on('disconnect', () => void app.close().then(() => process.exit(0)))
process.send?.({ url: await app.listen({ host: '127.0.0.1', port: 0 }) })
