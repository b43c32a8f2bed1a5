// An audit log from events, which are emitted after commit. A line that must never be missing belongs into a hook
// instead: see hooks-and-outbox-row.ts, whose row commits with its change.
import Fastify, { type FastifyInstance } from 'fastify'
import identity, { type IdentityEvents } from 'fastify-identity'
import { serve } from './serve.js'

export async function build(
  database: string,
  write = (line: object) => console.log(JSON.stringify(line)),
): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(identity, { prefix: '/account', database })

  const names: (keyof IdentityEvents)[] = [
    'userCreated',
    'userDeleted',
    'passwordChanged',
    'passwordReset',
    'emailChanged',
    'twoFactorEnabled',
    'twoFactorDisabled',
    'signInSucceeded',
    'signInFailed',
    'refreshTokenReused',
    'sessionsEnded',
  ]
  for (const name of names)
    app.identity.events.on(name, (event: object) => {
      write({ at: new Date().toISOString(), event: name, ...event })
    })
  return app
}

await serve(import.meta, (database) => build(database))
