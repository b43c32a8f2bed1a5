// GET and POST /manage/info: the caller's address as stored now, not as in the token; a change of the password, which
// needs the old one; and the mail that changes the address, with preset 'hardened' after a fresh proof (ASVS 5.0
// 7.5.1).
import { type Static, type TObject, Type } from '@sinclair/typebox'
import { isGiven } from '../../absent.js'
import type { User } from '../../accounts/users/user.js'
import { isDeliverable, isEmail } from '../../email/address.js'
import { isFresh, sendStale } from '../../http/freshness.js'
import { confirmEmailUrl } from '../../http/links.js'
import { sendEmpty, sendValidationProblem } from '../../http/problem.js'
import { callerOf, type Realm } from '../../http/context.js'
import { crossOrigin, gone, InfoResponse, invalid, nobody, staleSignIn, unavailable, unreadable } from '../answers.js'
import { type ProfileFields, profileFields } from '../profile.js'
import { endpoint, on } from '../endpoint.js'

const infoSwitch = {
  /**
   * `GET` and `POST /manage/info`: shows and changes the caller's account.
   * @default `true`
   */
  info: on(),
}

export const getInfo = endpoint(
  {
    name: 'getInfo',
    switch: infoSwitch,
    method: 'GET',
    path: '/manage/info',
    auth: 'signedIn',
    summary: 'Read the e-mail address of the caller',
    description: 'As the database has it now, not as the ticket has it.',
    answers: { 200: InfoResponse, 401: nobody, 404: gone, 503: unavailable },
  },
  (realm: Realm) => ({
    answers: { 200: withFields(InfoResponse, profileFields(realm)) },
    async handler(request, reply) {
      const user = await realm.users.findById(callerOf(realm, request).userId)
      return user === null ? sendEmpty(reply, 404) : infoOf(user)
    },
  }),
)

const InfoRequest = Type.Object(
  {
    newEmail: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    newPassword: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    oldPassword: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  },
  { title: 'InfoRequest' },
)

export const changeInfo = endpoint(
  {
    name: 'changeInfo',
    switch: infoSwitch,
    method: 'POST',
    path: '/manage/info',
    auth: 'signedIn',
    summary: 'Change the password, or ask for a change of the e-mail address',
    description:
      'A new address counts once its mailed link was followed; until then the answer shows the old one. A new password ends all other sessions.',
    body: InfoRequest,
    answers: {
      200: InfoResponse,
      400: invalid,
      401: nobody,
      403: crossOrigin,
      404: gone,
      ...unreadable,
      503: unavailable,
    },
  },
  (realm: Realm) => {
    const fields = profileFields(realm)
    return {
      body: Type.Object({ ...InfoRequest.properties, ...fields.request }, { title: 'InfoRequest' }),
      answers: {
        200: withFields(InfoResponse, fields),
        ...(realm.reauthentication !== null && { 401: staleSignIn }),
      },
      async handler(request, reply) {
        const { newEmail, newPassword, oldPassword } = request.body
        const { userId, sessionId } = callerOf(realm, request)
        const user = await realm.users.findById(userId)
        if (user === null) return sendEmpty(reply, 404)
        if (isGiven(newEmail) && !(isEmail(newEmail) && isDeliverable(newEmail))) {
          return sendValidationProblem(reply, [
            { code: 'InvalidEmail', description: realm.describe('InvalidEmail', [newEmail]) },
          ])
        }
        const read = fields.read(request.body, false)
        if ('errors' in read) return sendValidationProblem(reply, read.errors)
        const isMoving = isGiven(newEmail) && newEmail !== user.email
        if (isMoving && realm.reauthentication !== null && !isFresh(realm, request)) {
          if (!isGiven(oldPassword)) return sendStale(reply)
          // Beside a new password, its change verifies the old one.
          if (!isGiven(newPassword) && !(await realm.reauthentication.byPassword(user, oldPassword))) {
            return sendValidationProblem(reply, [
              { code: 'PasswordMismatch', description: realm.describe('PasswordMismatch', []) },
            ])
          }
        }
        if (isGiven(newPassword)) {
          if (!isGiven(oldPassword)) {
            return sendValidationProblem(reply, [
              { code: 'OldPasswordRequired', description: realm.describe('OldPasswordRequired', []) },
            ])
          }
          const result = await realm.users.changePassword(user, oldPassword, newPassword, { keepSessionId: sessionId })
          if (!result.succeeded) return sendValidationProblem(reply, result.errors)
        }
        if (Object.keys(read.profile).length > 0) {
          user.profile = { ...user.profile, ...read.profile }
          const result = await realm.users.update(user)
          if (!result.succeeded) return sendValidationProblem(reply, result.errors)
        }
        if (isMoving) {
          await realm.mailLater((db, mail) => {
            const confirm = () =>
              mail.confirmationLink(
                db,
                user,
                newEmail,
                confirmEmailUrl(realm, request),
                realm.users.generateChangeEmailToken(user, newEmail),
                newEmail,
              )
            const next = { email: newEmail, userName: realm.options.user.userNameIsEmail ? newEmail : user.userName }
            return realm.enumerationSafe === null
              ? confirm()
              : realm.enumerationSafe.mailNewAddress(user, next, confirm)
          })
        }
        return infoOf(user)
      },
    }
  },
)

function withFields(schema: typeof InfoResponse, { response }: ProfileFields): TObject {
  return Type.Object({ ...schema.properties, ...response }, { title: 'InfoResponse' })
}

// The schema of the answer lets only the fields of option `profile` through.
function infoOf({ email, emailConfirmed, profile }: User): Static<typeof InfoResponse> {
  return { ...profile, email: email ?? '', isEmailConfirmed: emailConfirmed }
}
