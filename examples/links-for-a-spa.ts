// Mailed links that open a page of your single-page application. The page then calls the API: GET
// /account/confirmEmail with its own query, or POST /account/resetPassword with { email, resetCode: code, newPassword
// }.
import Fastify, { type FastifyInstance } from 'fastify'
import identity, { type MessageSender } from 'fastify-identity'
import { serve } from './serve.js'

const printer: MessageSender = {
  send({ to, subject, text }) {
    console.log(`\nMail to ${to}: ${subject}\n${text}`)
    return Promise.resolve()
  },
}

export async function build(database: string, email = printer): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(identity, {
    prefix: '/account',
    database,
    email,
    publicUrl: 'https://api.example.com',
    links: {
      confirmEmail: 'https://app.example.com/#/confirm',
      resetPassword: 'https://app.example.com/reset?from=mail',
    },
    // The application lives on another origin and may send our cookie along.
    csrf: { trustedOrigins: ['https://app.example.com'] },
  })
  return app
}

await serve(import.meta, (database) => build(database))
