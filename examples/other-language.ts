// Errors in German. The codes stay, so that clients can distinguish them; a code that is missing here has its English
// message.
import Fastify, { type FastifyInstance } from 'fastify'
import identity, { describeError, type ErrorCode } from 'fastify-identity'
import { serve } from './serve.js'

const german: Partial<Record<ErrorCode, (value: string | number) => string>> = {
  DuplicateUserName: (name) => `Den Benutzernamen „${name}“ gibt es schon.`,
  DuplicateEmail: (email) => `Die Adresse „${email}“ ist schon vergeben.`,
  InvalidEmail: (email) => `„${email}“ ist keine E-Mail-Adresse.`,
  InvalidToken: () => 'Der Code ist falsch oder abgelaufen.',
  PasswordMismatch: () => 'Das Passwort ist falsch.',
  PasswordTooShort: (length) => `Das Passwort braucht mindestens ${length} Zeichen.`,
  PasswordRequiresDigit: () => 'Das Passwort braucht eine Ziffer (0–9).',
  PasswordRequiresLower: () => 'Das Passwort braucht einen Kleinbuchstaben (a–z).',
  PasswordRequiresUpper: () => 'Das Passwort braucht einen Großbuchstaben (A–Z).',
  PasswordRequiresNonAlphanumeric: () => 'Das Passwort braucht ein Sonderzeichen.',
}

export async function build(database: string): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(identity, {
    prefix: '/account',
    database,
    errors: (code, args) => german[code]?.(args[0] ?? '') ?? describeError(code, args),
  })
  return app
}

await serve(import.meta, build)
