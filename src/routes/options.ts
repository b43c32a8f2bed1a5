// Option `endpoints`: a switch for each operation, as the files of the routes declare them.
import { type Static, type TObject, type TOptional, Type } from '@sinclair/typebox'
import { closed } from '../option-schema.js'
import { type Both, endpoints } from './endpoints.js'

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
