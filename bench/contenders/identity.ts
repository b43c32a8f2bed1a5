// fastify-identity as a host registers it. Variants: `bearer` (the default) or `cookie`, for the credentials; `all
// cores`, where hashing may use them; `pool`, over a pool of the host's, which its bare routes use too.
import { availableParallelism } from 'node:os'
import type { FastifyInstance } from 'fastify'
import identity, { requireAuthorization } from 'fastify-identity'
import type { IdentityOptions } from 'fastify-identity'
import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { ticketOf } from '../../src/http/tickets.js'
import type { SignedIn } from '../../src/accounts/sign-in/sign-in-manager.js'
import { findRealm } from '../../src/http/realm.js'
import type { Tables } from '../../src/store/schema.js'
import { openTicket, sealTicket } from '../../src/tokens/ticket.js'
import { newStamp } from '../../src/tokens/stamp.js'
import { everyone, type Mount, person } from '../support/contender.js'

export const mount: Mount = async (app, { database, schema = 'identity', variant = 'bearer' }) => {
  const pool = new pg.Pool({ connectionString: database })
  app.addHook('onClose', () => pool.end())
  const options: IdentityOptions = {
    prefix: '/account',
    database: variant === 'pool' ? pool : database,
    schema,
    cookie: { name: 'identity' },
    ...(variant === 'all cores' ? { password: { hasher: { maxConcurrent: availableParallelism() } } } : {}),
  }
  await app.register(identity, options)
  bareUpdates(app, pool, schema)
  plainRefresh(app, pool, schema)
  return {
    guard: requireAuthorization(),
    userOf: (request) => request.identity?.userId,
    // Sealed like those of a login, without a million logins.
    credentials(count) {
      const realm = findRealm(app, 'identity')!
      const now = Date.now()
      return everyone(count, (index) => {
        const ticket = ticketOf(someone(index, now), now, { lifetimeSeconds: 3600 })
        const token = sealTicket(realm.keys.sealing(), variant === 'cookie' ? 'cookie' : 'access', ticket)
        const { userId } = ticket
        return variant === 'cookie'
          ? { header: 'cookie', value: `identity=${token}`, userId }
          : { header: 'authorization', value: `Bearer ${token}`, userId }
      })
    },
    async refreshTokens(count) {
      const realm = findRealm(app, 'identity')!
      const now = Date.now()
      const { rows } = await pool.query<{ sid: string; sub: string; name: string; stamp: string; counter: number }>(
        `
        select s.id as sid, u.id as sub, u.user_name as name, u.security_stamp as stamp, s.counter
        from ${schema}.sessions s join ${schema}.users u on u.id = s.user_id order by md5(s.id::text) limit $1`,
        [count],
      )
      return rows.map((row, index) => {
        const { user, ...session } = someone(index, now)
        const signedIn = {
          ...session,
          sessionId: row.sid,
          user: { ...user, id: row.sub, userName: row.name, email: row.name, securityStamp: row.stamp },
        }
        return sealTicket(
          realm.keys.sealing(),
          'refresh',
          ticketOf(signedIn, now, { lifetimeSeconds: 3600, counter: row.counter }),
        )
      })
    },
  }
}

// One conditional UPDATE of a session by its id, in plain SQL: the base of comparison for a refresh.
function bareUpdates(app: FastifyInstance, pool: pg.Pool, schema: string): void {
  const text = `update ${schema}.sessions set counter = counter + 1, rotated_at = now(), last_seen_at = now() where id = $1
    returning user_id, counter, created_at, expires_at, amr`
  const answers = {
    unnamed: async (id: string) => (await pool.query<object>(text, [id])).rows[0],
    named: async (id: string) => (await pool.query<object>({ name: 'bare', text, values: [id] })).rows[0],
  }
  const body = { type: 'object', required: ['id'], properties: { id: { type: 'string' } } }
  for (const [name, answer] of Object.entries(answers)) {
    app.post<{ Body: { id: string } }>(`/update/${name}`, { schema: { body } }, (request) => answer(request.body.id))
  }
}

// A refresh as one would write it first: open, one UPDATE … RETURNING through Kysely, two seals. It knows neither roles
// nor replays.
function plainRefresh(app: FastifyInstance, pool: pg.Pool, schema: string): void {
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) }).withSchema(schema)
  const body = { type: 'object', required: ['refreshToken'], properties: { refreshToken: { type: 'string' } } }
  app.post<{ Body: { refreshToken: string } }>('/refresh/plain', { schema: { body } }, async (request) => {
    const { keys } = findRealm(app, 'identity')!
    const now = Math.floor(Date.now() / 1000)
    const ticket = openTicket((id) => keys.find(id), 'refresh', request.body.refreshToken, now)!
    const row = await db
      .updateTable('sessions')
      .from('users')
      .set((eb) => ({ counter: eb('sessions.counter', '+', 1), rotated_at: sql`now()`, last_seen_at: sql`now()` }))
      .whereRef('users.id', '=', 'sessions.user_id')
      .where('sessions.id', '=', ticket.sessionId)
      .where('sessions.counter', '=', ticket.counter)
      .where('sessions.expires_at', '>', sql<Date>`now()`)
      .returning([
        'sessions.counter',
        'sessions.amr',
        'users.user_name',
        'users.email',
        'users.security_stamp',
        'users.lockout_end',
      ])
      .executeTakeFirstOrThrow()
    const next = {
      ...ticket,
      userName: row.user_name,
      email: row.email,
      amr: row.amr,
      issuedAt: now,
      expiresAt: now + 3600,
    }
    return {
      tokenType: 'Bearer',
      accessToken: sealTicket(keys.sealing(), 'access', { ...next, counter: 0 }),
      expiresIn: 3600,
      refreshToken: sealTicket(keys.sealing(), 'refresh', { ...next, counter: row.counter }),
    }
  })
}

function someone(index: number, now: number): SignedIn {
  const { sub, email, sid, role, tenant, plan, amr } = person(index)
  const normalized = email.toUpperCase()
  return {
    user: {
      id: sub,
      userName: email,
      normalizedUserName: normalized,
      email,
      normalizedEmail: normalized,
      emailConfirmed: true,
      passwordHash: null,
      securityStamp: newStamp(),
      concurrencyStamp: sub,
      phoneNumber: null,
      phoneNumberConfirmed: false,
      twoFactorEnabled: false,
      lockoutEnabled: true,
      lockoutEnd: null,
      profile: {},
      createdAt: new Date(now),
    },
    roles: [role],
    claims: [
      { type: 'tenant', value: tenant },
      { type: 'plan', value: plan },
    ],
    amr: [amr],
    sessionId: sid,
    counter: 0,
    authenticatedAt: now,
    sessionClaims: [],
    sessionExpiresAt: now + 86_400_000,
  }
}
