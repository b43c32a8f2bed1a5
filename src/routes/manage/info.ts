// GET and POST /manage/info: the caller's address as stored now, not as in the token; a change of the password, which
// needs the old one; and the mail that changes the address, with preset 'hardened' after a fresh proof (ASVS 5.0
// 7.5.1).
import { type Static, type TObject, Type } from '@sinclair/typebox'
import { withoutBlanksAround } from '../../http/json-schema.js'
import { isGiven } from '../../absent.js'
import type { User } from '../../accounts/users/user.js'
import { isDeliverable } from '../../email/address.js'
import { isFresh, sendStale } from '../../http/freshness.js'
import { confirmEmailUrl, type LinkContext } from '../../http/links.js'
import { sendRefusal, sendValidationProblem } from '../../http/problem.js'
import type { AuthenticationContext } from '../../http/authenticate.js'
import { callerOf } from '../../http/principal.js'
import type { EmailChanges } from '../../accounts/credentials/email-change.js'
import type { UserManager } from '../../accounts/managers/user-manager.js'
import type { Reauthentication } from '../../accounts/sign-in/reauthentication.js'
import type { Clock } from '../../clock.js'
import type { ErrorDescriber } from '../../errors.js'
import {
  acting,
  answer,
  closed,
  crowded,
  gone,
  InfoResponse,
  nobody,
  problem,
  refused,
  staleSignIn,
  unavailable,
  unreadable,
} from '../answers.js'
import { type ProfileContext, type ProfileFields, profileFields } from '../profile.js'
import { endpoint, on } from '../endpoint.js'

const infoSwitch = {
  /**
   * `GET` and `POST /manage/info`: shows and changes the caller's account.
   * @default `true`
   */
  info: on(),
}

const shown = answer('The address as stored, and whether it is confirmed', InfoResponse)

interface GetInfoNeeds extends ProfileContext, Pick<AuthenticationContext, 'slot'> {
  readonly users: Pick<UserManager, 'findById'>
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
    answers: {
      200: shown,
      400: problem('Not sent. The reference declares it, so that clients are generated alike'),
      401: nobody,
      403: acting,
      404: gone,
      503: unavailable,
    },
  },
  (needs: GetInfoNeeds) => ({
    answers: { 200: withFields(shown, profileFields(needs)) },
    async handler(request, reply) {
      const user = await needs.users.findById(callerOf(needs, request).userId)
      return user === null ? sendRefusal(reply, 404, 'userGone') : infoOf(user)
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

const changed = answer(
  'Changed, or nothing was to be changed. A new address is mailed a link, and the old one is shown until it is followed',
  InfoResponse,
)

interface ChangeInfoNeeds extends LinkContext, ProfileContext, Pick<AuthenticationContext, 'slot'> {
  readonly options: LinkContext['options'] &
    ProfileContext['options'] & { readonly user: { readonly userNameIsEmail: boolean } }
  readonly users: Pick<UserManager, 'findById' | 'changePassword' | 'update'>
  readonly emailChanges: EmailChanges
  /** Proves the caller's identity once more before the address is changed; null where the reference asks for nothing. */
  readonly reauthentication: Pick<Reauthentication, 'byPassword'> | null
  readonly clock: Clock
  readonly describe: ErrorDescriber
}

export const changeInfo = endpoint(
  {
    name: 'changeInfo',
    switch: infoSwitch,
    method: 'POST',
    path: '/manage/info',
    auth: 'signedIn',
    summary: 'Change the password, or ask for a change of the e-mail address',
    description:
      'A new address counts once its mailed link was followed; until then the answer shows the old one. Of several requested addresses the last counts. A new password ends all other sessions.',
    body: InfoRequest,
    answers: {
      200: changed,
      400: refused('The old password is wrong or missing, or the new password or address breaks a rule'),
      401: nobody,
      403: closed,
      404: gone,
      ...unreadable,
      503: crowded,
    },
  },
  (needs: ChangeInfoNeeds) => {
    const fields = profileFields(needs)
    return {
      body: Type.Object({ ...InfoRequest.properties, ...fields.request }, { title: 'InfoRequest' }),
      answers: {
        200: withFields(changed, fields),
        ...(needs.reauthentication !== null && { 401: staleSignIn }),
      },
      async handler(request, reply) {
        const { newPassword, oldPassword } = request.body
        const typed = request.body.newEmail
        const newEmail = isGiven(typed) ? withoutBlanksAround(typed) : null
        const caller = callerOf(needs, request)
        const { userId, sessionId } = caller
        const user = await needs.users.findById(userId)
        if (user === null) return sendRefusal(reply, 404, 'userGone')
        if (newEmail !== null && !isDeliverable(newEmail)) {
          return sendValidationProblem(reply, [
            { code: 'InvalidEmail', description: needs.describe('InvalidEmail', [typed ?? '']) },
          ])
        }
        const read = fields.read(request.body, false)
        if ('errors' in read) return sendValidationProblem(reply, read.errors)
        const next =
          isGiven(newEmail) && newEmail !== user.email
            ? { email: newEmail, userName: needs.options.user.userNameIsEmail ? newEmail : user.userName }
            : null
        const faults = next === null ? [] : await needs.emailChanges.validate(user, next)
        if (faults.length > 0) return sendValidationProblem(reply, faults)
        if (next !== null && needs.reauthentication !== null && !isFresh(caller, needs.clock())) {
          if (!isGiven(oldPassword)) return sendStale(reply)
          // Beside a new password, its change verifies the old one.
          if (!isGiven(newPassword) && !(await needs.reauthentication.byPassword(user, oldPassword))) {
            return sendValidationProblem(reply, [
              { code: 'PasswordMismatch', description: needs.describe('PasswordMismatch', []) },
            ])
          }
        }
        if (isGiven(newPassword)) {
          if (!isGiven(oldPassword)) {
            return sendValidationProblem(reply, [
              { code: 'OldPasswordRequired', description: needs.describe('OldPasswordRequired', []) },
            ])
          }
          const result = await needs.users.changePassword(user, oldPassword, newPassword, { keepSessionId: sessionId })
          if (!result.succeeded) return sendValidationProblem(reply, result.errors)
        }
        if (Object.keys(read.profile).length > 0) {
          user.profile = { ...user.profile, ...read.profile }
          const result = await needs.users.update(user)
          if (!result.succeeded) return sendValidationProblem(reply, result.errors)
        }
        if (next !== null) await needs.emailChanges.request(user, next, confirmEmailUrl(needs, request))
        else if (isGiven(newEmail)) await needs.emailChanges.cancel(user)
        return infoOf(user)
      },
    }
  },
)

function withFields(schema: typeof InfoResponse, { response }: ProfileFields): TObject {
  return { ...schema, ...Type.Object({ ...schema.properties, ...response }) }
}

// The schema of the answer lets only the fields of option `profile` through.
function infoOf({ email, emailConfirmed, profile }: User): Static<typeof InfoResponse> {
  return { ...profile, email: email ?? '', isEmailConfirmed: emailConfirmed }
}
