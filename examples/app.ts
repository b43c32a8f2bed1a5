// The example's application: accounts under /account, one guarded route, Swagger UI at /docs. What starts and stops it
// is in server.ts.
import { randomInt } from 'node:crypto'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { Type } from '@sinclair/typebox'
import Fastify from 'fastify'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import identity, { requireAuthorization } from 'fastify-identity'
import type { IdentityOptions } from 'fastify-identity'

export interface AppOptions {
  /** Connection string of the Postgres that keeps the accounts. */
  database: string
  /** Origin under which people reach the server. */
  publicUrl: string
  /** Default: none. */
  logger?: FastifyServerOptions['logger']
}

export async function buildApp({ database, publicUrl, logger = false }: AppOptions): Promise<FastifyInstance> {
  // A browser keeps unused connections open; closing must not wait for them.
  const app = Fastify({ logger, forceCloseConnections: true })

  await app.register(swagger, {
    openapi: { openapi: '3.1.0', info: { title: 'fastify-identity example', version: '1.0.0' } },
  })
  await app.register(swaggerUi, { routePrefix: '/docs' })

  const accounts: IdentityOptions = {
    prefix: '/account',
    database,
    publicUrl,
    // In production: an SMTP URL, or a sender of your own.
    email: {
      send({ to, subject, text }) {
        console.log(`\nMail to ${to}: ${subject}\n${text}`)
        return Promise.resolve()
      },
    },
  }
  await app.register(identity, accounts)

  app.get('/', { schema: { summary: 'Where things are', response: { 200: Places } } }, () => ({
    docs: `${publicUrl}/docs`,
    accounts: `${publicUrl}/account`,
    guarded: `${publicUrl}/weatherforecast`,
  }))
  app.get('/weatherforecast', { onRequest: requireAuthorization(), schema: weatherSchema }, forecasts)
  return app
}

const Places = Type.Object({ docs: Type.String(), accounts: Type.String(), guarded: Type.String() })

const Forecast = Type.Object({
  date: Type.String({ format: 'date' }),
  temperatureC: Type.Integer(),
  temperatureF: Type.Integer(),
  summary: Type.String(),
})

/** The answer of GET /weatherforecast, for other hosts. */
export const weatherSchema = { summary: 'Five days of weather', response: { 200: Type.Array(Forecast) } }

const summaries = [
  'Freezing',
  'Bracing',
  'Chilly',
  'Cool',
  'Mild',
  'Warm',
  'Balmy',
  'Hot',
  'Sweltering',
  'Scorching',
] as const

export function forecasts() {
  return [1, 2, 3, 4, 5].map((day) => {
    const temperatureC = randomInt(-20, 55)
    return {
      date: new Date(Date.now() + day * 86_400_000).toISOString().slice(0, 10),
      temperatureC,
      temperatureF: 32 + Math.round(temperatureC * 1.8),
      summary: summaries[randomInt(summaries.length)]!,
    }
  })
}
