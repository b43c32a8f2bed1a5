// Access rules: roles and claims of users, policies of the application by name, the method and the age of the
// sign-in. Every route must have a rule, or the application does not start.
import Fastify, { type FastifyInstance } from 'fastify'
import identity, { allowAnonymous, requireAuthorization } from 'fastify-identity'
import { serve } from './serve.js'

export async function build(database: string): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(identity, {
    prefix: '/account',
    database,
    authorization: {
      explicit: true,
      policies: {
        ownPage: ({ userName }, request) => (request.params as { name: string }).name === userName,
        weekdays: () => new Date().getUTCDay() % 6 !== 0,
      },
    },
  })
  const { roles } = app.identity
  // A user who gets the role, by users.addToRole(user, 'editor'), has its claims too.
  const editor = await roles.create('editor')
  if (editor.succeeded) await roles.addClaim(editor.role, { type: 'department', value: 'press' })

  app.get('/', { onRequest: allowAnonymous() }, (request) => `Hello ${request.identity?.userName ?? 'stranger'}`)
  app.get('/pages/:name', { onRequest: requireAuthorization('ownPage') }, () => 'Your page')
  // All parts must hold; of a list, any.
  app.get(
    '/news',
    { onRequest: requireAuthorization({ claims: { department: ['press', 'board'] }, maxAgeSeconds: 8 * 3600 }) },
    () => 'News of tomorrow',
  )
  app.get('/newsroom', { onRequest: requireAuthorization({ roles: ['editor'], policy: 'weekdays' }) }, () => 'Come in')
  await app.register(
    (vault, _options, done) => {
      // For every route of this scope: only with a second factor.
      vault.addHook('onRequest', requireAuthorization({ amr: ['mfa'] }))
      vault.get('/sources', () => 'Our sources')
      done()
    },
    { prefix: '/vault' },
  )
  return app
}

await serve(import.meta, build)
