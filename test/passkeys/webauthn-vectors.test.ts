// The test vectors of WebAuthn Level 3 for ES256, RS256 and EdDSA, without attestation, with self attestation and with packed attestation:
// the verification that the server uses accepts them, and accepts none of them with one bit changed.
import { verifyAuthenticationResponse, verifyRegistrationResponse } from '@simplewebauthn/server'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { vectors } from '../support/vectors.js'

interface Vector {
  readonly name: string
  readonly registration: {
    readonly challenge: string
    readonly credentialId: string
    readonly clientDataJSON: string
    readonly attestationObject: string
  }
  readonly authentication: {
    readonly challenge: string
    readonly authenticatorData: string
    readonly clientDataJSON: string
    readonly signature: string
  }
}
const file = vectors('webauthn-l3.json') as { rpId: string; origin: string; vectors: readonly Vector[] }

const base64url = (hex: string) => Buffer.from(hex, 'hex').toString('base64url')
const expected = { expectedOrigin: file.origin, expectedRPID: file.rpId, requireUserVerification: false }

function register({ registration: { challenge, credentialId, clientDataJSON, attestationObject } }: Vector) {
  const id = base64url(credentialId)
  return verifyRegistrationResponse({
    ...expected,
    expectedChallenge: base64url(challenge),
    supportedAlgorithmIDs: [-7, -8, -257],
    response: {
      id,
      rawId: id,
      type: 'public-key',
      clientExtensionResults: {},
      response: {
        clientDataJSON: Buffer.from(clientDataJSON).toString('base64url'),
        attestationObject: base64url(attestationObject),
      },
    },
  })
}

async function authenticate(vector: Vector, change: Partial<Vector['authentication']> = {}) {
  const { challenge, authenticatorData, clientDataJSON, signature } = { ...vector.authentication, ...change }
  const { registrationInfo } = await register(vector)
  assert.ok(registrationInfo)
  const { credential } = registrationInfo
  const { verified } = await verifyAuthenticationResponse({
    ...expected,
    expectedChallenge: base64url(challenge),
    credential,
    response: {
      id: credential.id,
      rawId: credential.id,
      type: 'public-key',
      clientExtensionResults: {},
      response: {
        clientDataJSON: Buffer.from(clientDataJSON).toString('base64url'),
        authenticatorData: base64url(authenticatorData),
        signature: base64url(signature),
      },
    },
  })
  return verified
}

/** With the last bit changed. */
function changed(hex: string): string {
  const bytes = Buffer.from(hex, 'hex')
  bytes[bytes.length - 1]! ^= 1
  return bytes.toString('hex')
}

test('the file has the five vectors', () => {
  assert.deepEqual(
    file.vectors.map(({ name }) => name),
    ['none.ES256', 'packed-self.ES256', 'packed.ES256', 'packed.RS256', 'packed.EdDSA'],
  )
})

for (const vector of file.vectors) {
  const format = vector.name.split('.')[0] === 'none' ? 'none' : 'packed'

  test(`${vector.name}: the registration of the specification is verified`, async () => {
    const { verified, registrationInfo } = await register(vector)
    assert.equal(verified, true)
    assert.equal(registrationInfo.fmt, format)
    assert.equal(registrationInfo.credential.id, base64url(vector.registration.credentialId))
  })

  test(`${vector.name}: the authentication of the specification is verified, and not with one bit changed`, async () => {
    assert.equal(await authenticate(vector), true)
    const { authenticatorData, clientDataJSON, signature } = vector.authentication
    const isAccepted = (change: Partial<Vector['authentication']>) => authenticate(vector, change).catch(() => false)
    assert.equal(await isAccepted({ signature: changed(signature) }), false)
    assert.equal(await isAccepted({ authenticatorData: changed(authenticatorData) }), false)
    assert.equal(await isAccepted({ clientDataJSON: clientDataJSON.replace('}', ' }') }), false)
    assert.equal(await isAccepted({ challenge: changed(vector.authentication.challenge) }), false)
  })

  if (format === 'packed') {
    test(`${vector.name}: an attestation over other client data is refused`, async () => {
      const clientDataJSON = vector.registration.clientDataJSON.replace('}', ' }')
      const result = await register({ ...vector, registration: { ...vector.registration, clientDataJSON } }).catch(
        () => ({ verified: false }),
      )
      assert.equal(result.verified, false)
    })
  }
}
