// The entry point `fastify-identity/testing`: what a host's own tests need, with any test runner. Replaces nothing of this package: a clock
// and a mailbox are options that a host may set anyway, and who is signed in has a real session in a real Postgres.
export { createClock, type TestClock } from './clock.js'
export { createMailbox, type Letter, type LetterKind, type Mailbox } from './mailbox.js'
export { type BearerHeaders, type CookieHeaders, signInAs, type SignInAsOptions, type TestUser } from './sign-in-as.js'
