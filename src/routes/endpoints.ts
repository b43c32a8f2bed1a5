// Every endpoint of the package, in the order in which the document of @fastify/swagger and docs/endpoints.md show them. What each one is
// stands in the file of its route.
import { confirmEmail } from './confirm-email.js'
import { login } from './login.js'
import { logout } from './logout.js'
import { forgotPassword, resendConfirmationEmail } from './mail-requests.js'
import { twoFactor } from './manage/2fa.js'
import { changeInfo, getInfo } from './manage/info.js'
import { deleteSession, listSessions } from './manage/sessions.js'
import { refresh } from './refresh.js'
import { register } from './register.js'
import { resetPassword } from './reset-password.js'

// `typeof` keeps the doc comments of the switches in the declarations of the package; a list that infers its type loses them.
export const endpoints: readonly [
  typeof register,
  typeof login,
  typeof refresh,
  typeof confirmEmail,
  typeof resendConfirmationEmail,
  typeof forgotPassword,
  typeof resetPassword,
  typeof logout,
  typeof twoFactor,
  typeof getInfo,
  typeof changeInfo,
  typeof listSessions,
  typeof deleteSession,
] = [
  register,
  login,
  refresh,
  confirmEmail,
  resendConfirmationEmail,
  forgotPassword,
  resetPassword,
  logout,
  twoFactor,
  getInfo,
  changeInfo,
  listSessions,
  deleteSession,
]

/** The intersection of the members of a union. */
export type Both<Union> = (Union extends unknown ? (one: Union) => void : never) extends (all: infer All) => void
  ? All
  : never

/** What the routes of all endpoints call. */
export type EndpointNeeds = Both<Parameters<(typeof endpoints)[number]['route']>[0]>
