// better-auth on the same Postgres, mounted as its documentation says. Variant `cached`: with its cookie cache.
import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import { fromNodeHeaders } from 'better-auth/node'
import pg from 'pg'
import { everyone } from '../../dist/bench/support/contender.js'

const password = 'Correct-Horse-7'

export async function mount(app, { database, variant, schema = 'better_auth' }) {
  const setup = new pg.Client(database)
  await setup.connect()
  await setup.query(`create schema if not exists ${schema}`)
  await setup.end()
  const pool = new pg.Pool({ connectionString: database, options: `-c search_path=${schema}` })
  app.addHook('onClose', () => pool.end())
  const options = {
    database: pool,
    baseURL: 'http://127.0.0.1',
    secret: 'a secret of more than thirty-two bytes',
    emailAndPassword: { enabled: true },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    advanced: { disableCSRFCheck: true },
    session: { cookieCache: { enabled: variant === 'cached', maxAge: 3600 } },
    logger: { disabled: true },
  }
  const { runMigrations } = await getMigrations(options)
  await runMigrations()
  const auth = betterAuth(options)
  app.decorateRequest('person', null)

  app.route({
    method: ['GET', 'POST'],
    url: '/api/auth/*',
    async handler(request, reply) {
      const answer = await auth.handler(
        new Request(`http://127.0.0.1${request.url}`, {
          method: request.method,
          headers: fromNodeHeaders(request.headers),
          ...(request.body ? { body: JSON.stringify(request.body) } : {}),
        }),
      )
      reply.code(answer.status)
      answer.headers.forEach((value, name) => reply.header(name, value))
      return reply.send(answer.body ? await answer.text() : null)
    },
  })

  return {
    async guard(request, reply) {
      const session = await auth.api.getSession({ headers: fromNodeHeaders(request.headers) })
      if (session === null) return reply.code(401).send()
      request.person = session.user
    },
    userOf: (request) => request.person.id,
    // A hash of 80 ms each: a few people, shared by many connections.
    credentials: (count) =>
      everyone(Math.min(count, 16), async (index) => {
        const email = `person-${index}-${crypto.randomUUID()}@example.com`
        const { headers, response } = await auth.api.signUpEmail({
          body: { email, name: email, password },
          returnHeaders: true,
        })
        return {
          header: 'cookie',
          value: headers
            .getSetCookie()
            .map((line) => line.split(';')[0])
            .join('; '),
          userId: response.user.id,
          login: { email, password },
        }
      }),
  }
}
