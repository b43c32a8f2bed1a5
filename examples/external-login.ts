// Signing in by another system, through a login route of your own. The other system identifies the user; sessions,
// tokens, cookies and locks are those of POST /account/login. A new user gets an account without a password.
import { randomBytes } from 'node:crypto'
import cookie from '@fastify/cookie'
import { type Static, Type } from '@sinclair/typebox'
import Fastify, { type FastifyInstance } from 'fastify'
import identity from 'fastify-identity'
import { Kysely, PostgresDialect } from 'kysely'
import { openPool } from './open-pool.js'
import { serve } from './serve.js'

export interface Provider {
  /** Where people are sent to; the provider sends them back to /login/example/done with `code` and `state`. */
  loginUrl(state: string): string
  /** Exchanges the code, over a connection of your server's own. */
  personOf(code: string): Promise<{ readonly subject: string; readonly email: string }>
}

const example: Provider = {
  loginUrl: (state) => `https://login.example.com/?state=${state}`,
  async personOf(code) {
    const answer = await fetch('https://login.example.com/person', {
      method: 'POST',
      body: new URLSearchParams({ code }),
    })
    if (!answer.ok) throw Object.assign(new Error('The other system did not say who you are.'), { statusCode: 401 })
    return (await answer.json()) as { subject: string; email: string } // as that system documents it
  },
}

const Done = Type.Object({ code: Type.String(), state: Type.String() })

export async function build(database: string, provider = example): Promise<FastifyInstance> {
  const db = new Kysely<object>({ dialect: new PostgresDialect({ pool: openPool(database) }) })
  const app = Fastify()
  await app.register(cookie)
  await app.register(identity, { prefix: '/account', database: db, endpoints: { register: false } })
  app.addHook('onClose', () => db.destroy())
  const { signIn, users } = app.identity

  app.get('/login/example', (_request, reply) => {
    const state = randomBytes(16).toString('base64url')
    // The browser that comes back must be the one that was sent: otherwise another site could sign users in to a
    // foreign account.
    reply.setCookie('login-state', state, { path: '/login/example', httpOnly: true, sameSite: 'lax', maxAge: 600 })
    return reply.redirect(provider.loginUrl(state))
  })

  app.get<{ Querystring: Static<typeof Done> }>(
    '/login/example/done',
    { schema: { querystring: Done } },
    async (request, reply) => {
      if (request.query.state !== request.cookies['login-state'])
        return reply.code(400).send({ detail: 'Begin at /login/example' })
      const { subject, email } = await provider.personOf(request.query.code)
      if ((await users.findByLogin('example', subject)) === null) {
        // An account of this name may be another person's: it is not linked; its owner can link it once signed in
        // (users.addLogin).
        const created = await db.transaction().execute(async (trx) => {
          const inside = users.withTransaction(trx)
          const result = await inside.create({ userName: email, email })
          const linked = result.succeeded
            ? await inside.addLogin(result.user, { loginProvider: 'example', providerKey: subject })
            : result
          // An error rolls back the account too.
          if (result.succeeded && !linked.succeeded) throw Object.assign(new Error('Try again.'), { statusCode: 409 })
          return result
        })
        if (!created.succeeded) return reply.code(409).send(created.errors)
      }
      const result = await signIn.externalLoginSignIn('example', subject, { client: request.headers['user-agent'] })
      if (!result.succeeded) return reply.code(401).send({ detail: result.reason })
      reply.clearCookie('login-state', { path: '/login/example' })
      // For an app on a device: return signIn.sendTokens(reply, result.signedIn)
      signIn.setCookie(reply, result.signedIn)
      return reply.redirect('/')
    },
  )
  return app
}

await serve(import.meta, (database) => build(database))
