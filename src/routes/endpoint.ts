// How an endpoint is declared: once, in the file of its route. The route, its switch in option `endpoints`, the table of docs/endpoints.md,
// the OpenAPI document and the type tests of the client all come from the declaration. Knows no endpoint by name.
import { type Static, type TObject, type TProperties, type TSchema, Type } from '@sinclair/typebox'
import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import { defaulted } from '../option-schema.js'

/** A switch of option `endpoints`: on unless the host says otherwise. */
export const on = () => defaulted(Type.Boolean(), true)

/** What an endpoint is, before any option is known. The `title` of a schema is its name in the OpenAPI document. */
export interface EndpointDeclaration {
  /** In camelCase. The operationId has the decorator before it: `identityLogin`. */
  readonly name: string
  /** The switch in option `endpoints`: a property with its doc comment. Several endpoints may share one. */
  readonly switch: TProperties
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** Below the prefix. */
  readonly path: string
  /** `signedIn`: a caller without a valid ticket gets 401 before the body is read. */
  readonly auth: 'anonymous' | 'signedIn'
  /** One line: what it does. */
  readonly summary: string
  readonly description?: string
  readonly query?: TObject
  readonly params?: TObject
  readonly body?: TObject
  /** No body at all is as good as `{}`. */
  readonly bodyIsOptional?: boolean
  readonly answers: Answers
}

/** The answers by status. A bare schema is JSON. */
export type Answers = Readonly<Record<number, TSchema | Answer>>

export interface Answer {
  readonly description: string
  readonly content: Readonly<Record<string, { readonly schema: TSchema }>>
}

/** What runs for an endpoint, and what options change in its declaration. */
export interface Route<Declared extends EndpointDeclaration = EndpointDeclaration> {
  /** Runs before the body is read, after the guard. */
  readonly before?: onRequestHookHandler
  /** Instead of the declared body. */
  readonly body?: TObject
  /** Beside the declared answers, or instead of those of the same status. */
  readonly answers?: Answers
  /** Returns the body of the 200, or has sent another answer. */
  // A method, so that routes over different schemas are of one type.
  handler(
    // eslint-disable-next-line @typescript-eslint/no-invalid-void-type -- it has no `this`
    this: void,
    request: RequestOf<Declared>,
    reply: FastifyReply,
  ): Promise<BodyOf<Declared['answers'][200]> | FastifyReply>
}

/** A request as the schemas of the endpoint have it. */
export type RequestOf<Declared extends EndpointDeclaration> = FastifyRequest<{
  Body: StaticOf<Declared['body']>
  Querystring: StaticOf<Declared['query']>
  Params: StaticOf<Declared['params']>
}>

type StaticOf<Schema> = Schema extends TSchema ? Static<Schema> : unknown
type BodyOf<Given> = Given extends TSchema ? ReadonlyDeep<Static<Given>> : unknown
type ReadonlyDeep<T> = T extends object ? { readonly [Name in keyof T]: ReadonlyDeep<T[Name]> } : T

/** A declaration with the route over it. `Needs` is what the route calls. */
export type Endpoint<Declared extends EndpointDeclaration = EndpointDeclaration, Needs = never> = Declared & {
  route(needs: Needs): Route<Declared>
}

/** Declares an endpoint: first what it is, then its route over what that needs. */
export function endpoint<const Declared extends EndpointDeclaration, Needs>(
  declaration: Declared,
  route: (needs: Needs) => Route<Declared>,
): Endpoint<Declared, Needs> {
  return { ...declaration, route }
}
