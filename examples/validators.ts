// Rules of your own, beside ours or instead of them. Each returns the faults it finds, with codes of your choice.
import Fastify, { type FastifyInstance } from 'fastify'
import identity, { type PasswordValidator, type UserValidator } from 'fastify-identity'
import { serve } from './serve.js'

const common = new Set(['correct horse battery staple', 'password password password'])

const notCommon: PasswordValidator = (password) =>
  common.has(password.toLowerCase())
    ? [{ code: 'PasswordTooCommon', description: 'Everybody knows this password.' }]
    : []

const notTheName: PasswordValidator = (password, { userName }) =>
  password.toLowerCase().includes(userName.toLowerCase())
    ? [{ code: 'PasswordHasName', description: 'The password contains the name.' }]
    : []

const ourCompany: UserValidator = ({ email }) =>
  email?.endsWith('@example.com') === true
    ? []
    : [{ code: 'NotOurCompany', description: 'Use your address at example.com.' }]

export async function build(database: string): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(identity, {
    prefix: '/account',
    database,
    password: {
      // Length instead of character classes (NIST SP 800-63B).
      requiredLength: 15,
      requireDigit: false,
      requireLowercase: false,
      requireUppercase: false,
      requireNonAlphanumeric: false,
      validators: [notCommon, notTheName],
    },
    user: { validators: [ourCompany] },
  })
  return app
}

await serve(import.meta, build)
