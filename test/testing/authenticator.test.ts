// The software authenticator against another implementation of the specification: what it makes is verified by @simplewebauthn/server.
import {
  generateAuthenticationOptions,
  generateRegistrationOptions,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type AuthenticationJson,
  type Authenticator,
  type AuthenticatorSettings,
  createAuthenticator,
  type RegistrationJson,
} from '../../src/testing/index.js'

const rpID = 'example.org'
const origin = 'https://example.org'
const algorithms = { ES256: -7, EdDSA: -8, RS256: -257 } as const
const names = ['ES256', 'EdDSA', 'RS256'] as const

const creationOptions = (supportedAlgorithmIDs: number[] = [-7, -8, -257]) =>
  generateRegistrationOptions({
    rpName: 'Example',
    rpID,
    userName: 'ada',
    userID: Uint8Array.from(Buffer.from('user-1')),
    supportedAlgorithmIDs,
  })

async function attested(response: RegistrationJson, expectedChallenge: string) {
  const result = await verifyRegistrationResponse({
    response: { ...response, response: { ...response.response, transports: ['internal'] } },
    expectedChallenge,
    expectedOrigin: origin,
    expectedRPID: rpID,
    requireUserVerification: false,
    supportedAlgorithmIDs: Object.values(algorithms),
  })
  assert.ok(result.verified)
  return result.registrationInfo
}

/** A passkey of `authenticator`, and a sign-in with it. */
async function ceremony(authenticator: Authenticator, settings: AuthenticatorSettings = {}) {
  const creation = await creationOptions()
  const { credential } = await attested(authenticator.create(creation), creation.challenge)
  const request = await generateAuthenticationOptions({ rpID })
  const response = authenticator.get(request, settings)
  return {
    response,
    verify: (asserted: AuthenticationJson = response) =>
      verifyAuthenticationResponse({
        response: asserted,
        expectedChallenge: request.challenge,
        expectedOrigin: origin,
        expectedRPID: rpID,
        credential,
        requireUserVerification: false,
      }),
  }
}

for (const algorithm of names) {
  for (const attestation of ['none', 'self'] as const) {
    test(`a passkey of ${algorithm} with attestation ${attestation} is verified, and so is what it signs`, async () => {
      const authenticator = createAuthenticator({ algorithm, attestation })
      const creation = await creationOptions()
      const response = authenticator.create(creation)
      const { fmt, credential } = await attested(response, creation.challenge)
      assert.equal(fmt, attestation === 'none' ? 'none' : 'packed')
      assert.equal(response.response.publicKeyAlgorithm, algorithms[algorithm])
      assert.deepEqual(authenticator.credentialIds, [credential.id])
      const { verify } = await ceremony(authenticator)
      assert.ok((await verify()).verified)
    })
  }
}

test('the first algorithm of the options that it has is taken, and none is an error', async () => {
  const authenticator = createAuthenticator()
  const algorithmOf = async (ids: number[]) =>
    authenticator.create(await creationOptions(ids)).response.publicKeyAlgorithm
  assert.deepEqual([await algorithmOf([-35, -8, -7]), await algorithmOf([-257])], [-8, -257])
  await assert.rejects(algorithmOf([-35]), /NotSupportedError/)
})

test('a signature over other bytes is refused', async () => {
  const { response, verify } = await ceremony(createAuthenticator())
  const bytes = Buffer.from(response.response.clientDataJSON, 'base64url').toString().replace('}', ' }')
  const clientDataJSON = Buffer.from(bytes).toString('base64url')
  const { verified } = await verify({ ...response, response: { ...response.response, clientDataJSON } })
  assert.equal(verified, false)
})

test('flags and counter are those of the settings', async () => {
  const authenticator = createAuthenticator({ verifiesUser: false, signCount: 7, isBackupEligible: true })
  const creation = await creationOptions()
  const made = await attested(authenticator.create(creation), creation.challenge)
  assert.deepEqual(
    [made.userVerified, made.credential.counter, made.credentialDeviceType, made.credentialBackedUp],
    [false, 7, 'multiDevice', false],
  )
  const { verify } = await ceremony(authenticator, { verifiesUser: true, isBackedUp: true })
  const { authenticationInfo } = await verify()
  assert.deepEqual(
    [authenticationInfo.userVerified, authenticationInfo.newCounter, authenticationInfo.credentialBackedUp],
    [true, 8, true],
  )
})

test('an authenticator without a counter sends 0 each time, and one may be sent back', async () => {
  const request = await generateAuthenticationOptions({ rpID })
  const counterOf = ({ response }: AuthenticationJson) =>
    Buffer.from(response.authenticatorData, 'base64url').readUInt32BE(33)
  const none = createAuthenticator()
  none.create(await creationOptions())
  assert.deepEqual([counterOf(none.get(request)), counterOf(none.get(request))], [0, 0])
  const counting = createAuthenticator({ signCount: 5 })
  counting.create(await creationOptions())
  assert.deepEqual(
    [{}, {}, { signCount: 3 }, {}].map((settings) => counterOf(counting.get(request, settings))),
    [6, 7, 3, 4],
  )
})

test('another origin, another RP ID, an absent user and an outer page are what the verifier sees', async () => {
  const foreign = async (settings: AuthenticatorSettings) => (await ceremony(createAuthenticator(), settings)).verify()
  await assert.rejects(foreign({ origin: 'https://evil.example' }), /origin/)
  await assert.rejects(foreign({ rpId: 'evil.example', origin }), /RP ID/)
  await assert.rejects(foreign({ isUserPresent: false }), /not present/)
  const { response } = await ceremony(createAuthenticator(), { topOrigin: 'https://outer.example' })
  assert.deepEqual(
    (({ crossOrigin, topOrigin }: Record<string, unknown>) => [crossOrigin, topOrigin])(
      // The client data is a JSON object.
      JSON.parse(Buffer.from(response.response.clientDataJSON, 'base64url').toString()) as Record<string, unknown>,
    ),
    [true, 'https://outer.example'],
  )
})

test('it signs with a passkey that is allowed, or with the newest of the site, and makes none that is excluded', async () => {
  const authenticator = createAuthenticator()
  const [first, second] = [authenticator.create(await creationOptions()), authenticator.create(await creationOptions())]
  const request = await generateAuthenticationOptions({ rpID })
  assert.equal(authenticator.get(request).id, second.id)
  assert.equal(authenticator.get({ ...request, allowCredentials: [{ id: first.id }] }).id, first.id)
  assert.equal(Buffer.from(authenticator.get(request).response.userHandle, 'base64url').toString(), 'user-1')
  assert.throws(() => authenticator.get({ ...request, rpId: 'other.example' }), /NotAllowedError/)
  assert.throws(() => authenticator.get({ ...request, allowCredentials: [{ id: 'AAAA' }] }), /NotAllowedError/)
  const excluding = { ...(await creationOptions()), excludeCredentials: [{ id: first.id }] }
  assert.throws(() => authenticator.create(excluding), /InvalidStateError/)
  assert.deepEqual(authenticator.credentialIds, [first.id, second.id])
})

test('options without an RP ID need the setting', async () => {
  const { challenge } = await generateAuthenticationOptions({ rpID })
  assert.throws(() => createAuthenticator().get({ challenge }), /RP ID/)
  const authenticator = createAuthenticator({ rpId: rpID })
  const creation = await creationOptions()
  const { credential } = await attested(authenticator.create({ ...creation, rp: {} }), creation.challenge)
  assert.equal(authenticator.get({ challenge }).id, credential.id)
})
