// What the rivals seal with, without a server: each answers a function that opens once what it has sealed.
import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { EncryptJWT, jwtDecrypt } from 'jose'

// Of @fastify/secure-session and @fastify/jwt: the copies that they use.
const sodium = createRequire(import.meta.resolve('@fastify/secure-session'))('sodium-native')
const { createSigner, createVerifier } = createRequire(import.meta.resolve('@fastify/jwt'))('fast-jwt')

export function secretbox(claims) {
  const key = randomBytes(32)
  const nonce = randomBytes(24)
  const text = Buffer.from(JSON.stringify(claims))
  const sealed = Buffer.alloc(text.length + sodium.crypto_secretbox_MACBYTES)
  sodium.crypto_secretbox_easy(sealed, text, nonce, key)
  const token = sealed.toString('base64')
  return () => {
    const given = Buffer.from(token, 'base64')
    const opened = Buffer.allocUnsafe(given.length - sodium.crypto_secretbox_MACBYTES)
    return sodium.crypto_secretbox_open_easy(opened, given, nonce, key) && JSON.parse(opened.toString())
  }
}

export function jwt(claims) {
  const key = randomBytes(32)
  const token = createSigner({ key, expiresIn: 3_600_000 })(claims)
  const verify = createVerifier({ key })
  return () => verify(token)
}

export async function jwe(claims) {
  const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
  const token = await new EncryptJWT(claims)
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
    .setExpirationTime('1h')
    .encrypt(key)
  return () => jwtDecrypt(token, key)
}
