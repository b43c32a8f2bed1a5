// POST /resendConfirmationEmail and POST /forgotPassword: always 200 with an empty body, after the same work whether or not there is
// such a user. Mail goes to the stored address, never to the one that was typed; of users who share one, each gets a mail of their own.
import { type Static, Type } from '@sinclair/typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { User } from '../accounts/users/user.js'
import { confirmEmailUrl } from '../http/links.js'
import { sendEmpty } from '../http/problem.js'
import type { Realm } from '../http/context.js'
import type { Db } from '../store/transaction.js'
import { Empty, malformed, unavailable, unreadable } from './answers.js'
import type { RouteDefinition } from './route.js'

const MailRequest = Type.Object({ email: Type.String() })

const response = {
  200: Empty('A mail is on its way if there is such a user'),
  400: malformed,
  ...unreadable,
  503: unavailable,
}

export function resendConfirmationEmail(realm: Realm): RouteDefinition {
  return {
    method: 'POST',
    url: '/resendConfirmationEmail',
    operationId: 'identityResendConfirmationEmail',
    summary: 'Send another confirmation mail',
    body: MailRequest,
    response,
    handler: (request, reply) =>
      answer(
        realm,
        request,
        reply,
        () => true,
        (db, user) =>
          realm.mail.confirmationLink(
            db,
            user,
            user.email ?? '',
            confirmEmailUrl(realm, request),
            realm.users.generateEmailConfirmationToken(user),
          ),
      ),
  }
}

export function forgotPassword(realm: Realm): RouteDefinition {
  return {
    method: 'POST',
    url: '/forgotPassword',
    operationId: 'identityForgotPassword',
    summary: 'Mail a code that resets the password',
    description: 'Only confirmed addresses get one.',
    body: MailRequest,
    response,
    handler: (request, reply) =>
      answer(
        realm,
        request,
        reply,
        (user) => user.emailConfirmed,
        (db, user) => realm.mail.passwordReset(db, user, realm.users.generatePasswordResetToken(user)),
      ),
  }
}

async function answer(
  realm: Realm,
  request: FastifyRequest,
  reply: FastifyReply,
  isMeant: (user: User) => boolean,
  write: (db: Db, user: User) => Promise<void>,
): Promise<FastifyReply> {
  const { email } = request.body as Static<typeof MailRequest> // checked by the route's schema
  const users = (await realm.users.findAllByEmail(email)).filter(isMeant)
  await realm.mailLater(async (db, mail) => {
    if (users.length === 0) await mail.nothing(db)
    for (const user of users) await write(db, user)
  })
  return sendEmpty(reply, 200)
}
