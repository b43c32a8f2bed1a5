// The host's own fields at /register and /manage/info: documented as they are, checked by their own schema with words about what is wrong.
import { type TProperties, type TSchema, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import type { IdentityError } from '../errors.js'
import type { Realm } from '../http/context.js'
import type { Profile } from '../store/profile.js'

export interface ProfileFields {
  /** For the schema of a request: documented, and left to `read` to check. */
  readonly request: TProperties
  /** For the schema of an answer. */
  readonly response: TProperties
  /** The fields that a body has; all that must be there when `isWhole`. */
  read(body: object, isWhole: boolean): { readonly profile: Profile } | { readonly errors: readonly IdentityError[] }
}

/** What option `profile` adds to a route; nothing without it. */
export function profileFields({ options }: Realm): ProfileFields {
  const schema = options.profile
  if (schema === null) return { request: {}, response: {}, read: () => ({ profile: {} }) }
  const names = Object.keys(schema.properties)
  const whole = TypeCompiler.Compile(schema)
  const partial = TypeCompiler.Compile(Type.Partial(schema))
  return {
    request: mapFields(schema.properties, (field) => Type.Optional(asDocumented(field))),
    response: mapFields(schema.properties, (field) => Type.Optional(asDocumented(field))),
    read(body, isWhole) {
      const given = Object.fromEntries(
        Object.entries(body).filter(([name, value]) => names.includes(name) && value !== undefined),
      )
      const check = isWhole ? whole : partial
      const errors = distinct(
        [...check.Errors(given)].map(({ path, message }) => ({
          code: path.split('/')[1] ?? 'profile',
          description: message,
        })),
      )
      if (errors.length > 0) return { errors }
      const unstorable = Object.keys(given).filter((name) => !isStorable(given[name]))
      return unstorable.length === 0
        ? { profile: given }
        : { errors: unstorable.map((code) => ({ code, description: 'Expected Unicode text without NUL' })) }
    },
  }
}

function distinct(errors: readonly IdentityError[]): readonly IdentityError[] {
  return [...new Map(errors.map((error) => [`${error.code} ${error.description}`, error])).values()]
}

/** Whether Postgres can hold a value as jsonb: every text in it is well-formed and without NUL. */
function isStorable(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\0')
  return typeof value !== 'object' || value === null || Object.entries(value).flat().every(isStorable)
}

function mapFields(fields: TProperties, map: (field: TSchema) => TSchema): TProperties {
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, map(field)]))
}

/** The field's JSON Schema, which says everything and refuses nothing. */
function asDocumented(field: TSchema): TSchema {
  return Type.Unknown(JSON.parse(JSON.stringify(field)) as object)
}
