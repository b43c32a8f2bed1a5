// Cookies of a sign-in in two steps, for a host's own routes: the half-way ticket between the steps, and the machines on which a user need not
// show the second factor again.
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { User } from '../accounts/users/user.js'
import { CookiesOff } from '../errors.js'
import { type CookieContext, cookieName, expireCookie, findCookies, sendCookie } from './cookie.js'
import { forgetMachine, isRememberedMachine, type MachineContext, rememberMachine } from './remembered-machine.js'

/** The half-way ticket as a cookie, and remembered machines. */
export interface TwoFactorAnswers {
  /**
   * Keeps the `twoFactorTicket` of a sign-in that requires the second factor in a cookie of its own, until the browser closes; the route still
   * sends its own answer. `setCookie` and `sendTokens` remove it.
   *
   * @throws FST_IDENTITY_COOKIES_OFF
   */
  setTwoFactorCookie(reply: FastifyReply, twoFactorTicket: string): void
  /** The half-way ticket of this browser, for the methods that ask for a code; null without one. It may have expired or been used. */
  readTwoFactorCookie(request: FastifyRequest): string | null
  /**
   * Remembers this browser for the user for `twoFactor.rememberMachineSeconds`: see `isTwoFactorClientRemembered`. Up to ten users are remembered
   * by one browser. Call it after the second factor. A change of password or second factor ends it. Reference: `RememberTwoFactorClientAsync`.
   *
   * @throws FST_IDENTITY_COOKIES_OFF
   */
  rememberTwoFactorClient(reply: FastifyReply, user: User): void
  /** Whether this browser is remembered for the user. Reference: `IsTwoFactorClientRememberedAsync`. */
  isTwoFactorClientRemembered(request: FastifyRequest, user: User): boolean
  /** Forgets this browser for the user, or without one for everybody. Reference: `ForgetTwoFactorClientAsync`. */
  forgetTwoFactorClient(reply: FastifyReply, user?: User): void
}

export function createTwoFactorAnswers(context: MachineContext): TwoFactorAnswers {
  function requireCookies(): void {
    if (!context.options.cookies) throw new CookiesOff()
  }

  return {
    setTwoFactorCookie(reply, twoFactorTicket) {
      requireCookies()
      sendCookie(context, reply.request, reply, ticketCookieName(context, reply.request), twoFactorTicket, null)
    },
    readTwoFactorCookie: (request) => ticketCookies(context, request)[0] ?? null,
    rememberTwoFactorClient(reply, user) {
      requireCookies()
      rememberMachine(context, reply.request, reply, user)
    },
    isTwoFactorClientRemembered: (request, user) => isRememberedMachine(context, request, user),
    forgetTwoFactorClient: (reply, user) => forgetMachine(context, reply.request, reply, user?.id),
  }
}

/** Removes the half-way ticket of a browser that is signed in now. */
export function removeTwoFactorCookie(context: CookieContext, reply: FastifyReply): void {
  const { request } = reply
  if (ticketCookies(context, request).length > 0)
    expireCookie(context, request, reply, ticketCookieName(context, request))
}

function ticketCookies(context: CookieContext, request: FastifyRequest): readonly string[] {
  return context.options.cookies ? findCookies(request.headers.cookie, ticketCookieName(context, request)) : []
}

function ticketCookieName(context: CookieContext, request: FastifyRequest): string {
  return `${cookieName(context, request)}-two-factor`
}
