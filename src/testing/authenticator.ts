// A software authenticator with the browser around it, for tests of passkeys (WebAuthn Level 3 §5, §6): it answers options JSON as
// `navigator.credentials` does, and its settings say what is true of it. No key leaves it, and none is kept when the process ends.
import { createHash, randomBytes } from 'node:crypto'
import { type Cbor, encodeCbor } from './cbor.js'
import { algorithmNumbers, type CredentialAlgorithm, type CredentialKey, newCredentialKey } from './credential-key.js'

export type { CredentialAlgorithm } from './credential-key.js'

/** What is true of the authenticator and of the page it is used on. Each ceremony may differ, for tests of refusals. */
export interface AuthenticatorSettings {
  /** The origin of the page, for example `https://app.example.com`. Default: `https://` and the RP ID of the options. */
  readonly origin?: string
  /** The origin of the outer page, where the page is in its frame. Default: the page is in no frame of another origin. */
  readonly topOrigin?: string
  /** The RP ID that is signed. Default: that of the options. */
  readonly rpId?: string
  /** The algorithm of new passkeys. Default: the first of the options that is ES256, RS256 or EdDSA. */
  readonly algorithm?: CredentialAlgorithm
  /** The attestation of new passkeys: none, or `packed` signed by the new key itself (WebAuthn Level 3 §8.2). Default `'none'`. */
  readonly attestation?: 'none' | 'self'
  /** Whether the user proves by PIN or biometrics who they are (flag UV). Default true. */
  readonly verifiesUser?: boolean
  /** Whether the user touches it (flag UP). Default true. */
  readonly isUserPresent?: boolean
  /** The signature counter of the next ceremony. Default: 0 for ever, or one more than the last time once it was set. */
  readonly signCount?: number
  /** Whether passkeys can be backed up (flag BE). Default: like at creation; of a new one false. */
  readonly isBackupEligible?: boolean
  /** Whether passkeys are backed up (flag BS). Default false. */
  readonly isBackedUp?: boolean
  /** How the authenticator is reached. Default `['internal']`. */
  readonly transports?: readonly string[]
}

/** The members of `PublicKeyCredentialCreationOptionsJSON` that are read. */
export interface CreationOptionsJson {
  /** The site; without an `id`, setting `rpId` is needed. */
  readonly rp: { readonly id?: string | undefined }
  /** `id` is the user handle, base64url. */
  readonly user: { readonly id: string }
  /** base64url. */
  readonly challenge: string
  /** The algorithms, the best first. */
  readonly pubKeyCredParams: readonly { readonly alg: number }[]
  /** Passkeys of the user: an authenticator that has one makes no other. */
  readonly excludeCredentials?: readonly { readonly id: string }[] | undefined
}

/** The members of `PublicKeyCredentialRequestOptionsJSON` that are read. */
export interface RequestOptionsJson {
  /** The site; without one, setting `rpId` is needed. */
  readonly rpId?: string | undefined
  /** base64url. */
  readonly challenge: string
  /** The passkeys to choose from; empty: any of the site. */
  readonly allowCredentials?: readonly { readonly id: string }[] | undefined
}

/** What `PublicKeyCredential.toJSON` returns; `JSON.stringify` makes it a `credentialJson`. */
export interface CredentialJson {
  /** base64url. */
  readonly id: string
  /** Like `id`. */
  readonly rawId: string
  /** Always `'public-key'`. */
  readonly type: 'public-key'
  /** Where the authenticator is. */
  readonly authenticatorAttachment: 'platform'
}

/** `RegistrationResponseJSON` of WebAuthn Level 3 §5.1. */
export interface RegistrationJson extends CredentialJson {
  /** The new passkey; every member but `transports` and `publicKeyAlgorithm` is base64url. */
  readonly response: {
    readonly clientDataJSON: string
    readonly attestationObject: string
    readonly authenticatorData: string
    readonly publicKey: string
    readonly publicKeyAlgorithm: number
    readonly transports: string[]
  }
  /** The passkey is discoverable. */
  readonly clientExtensionResults: { readonly credProps: { readonly rk: true } }
}

/** `AuthenticationResponseJSON` of WebAuthn Level 3 §5.1. */
export interface AuthenticationJson extends CredentialJson {
  /** The assertion; every member is base64url. */
  readonly response: {
    readonly clientDataJSON: string
    readonly authenticatorData: string
    readonly signature: string
    readonly userHandle: string
  }
  /** No extension is answered. */
  readonly clientExtensionResults: Readonly<Record<string, never>>
}

/** An authenticator in software. */
export interface Authenticator {
  /**
   * Makes a passkey, as `navigator.credentials.create` does.
   * @param settings for this ceremony only
   * @throws Error when the authenticator has a passkey of `excludeCredentials`, or no algorithm of `pubKeyCredParams`
   */
  create(options: CreationOptionsJson, settings?: AuthenticatorSettings): RegistrationJson
  /**
   * Signs with a passkey, as `navigator.credentials.get` does: with one of `allowCredentials`, or with the newest of the site.
   * @param settings for this ceremony only
   * @throws Error when it has none
   */
  get(options: RequestOptionsJson, settings?: AuthenticatorSettings): AuthenticationJson
  /** The ids of its passkeys, base64url, oldest first. */
  readonly credentialIds: readonly string[]
}

interface Credential {
  readonly id: string
  readonly rpId: string
  readonly userHandle: string
  readonly key: CredentialKey
  readonly isBackupEligible: boolean
  signCount: number
}

const flags = { UP: 0x01, UV: 0x04, BE: 0x08, BS: 0x10, AT: 0x40 } as const

/**
 * Makes an authenticator without passkeys. Its answers are those of a browser and need no network.
 *
 * @param own what is true of every ceremony that does not say otherwise
 * @example
 * const authenticator = createAuthenticator({ origin: 'https://app.example.com' })
 * const credentialJson = JSON.stringify(authenticator.create(creationOptions))
 */
export function createAuthenticator(own: AuthenticatorSettings = {}): Authenticator {
  const credentials: Credential[] = []

  return {
    get credentialIds() {
      return credentials.map(({ id }) => id)
    },

    create(options, given = {}) {
      const settings = { ...own, ...given }
      const rpId = siteOf(options.rp.id, settings)
      if (options.excludeCredentials?.some(({ id }) => credentials.some((one) => one.id === id)) === true)
        throw new Error('InvalidStateError: the authenticator has a passkey of excludeCredentials')
      const { signCount = 0, isBackupEligible = false, transports = ['internal'] } = settings
      const key = newCredentialKey(algorithmOf(options, settings))
      const id = randomBytes(32)
      const credential: Credential = {
        id: text(id),
        rpId,
        userHandle: options.user.id,
        key,
        isBackupEligible,
        signCount,
      }
      credentials.push(credential)
      const clientData = clientDataOf('webauthn.create', options.challenge, rpId, settings)
      const authenticatorData = Buffer.concat([
        authenticatorDataOf(credential, settings, flags.AT),
        // The AAGUID of an authenticator that does not say what it is, then the length of the id.
        Buffer.alloc(16),
        Buffer.of(0, id.length),
        id,
        key.coseKey,
      ])
      return {
        ...publicCredential(credential),
        response: {
          clientDataJSON: text(clientData),
          attestationObject: text(attestationOf(settings, key, authenticatorData, clientData)),
          authenticatorData: text(authenticatorData),
          publicKey: text(key.spki),
          publicKeyAlgorithm: key.alg,
          transports: [...transports],
        },
        clientExtensionResults: { credProps: { rk: true } },
      }
    },

    get(options, given = {}) {
      const settings = { ...own, ...given }
      const rpId = siteOf(options.rpId, settings)
      const allowed = options.allowCredentials ?? []
      const credential = credentials.findLast((one) =>
        allowed.length === 0
          ? one.rpId === rpId || settings.rpId !== undefined
          : allowed.some(({ id }) => id === one.id),
      )
      if (credential === undefined)
        throw new Error('NotAllowedError: the authenticator has no passkey for these options')
      // An authenticator without a counter sends 0 each time (WebAuthn Level 3 §6.1.1).
      credential.signCount = given.signCount ?? (credential.signCount === 0 ? 0 : credential.signCount + 1)
      const clientData = clientDataOf('webauthn.get', options.challenge, rpId, settings)
      const { isBackupEligible = credential.isBackupEligible } = given
      const authenticatorData = authenticatorDataOf({ ...credential, rpId, isBackupEligible }, settings)
      return {
        ...publicCredential(credential),
        response: {
          clientDataJSON: text(clientData),
          authenticatorData: text(authenticatorData),
          signature: text(credential.key.sign(Buffer.concat([authenticatorData, sha256(clientData)]))),
          userHandle: credential.userHandle,
        },
        clientExtensionResults: {},
      }
    },
  }
}

function siteOf(rpId: string | undefined, settings: AuthenticatorSettings): string {
  const site = settings.rpId ?? rpId
  if (site === undefined) throw new Error('The options name no RP ID: set rpId of the authenticator')
  return site
}

function algorithmOf(
  { pubKeyCredParams }: CreationOptionsJson,
  { algorithm }: AuthenticatorSettings,
): CredentialAlgorithm {
  if (algorithm !== undefined) return algorithm
  const names = ['ES256', 'RS256', 'EdDSA'] as const
  for (const { alg } of pubKeyCredParams) {
    const found = names.find((name) => algorithmNumbers[name] === alg)
    if (found !== undefined) return found
  }
  throw new Error('NotSupportedError: pubKeyCredParams has neither ES256 nor RS256 nor EdDSA')
}

/** WebAuthn Level 3 §5.8.1. */
function clientDataOf(
  type: string,
  challenge: string,
  rpId: string,
  { origin = `https://${rpId}`, topOrigin }: AuthenticatorSettings,
): Buffer {
  return Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin: topOrigin !== undefined, topOrigin }))
}

/** WebAuthn Level 3 §6.1, without attested credential data: hash of the RP ID, flags, counter. */
function authenticatorDataOf(
  { rpId, signCount, isBackupEligible }: Pick<Credential, 'rpId' | 'signCount' | 'isBackupEligible'>,
  { verifiesUser = true, isUserPresent = true, isBackedUp = false }: AuthenticatorSettings,
  more = 0,
): Buffer {
  const counter = Buffer.alloc(4)
  counter.writeUInt32BE(signCount)
  const flag =
    more |
    (isUserPresent ? flags.UP : 0) |
    (verifiesUser ? flags.UV : 0) |
    (isBackupEligible ? flags.BE : 0) |
    (isBackedUp ? flags.BS : 0)
  return Buffer.concat([sha256(rpId), Buffer.of(flag), counter])
}

function attestationOf(
  { attestation = 'none' }: AuthenticatorSettings,
  key: CredentialKey,
  authData: Buffer,
  clientData: Buffer,
): Buffer {
  const statement = new Map<string, Cbor>()
  if (attestation === 'self') {
    statement.set('alg', key.alg)
    statement.set('sig', key.sign(Buffer.concat([authData, sha256(clientData)])))
  }
  return encodeCbor(
    new Map<string, Cbor>([
      ['fmt', attestation === 'self' ? 'packed' : 'none'],
      ['attStmt', statement],
      ['authData', authData],
    ]),
  )
}

function publicCredential({ id }: Credential): CredentialJson {
  return { id, rawId: id, type: 'public-key', authenticatorAttachment: 'platform' }
}

function sha256(value: string | Uint8Array): Buffer {
  return createHash('sha256').update(value).digest()
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url')
}
