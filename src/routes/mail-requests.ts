// POST /resendConfirmationEmail and POST /forgotPassword: always 200 with an empty body, after the same work whether
// or not there is such a user. Mail goes to the stored address, never to the typed one; each user of a shared address
// gets a mail.
import { Type } from '@sinclair/typebox'
import type { FastifyReply } from 'fastify'
import type { User } from '../accounts/users/user.js'
import { confirmEmailUrl } from '../http/links.js'
import { sendEmpty } from '../http/problem.js'
import type { Realm } from '../http/context.js'
import type { Db } from '../store/transaction.js'
import { Empty, malformed, unavailable, unreadable } from './answers.js'
import { endpoint, on } from './endpoint.js'

const answers = {
  200: Empty('A mail is on its way if there is such a user'),
  400: malformed,
  ...unreadable,
  503: unavailable,
}

export const resendConfirmationEmail = endpoint(
  {
    name: 'resendConfirmationEmail',
    switch: {
      /**
       * `POST /resendConfirmationEmail`: mails the confirmation link again.
       * @default `true`
       */
      resendConfirmationEmail: on(),
    },
    method: 'POST',
    path: '/resendConfirmationEmail',
    auth: 'anonymous',
    summary: 'Send another confirmation mail',
    description: 'Always 200; a mail is sent if there is such a user.',
    body: Type.Object({ email: Type.String() }, { title: 'ResendConfirmationEmailRequest' }),
    answers,
  },
  (realm: Realm) => ({
    handler: (request, reply) =>
      mailTo(
        realm,
        reply,
        request.body.email,
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
  }),
)

export const forgotPassword = endpoint(
  {
    name: 'forgotPassword',
    switch: {
      /**
       * `POST /forgotPassword`: mails a code or link that resets the password.
       * @default `true`
       */
      forgotPassword: on(),
    },
    method: 'POST',
    path: '/forgotPassword',
    auth: 'anonymous',
    summary: 'Mail a code that resets the password',
    description: 'Always 200; a mail is sent if there is such a user, with a confirmed address.',
    body: Type.Object({ email: Type.String() }, { title: 'ForgotPasswordRequest' }),
    answers,
  },
  (realm: Realm) => ({
    handler: (request, reply) =>
      mailTo(
        realm,
        reply,
        request.body.email,
        (user) => user.emailConfirmed,
        (db, user) => realm.mail.passwordReset(db, user, realm.users.generatePasswordResetToken(user)),
      ),
  }),
)

async function mailTo(
  realm: Realm,
  reply: FastifyReply,
  email: string,
  isMeant: (user: User) => boolean,
  write: (db: Db, user: User) => Promise<void>,
): Promise<FastifyReply> {
  const users = (await realm.users.findAllByEmail(email)).filter(isMeant)
  await realm.mailLater(async (db, mail) => {
    if (users.length === 0) await mail.nothing(db)
    for (const user of users) await write(db, user)
  })
  return sendEmpty(reply, 200)
}
