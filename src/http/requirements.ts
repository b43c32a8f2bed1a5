// The requirements of a guard: their form, their check when the guard is made, and the decision for one request.
import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { FastifyRequest } from 'fastify'
import type { Clock } from '../clock.js'
import type { Principal } from './principal.js'
import type { Refusal } from './refusals.js'
import { InvalidOption, UnknownPolicy } from '../errors.js'

/** The requirements for a caller, all of which must be met; of a list, any. */
export interface Requirements {
  /** Any of these roles. Compared exactly. */
  readonly roles?: readonly string[]
  /** Claims by type: with this value, any of these values, or any value at all (`true`). Compared exactly. */
  readonly claims?: Readonly<Record<string, string | readonly string[] | true>>
  /** A policy of option `authorization.policies` by its name. */
  readonly policy?: string
  /** Any of these methods of authentication: `mfa` requires a second factor. */
  readonly amr?: readonly string[]
  /** The greatest age of the sign-in in seconds; a refresh does not count. */
  readonly maxAgeSeconds?: number
  /** The realm, by option `decorator`. Default `'identity'`. */
  readonly decorator?: string
}

const names = () => Type.Array(Type.String(), { minItems: 1 })

const requirementsSchema = Type.Object(
  {
    roles: Type.Optional(names()),
    claims: Type.Optional(
      Type.Record(Type.String(), Type.Union([Type.String(), names(), Type.Literal(true)]), { minProperties: 1 }),
    ),
    policy: Type.Optional(Type.String({ minLength: 1 })),
    amr: Type.Optional(names()),
    maxAgeSeconds: Type.Optional(Type.Number({ minimum: 0 })),
    decorator: Type.Optional(Type.String({ minLength: 1 })),
  },
  { additionalProperties: false },
)

/**
 * A copy of a guard's argument. A part that is misspelled, empty or undefined would require nothing, so it is
 * refused.
 *
 * @throws FST_IDENTITY_INVALID_OPTION, naming the part
 */
export function settled(given: Requirements | string): Requirements {
  const rules: unknown = typeof given === 'string' ? { policy: given } : given
  const error = Value.Errors(requirementsSchema, rules).First()
  if (error !== undefined) {
    const part = ['requireAuthorization', ...error.path.split('/').slice(1)].join('.')
    if (error.message === 'Unexpected property')
      throw new InvalidOption(
        part,
        'is unknown',
        `Known here: ${Object.keys(requirementsSchema.properties).join(', ')}`,
      )
    throw new InvalidOption(part, 'is wrong', error.message)
  }
  const checked = rules as Requirements // the schema says so
  const missing = Object.entries(checked).find(([, part]) => part === undefined)
  if (missing !== undefined)
    throw new InvalidOption(`requireAuthorization.${missing[0]}`, 'is undefined', 'Leave it out, or give it a value')
  return structuredClone(checked)
}

/** A rule of the application: whether this caller may make this request. */
export type Policy = (principal: Principal, request: FastifyRequest) => boolean | Promise<boolean>

export interface RequirementContext {
  readonly options: { readonly authorization: { readonly policies: Readonly<Record<string, Policy>> } }
  readonly clock: Clock
}

/** Whether a caller meets the requirements of a guard; the policy is called last, and only when the rest is met. */
export function meets(
  context: RequirementContext,
  rules: Requirements,
  principal: Principal,
  request: FastifyRequest,
): boolean | Promise<boolean> {
  if (unmetPart(context, rules, principal) !== null) return false
  const { policy } = rules
  if (policy === undefined) return true
  const { policies } = context.options.authorization
  const rule = Object.hasOwn(policies, policy) ? policies[policy] : undefined
  if (rule === undefined) throw new UnknownPolicy(policy)
  return rule(principal, request)
}

/** Which requirement a caller does not meet who was refused. */
export function whyNotMet(context: RequirementContext, rules: Requirements, principal: Principal): Refusal {
  return unmetPart(context, rules, principal) ?? 'policyRefused'
}

function unmetPart({ clock }: RequirementContext, rules: Requirements, principal: Principal): Refusal | null {
  const { roles, claims, amr, maxAgeSeconds } = rules
  if (roles !== undefined && !roles.some((role) => principal.isInRole(role))) return 'roleMissing'
  if (amr !== undefined && !amr.some((method) => principal.amr.includes(method))) return 'methodMissing'
  if (maxAgeSeconds !== undefined && clock() > principal.authenticatedAt + maxAgeSeconds * 1000) return 'signInTooOld'
  const isClaimed =
    claims === undefined ||
    Object.entries(claims).every(([type, wanted]) =>
      wanted === true ? principal.hasClaim(type) : [wanted].flat().some((value) => principal.hasClaim(type, value)),
    )
  return isClaimed ? null : 'claimMissing'
}
