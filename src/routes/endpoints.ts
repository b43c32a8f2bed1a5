// Every endpoint of the package, in the order in which the document of @fastify/swagger and docs/endpoints.md show them. What each one is
// stands in the file of its route. Option `endpoints` follows from them: a switch for each operation.
import { type Static, type TObject, type TOptional, Type } from '@sinclair/typebox'
import { closed } from '../option-schema.js'
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

// One object type over the members of another; their doc comments stay, also in the declarations of the package.
type Flat<Object> = { -readonly [Name in keyof Object]: Object[Name] }
type Switches = Flat<Both<(typeof endpoints)[number]['switch']>>

// Object.assign over a list loses which switches were in it.
const switches = Object.assign({}, ...endpoints.map((endpoint) => endpoint.switch)) as Switches

export const endpointOptions: TObject<Switches> = Type.Object(switches, closed)

/** An operation that option `endpoints` switches. */
export type Operation = keyof Static<typeof endpointOptions>

interface RouteOptions {
  /** Switches of the endpoints: `{ register: false }` leaves one out. */
  readonly endpoints: TOptional<typeof endpointOptions>
}

export const routeOptions: TObject<Flat<RouteOptions>> = Type.Object(
  { endpoints: Type.Optional(endpointOptions) },
  closed,
)
