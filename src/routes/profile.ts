// The host's own fields at /register and /manage/info: shown in the document, checked by their own schema, refused
// with messages.
import { type TObject, type TProperties, type TSchema, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { isStorableJson } from '../accounts/users/storable.js'
import type { IdentityError } from '../errors.js'
import type { Profile } from '../store/profile.js'

export interface ProfileContext {
  /** Option `profile`. */
  readonly options: { readonly profile: TObject | null }
}

export interface ProfileFields {
  /** For the schema of a request: in the document only, since `read` checks. */
  readonly request: TProperties
  /** For the schema of an answer. */
  readonly response: TProperties
  /** The fields of a body; all required ones must be present when `isWhole`. */
  read(body: object, isWhole: boolean): { readonly profile: Profile } | { readonly errors: readonly IdentityError[] }
}

/** The fields that option `profile` adds to a route; none without it. */
export function profileFields({ options }: ProfileContext): ProfileFields {
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
      const unstorable = Object.keys(given).filter((name) => !isStorableJson(given[name]))
      return unstorable.length === 0
        ? { profile: given }
        : { errors: unstorable.map((code) => ({ code, description: 'Expected Unicode text without NUL' })) }
    },
  }
}

function distinct(errors: readonly IdentityError[]): readonly IdentityError[] {
  return [...new Map(errors.map((error) => [`${error.code} ${error.description}`, error])).values()]
}

function mapFields(fields: TProperties, map: (field: TSchema) => TSchema): TProperties {
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, map(field)]))
}

/** The field's JSON Schema for the document, which accepts every value. */
function asDocumented(field: TSchema): TSchema {
  return Type.Unknown(JSON.parse(JSON.stringify(field)) as object)
}
