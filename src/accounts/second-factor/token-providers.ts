// Token providers by name: Authenticator, Email, Phone and Default as in the reference, and those that a host adds or
// replaces.
import { secondsOf } from '../../tokens/ticket.js'
import { isMarkOf } from '../../tokens/fields.js'
import type { Db } from '../../store/db.js'
import { authenticatorKeyPlace, findUserToken } from '../../store/second-factors.js'
import { openCode, sealCode } from '../../tokens/code.js'
import type { Clock } from '../../clock.js'
import type { AccountKeys } from '../users/change-user.js'
import { authenticatorStep, openAuthenticatorKey } from './authenticator-key.js'
import { canReach, stampCode, stampCodeStep, type StampProvider } from './stamp-code.js'
import type { User } from '../users/user.js'

/** Makes and checks tokens for a user and a purpose. */
export interface TokenProvider {
  /** Whether it can be this user's second factor now. */
  canGenerate(user: User): boolean | Promise<boolean>
  /** Makes a token for the user and a purpose. */
  generate(user: User, purpose: string): string | Promise<string>
  /** Whether a token was made for the user and the purpose and is still good. */
  validate(user: User, purpose: string, token: string): boolean | Promise<boolean>
}

/** The host's own providers, by name. */
export type TokenProviders = Map<string, TokenProvider>

export interface ProviderContext {
  readonly db: Db
  readonly clock: Clock
  readonly keys: AccountKeys
}

export interface ProviderSettings {
  /** Steps of 30 s accepted on each side for codes of the authenticator app. */
  readonly windowSteps: number
  /** Lifetime of a token of provider Default. */
  readonly tokenSeconds: number
}

export interface ProviderRegistry {
  /** @throws Error when no provider has this name */
  get(name: string): TokenProvider
  /** Whether the name stands for a built-in provider. */
  isOwn(name: string): boolean
  /** In the order in which they are offered. */
  readonly names: readonly string[]
}

/** The purpose of second factors, as in the reference. */
export const twoFactorPurpose = 'TwoFactor'

export function createProviderRegistry(
  context: ProviderContext,
  settings: ProviderSettings,
  added: TokenProviders,
): ProviderRegistry {
  const own = new Map<string, TokenProvider>([
    ['Authenticator', authenticator(context, settings)],
    ['Email', stampBased(context, 'Email')],
    ['Phone', stampBased(context, 'Phone')],
    ['Default', sealed(context, settings)],
  ])
  return {
    get(name) {
      const provider = added.get(name) ?? own.get(name)
      if (provider === undefined) throw new Error(`No token provider named '${name}' is registered.`)
      return provider
    },
    isOwn: (name) => own.has(name) && !added.has(name),
    get names() {
      return [...new Set([...own.keys(), ...added.keys()])]
    },
  }
}

/** The app makes its own codes; the purpose is ignored (as in the reference). */
function authenticator({ db, clock, keys }: ProviderContext, { windowSteps }: ProviderSettings): TokenProvider {
  const sealedKeyOf = (user: User) =>
    findUserToken(db, user.id, authenticatorKeyPlace.loginProvider, authenticatorKeyPlace.name)
  return {
    canGenerate: async (user) => openAuthenticatorKey(keys.vault(), user.id, await sealedKeyOf(user)) !== null,
    generate: () => '',
    validate: async (user, _purpose, token) =>
      authenticatorStep(keys.vault(), clock, windowSteps, user.id, await sealedKeyOf(user), token) !== null,
  }
}

function stampBased({ clock }: ProviderContext, provider: StampProvider): TokenProvider {
  return {
    canGenerate: (user) => canReach(provider, user),
    generate: (user, purpose) => stampCode(provider, user, purpose, clock()),
    validate: (user, purpose, token) => stampCodeStep(provider, user, purpose, token, clock()) !== null,
  }
}

/** Opaque tokens for links, never a second factor. */
function sealed({ clock, keys }: ProviderContext, { tokenSeconds }: ProviderSettings): TokenProvider {
  const seconds = () => secondsOf(clock())
  return {
    canGenerate: () => false,
    generate: (user, purpose) =>
      sealCode(keys.sealing(), 'userToken', { userId: user.id, stamp: user.securityStamp, data: purpose }, seconds()),
    validate(user, purpose, token) {
      const opened = openCode((id) => keys.find(id), 'userToken', token, seconds(), tokenSeconds)
      return (
        opened !== null &&
        opened.userId === user.id &&
        opened.data === purpose &&
        isMarkOf(opened.stampMark, user.securityStamp)
      )
    },
  }
}
