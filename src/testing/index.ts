// The entry point `fastify-identity/testing`: helpers for a host's own tests, with any test runner. They replace
// nothing of this package: clock and mailbox are options that a host may set anyway, and a signed-in user has a real
// session in a real Postgres.
export {
  type AuthenticationJson,
  type Authenticator,
  type AuthenticatorSettings,
  createAuthenticator,
  type CreationOptionsJson,
  type CredentialAlgorithm,
  type CredentialJson,
  type RegistrationJson,
  type RequestOptionsJson,
} from './authenticator.js'
export { createClock, type TestClock } from './clock.js'
export { createMailbox, type Letter, type LetterKind, type Mailbox } from './mailbox.js'
export { type BearerHeaders, type CookieHeaders, signInAs, type SignInAsOptions, type TestUser } from './sign-in-as.js'
