// POST /resendConfirmationEmail and POST /forgotPassword: always 200 with an empty body, after the same work whether
// or not there is such a user. Mail goes to the stored address, never to the typed one; each user of a shared address
// gets a mail.
import { Type } from '@sinclair/typebox'
import { withoutBlanksAround } from '../http/json-schema.js'
import type { FastifyReply } from 'fastify'
import type { User } from '../accounts/users/user.js'
import { sendEmpty } from '../http/problem.js'
import { confirmEmailUrl, type LinkContext } from '../http/links.js'
import type { MailWriter } from '../accounts/mail/outbox.js'
import type { UserManager } from '../accounts/managers/user-manager.js'
import type { Db } from '../store/db.js'
import { Empty, malformed, unavailable, unreadable } from './answers.js'
import { endpoint, on } from './endpoint.js'

interface MailNeeds extends LinkContext {
  readonly users: Pick<UserManager, 'findAllByEmail' | 'generateEmailConfirmationToken' | 'generatePasswordResetToken'>
  readonly mail: Pick<MailWriter, 'confirmationLink' | 'passwordReset' | 'writeAlone'>
}

function answersOf(sent: string) {
  return {
    200: Empty(sent),
    400: malformed('The body is no well-formed JSON, or email is missing or no text'),
    ...unreadable,
    503: unavailable,
  }
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
    answers: answersOf(
      'Always, so that nothing is revealed: if a user has this address, a confirmation link is mailed',
    ),
  },
  (needs: MailNeeds) => ({
    handler: (request, reply) =>
      mailTo(
        needs,
        reply,
        request.body.email,
        () => true,
        (db, user) =>
          needs.mail.confirmationLink(
            db,
            user,
            user.email ?? '',
            confirmEmailUrl(needs, request),
            needs.users.generateEmailConfirmationToken(user),
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
    answers: answersOf(
      'Always, so that nothing is revealed: if a user has this address and has confirmed it, a code is mailed',
    ),
  },
  (needs: MailNeeds) => ({
    handler: (request, reply) =>
      mailTo(
        needs,
        reply,
        request.body.email,
        (user) => user.emailConfirmed,
        (db, user) => needs.mail.passwordReset(db, user, needs.users.generatePasswordResetToken(user)),
      ),
  }),
)

async function mailTo(
  needs: MailNeeds,
  reply: FastifyReply,
  email: string,
  isMeant: (user: User) => boolean,
  write: (db: Db, user: User) => Promise<void>,
): Promise<FastifyReply> {
  const users = (await needs.users.findAllByEmail(withoutBlanksAround(email))).filter(isMeant)
  await needs.mail.writeAlone(async (db, mail) => {
    if (users.length === 0) await mail.nothing(db)
    for (const user of users) await write(db, user)
  })
  return sendEmpty(reply, 200)
}
