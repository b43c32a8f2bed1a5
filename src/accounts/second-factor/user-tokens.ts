// Tokens by provider and purpose: codes of second factors by mail, message or app, and tokens for purposes of the
// host. Verifying here neither counts attempts nor uses a token up; `app.identity.signIn.twoFactorSignIn` does both.
import {
  createProviderRegistry,
  type ProviderContext,
  type ProviderSettings,
  type TokenProvider,
  type TokenProviders,
  twoFactorPurpose,
} from './token-providers.js'
import type { User } from '../users/user.js'

/** Generic tokens. No method of it rotates the stamp or ends a session. */
export interface TokenProviderManager {
  /** The providers that can be this user's second factor now: Authenticator, Email, Phone, then those registered. */
  getValidTwoFactorProviders(user: User): Promise<readonly string[]>
  /**
   * A code for the user's second factor: six digits by Email and Phone, empty by Authenticator, whose app makes its own.
   *
   * @throws Error when there is no such provider
   */
  generateTwoFactorToken(user: User, provider: string): Promise<string>
  /** Whether the code is valid now. @throws Error when there is no such provider */
  verifyTwoFactorToken(user: User, provider: string, token: string): Promise<boolean>
  /**
   * A token for a purpose of yours. Provider Default makes opaque text for a link, valid for
   * `codes.confirmEmailSeconds`; Email and Phone make six digits, valid for six to nine minutes. All end with the
   * security stamp; verifying does not use them up.
   *
   * @throws Error when there is no such provider
   */
  generateUserToken(user: User, provider: string, purpose: string): Promise<string>
  /** Whether the token belongs to this user and purpose and is valid. @throws Error when there is no such provider */
  verifyUserToken(user: User, provider: string, purpose: string, token: string): Promise<boolean>
  /**
   * Adds or replaces a provider, for this instance of the application. A provider that can generate counts as a
   * second factor: users who have switched theirs on are asked for it.
   */
  registerTokenProvider(name: string, provider: TokenProvider): void
}

export function createTokenProviderManager(
  context: ProviderContext,
  settings: ProviderSettings,
  added: TokenProviders,
): TokenProviderManager {
  const registry = createProviderRegistry(context, settings, added)
  return {
    async getValidTwoFactorProviders(user) {
      const valid = []
      for (const name of registry.names) if (await registry.get(name).canGenerate(user)) valid.push(name)
      return valid
    },
    generateTwoFactorToken: async (user, provider) => registry.get(provider).generate(user, twoFactorPurpose),
    verifyTwoFactorToken: async (user, provider, token) =>
      registry.get(provider).validate(user, twoFactorPurpose, token),
    generateUserToken: async (user, provider, purpose) => registry.get(provider).generate(user, purpose),
    verifyUserToken: async (user, provider, purpose, token) => registry.get(provider).validate(user, purpose, token),
    registerTokenProvider: (name, provider) => void added.set(name, provider),
  }
}
