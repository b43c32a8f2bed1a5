// Key pairs of the software authenticator: the public half as COSE_Key (RFC 9053 §7) and as SPKI, the private half as a signature.
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { type Cbor, encodeCbor } from './cbor.js'

/** A signature algorithm of WebAuthn by its name (RFC 9053 §2, RFC 8812 §2). */
export type CredentialAlgorithm = 'ES256' | 'RS256' | 'EdDSA'

export interface CredentialKey {
  /** The COSE number of the algorithm. */
  readonly alg: number
  readonly coseKey: Buffer
  readonly spki: Buffer
  /** As WebAuthn Level 3 §6.5.5 has it: DER for ES256. */
  sign(bytes: Uint8Array): Buffer
}

export const algorithmNumbers: Readonly<Record<CredentialAlgorithm, number>> = { ES256: -7, EdDSA: -8, RS256: -257 }

/** Makes a key pair of P-256, of RSA with 2048 bits, or of Ed25519. */
export function newCredentialKey(algorithm: CredentialAlgorithm): CredentialKey {
  const { publicKey, privateKey } = newPair(algorithm)
  return {
    alg: algorithmNumbers[algorithm],
    coseKey: encodeCbor(coseKeyOf(algorithm, publicKey)),
    spki: publicKey.export({ type: 'spki', format: 'der' }),
    sign: (bytes) => sign(algorithm === 'EdDSA' ? null : 'sha256', bytes, privateKey),
  }
}

function newPair(algorithm: CredentialAlgorithm): { publicKey: KeyObject; privateKey: KeyObject } {
  if (algorithm === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' })
  if (algorithm === 'RS256') return generateKeyPairSync('rsa', { modulusLength: 2048 })
  return generateKeyPairSync('ed25519')
}

const labels = { kty: 1, alg: 3, crv: -1, x: -2, y: -3, n: -1, e: -2 } as const
const keyTypes = { OKP: 1, EC2: 2, RSA: 3 } as const
const curves = { P256: 1, Ed25519: 6 } as const

function coseKeyOf(algorithm: CredentialAlgorithm, key: KeyObject): ReadonlyMap<number, Cbor> {
  const jwk = key.export({ format: 'jwk' })
  const bytes = (text: string | undefined) => Buffer.from(text ?? '', 'base64url')
  const alg = algorithmNumbers[algorithm]
  if (algorithm === 'RS256')
    return new Map<number, Cbor>([
      [labels.kty, keyTypes.RSA],
      [labels.alg, alg],
      [labels.n, bytes(jwk.n)],
      [labels.e, bytes(jwk.e)],
    ])
  const isEdwards = algorithm === 'EdDSA'
  return new Map<number, Cbor>([
    [labels.kty, isEdwards ? keyTypes.OKP : keyTypes.EC2],
    [labels.alg, alg],
    [labels.crv, isEdwards ? curves.Ed25519 : curves.P256],
    [labels.x, bytes(jwk.x)],
    ...(isEdwards ? [] : [[labels.y, bytes(jwk.y)] as const]),
  ])
}
