// @fastify/jwt, HS256. Variant `cached`: with its cache of verified tokens.
import jwt from '@fastify/jwt'
import { everyone, person } from '../../dist/bench/support/contender.js'

export async function mount(app, { variant }) {
  await app.register(jwt, { secret: 'a secret of more than thirty-two bytes', verify: { cache: variant === 'cached' } })
  return {
    async guard(request, reply) {
      try {
        await request.jwtVerify()
      } catch {
        return reply.code(401).send()
      }
    },
    userOf: (request) => request.user.sub,
    credentials: (count) =>
      everyone(count, (index) => {
        const claims = person(index)
        return {
          header: 'authorization',
          value: `Bearer ${app.jwt.sign(claims, { expiresIn: '1h' })}`,
          userId: claims.sub,
        }
      }),
  }
}
