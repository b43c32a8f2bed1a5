// @fastify/secure-session: the whole session in a cookie, sealed by libsodium and opened for each request.
import { randomBytes } from 'node:crypto'
import secureSession from '@fastify/secure-session'
import { everyone, person } from '../../dist/bench/support/contender.js'

export async function mount(app) {
  await app.register(secureSession, { key: randomBytes(32), cookieName: 'session' })
  return {
    guard(request, reply, done) {
      if (request.session.get('sub') === undefined) reply.code(401).send()
      else done()
    },
    userOf: (request) => request.session.get('sub'),
    credentials: (count) =>
      everyone(count, (index) => {
        const claims = person(index)
        const cookie = encodeURIComponent(app.encodeSecureSession(app.createSecureSession(claims)))
        return { header: 'cookie', value: `session=${cookie}`, userId: claims.sub }
      }),
  }
}
