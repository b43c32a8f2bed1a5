// POST /login: a token pair in the body, or a cookie. The value of `email` is looked up as user name, as in the reference.
import { type Static, Type } from '@sinclair/typebox'
import type { UserManager } from '../accounts/managers/user-manager.js'
import type { TicketSignIn } from '../accounts/sign-in/sign-in-manager.js'
import { isSameOrigin, type OriginContext, sendForbiddenOrigin } from '../http/cross-origin.js'
import { documentedType } from '../http/document-schemas.js'
import { invalidInput } from '../http/input-errors.js'
import { logRefusal } from '../http/refusals.js'
import { readFlag, withoutBlanksAround } from '../http/json-schema.js'
import { problemOf, sendEmpty, sendProblem } from '../http/problem.js'
import { isRememberedMachine, type MachineContext, rememberMachine } from '../http/remembered-machine.js'
import { setCookie } from '../http/cookie.js'
import { factsOf, tokenPair } from '../http/tickets.js'
import { AccessTokenResponse, answer, crowded, failedSignIn, problem, unreadable } from './answers.js'
import type { QueuedHasher } from '../passwords/hasher.js'
import { holdWhileFull } from './hold-while-full.js'
import { endpoint, on } from './endpoint.js'

const LoginRequest = Type.Object(
  {
    email: Type.String(),
    password: Type.String(),
    twoFactorCode: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    twoFactorRecoveryCode: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  },
  { title: 'LoginRequest' },
)

// Read as text, since a query has nothing else.
function flag(description: string) {
  return Type.Optional(Type.String({ description, [documentedType]: 'boolean' }))
}

const LoginQuery = Type.Object({
  useCookies: flag('true: a cookie that outlives the browser instead of tokens'),
  useSessionCookies: flag('true: a cookie until the browser closes instead of tokens'),
})

// Where the user name is not the address: either of the two.
const NamedLoginRequest = Type.Object(
  {
    userName: Type.Optional(Type.String()),
    ...Type.Partial(Type.Pick(LoginRequest, ['email'])).properties,
    ...Type.Omit(LoginRequest, ['email']).properties,
  },
  { title: 'LoginRequest' },
)

interface LoginNeeds extends MachineContext {
  readonly options: MachineContext['options'] &
    OriginContext['options'] & { readonly user: { readonly userNameIsEmail: boolean } }
  readonly users: Pick<UserManager, 'findByName' | 'findNameByEmail'>
  readonly signIn: Pick<TicketSignIn, 'signInAsAny'>
  readonly hasher: Pick<QueuedHasher, 'busy'>
}

export const login = endpoint(
  {
    name: 'login',
    switch: {
      /**
       * `POST /login`: opens a session, by tokens or a cookie.
       * @default `true`
       */
      login: on(),
    },
    method: 'POST',
    path: '/login',
    auth: 'anonymous',
    summary: 'Log in',
    description:
      'The value of email is looked up as user name. Answers tokens; with useCookies or useSessionCookies it sets a cookie and answers an empty body.',
    query: LoginQuery,
    body: LoginRequest,
    answers: {
      200: answer(
        'Signed in. With useCookies or useSessionCookies the cookie is set, and there is no body',
        AccessTokenResponse,
      ),
      400: problem(
        'A cookie is asked for where option cookies is off, as detail says. Or the body is no well-formed JSON, a member is missing or of a wrong type, or a flag is neither true nor false: then without a body in production',
      ),
      401: failedSignIn,
      403: problem('A page of another origin asks for a cookie'),
      ...unreadable,
      503: crowded,
    },
  },
  (needs: LoginNeeds) => {
    const { users, signIn, hasher, options } = needs
    const { userNameIsEmail } = options.user

    /**
     * The user names to look up: as typed, or those of the users whom an address may stand for. One user's address may be the name of another,
     * who has registered it to get in the way of the first.
     */
    async function namesOf({ userName, email }: Static<typeof NamedLoginRequest>): Promise<readonly string[]> {
      const address = email === undefined ? null : withoutBlanksAround(email)
      if (userName !== undefined && !userNameIsEmail) return [userName]
      if (address === null || userNameIsEmail) return address === null ? [] : [address]
      const byEmail = await users.findNameByEmail(address)
      const byName = await users.findByName(address)
      const names = new Set([byEmail, byName?.userName].filter((name) => name !== null && name !== undefined))
      return names.size === 0 ? [address] : [...names]
    }

    return {
      before: holdWhileFull(() => hasher.busy),
      ...(!userNameIsEmail && { body: NamedLoginRequest }),
      async handler(request, reply) {
        const useCookies = readFlag('useCookies', request.query.useCookies) === true
        const useSessionCookies = readFlag('useSessionCookies', request.query.useSessionCookies) === true
        const wantsCookie = useCookies || useSessionCookies
        if (wantsCookie && !options.cookies) {
          logRefusal(request, 'cookiesOff')
          return sendProblem(
            reply,
            problemOf(400, {
              detail: 'Cookies are switched off here (option cookies); log in without useCookies and useSessionCookies',
            }),
          )
        }
        if (wantsCookie && !isSameOrigin(needs, request)) return sendForbiddenOrigin(reply)
        const { password, twoFactorCode, twoFactorRecoveryCode } = request.body
        const names = await namesOf(request.body)
        if (names.length === 0) throw invalidInput({ reason: 'memberMissing', member: 'email' })
        const result = await signIn.signInAsAny(names, password, {
          ...factsOf(request),
          twoFactorCode,
          twoFactorRecoveryCode,
          isRemembered: (user) => isRememberedMachine(needs, request, user),
        })
        if (!result.succeeded) {
          logRefusal(request, `signIn${result.reason}`)
          return sendProblem(reply, problemOf(401, { detail: result.reason }))
        }
        if (!wantsCookie) return tokenPair(needs, result.signedIn)
        // A recovery code is for emergencies on any machine: its cookie does not outlive the browser, and the machine
        // is not remembered.
        const isPersistent = useCookies && !useSessionCookies && result.method !== 'recoveryCode'
        setCookie(needs, request, reply, result.signedIn, isPersistent)
        if (isPersistent && result.method === 'authenticator')
          rememberMachine(needs, request, reply, result.signedIn.user)
        return sendEmpty(reply, 200)
      },
    }
  },
)
