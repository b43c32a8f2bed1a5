// jose: a JWE of A256GCM under one shared key.
import { EncryptJWT, jwtDecrypt } from 'jose'
import { everyone, person } from '../../dist/bench/support/contender.js'

export async function mount(app) {
  const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
  app.decorateRequest('claims', null)
  return {
    async guard(request, reply) {
      try {
        const { payload } = await jwtDecrypt(request.headers.authorization.slice('Bearer '.length), key)
        request.claims = payload
      } catch {
        return reply.code(401).send()
      }
    },
    userOf: (request) => request.claims.sub,
    credentials: (count) =>
      everyone(count, async (index) => {
        const claims = person(index)
        const token = await new EncryptJWT(claims)
          .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
          .setExpirationTime('1h')
          .encrypt(key)
        return { header: 'authorization', value: `Bearer ${token}`, userId: claims.sub }
      }),
  }
}
