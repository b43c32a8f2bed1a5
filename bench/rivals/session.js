// @fastify/session with its store in memory: a signed id in a cookie.
import cookie from '@fastify/cookie'
import session from '@fastify/session'
import { everyone, person } from '../../dist/bench/support/contender.js'

export async function mount(app) {
  await app.register(cookie)
  await app.register(session, {
    secret: 'a secret of more than thirty-two bytes',
    cookie: { secure: false },
    saveUninitialized: false,
    rolling: false,
  })
  app.post('/sign-in', (request, reply) => {
    request.session.person = request.body
    reply.code(204).send()
  })
  return {
    guard(request, reply, done) {
      if (request.session.person === undefined) reply.code(401).send()
      else done()
    },
    userOf: (request) => request.session.person.sub,
    credentials: (count) =>
      everyone(count, async (index) => {
        const claims = person(index)
        const { headers } = await app.inject({ method: 'POST', url: '/sign-in', payload: claims })
        return { header: 'cookie', value: headers['set-cookie'].split(';')[0], userId: claims.sub }
      }),
  }
}
