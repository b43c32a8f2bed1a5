// How an option is declared: a TypeBox schema that carries its default, and a doc comment on the property. Types, defaults, checks and the
// table of docs/options.md all come from it. Knows no option by name.
import {
  Kind,
  type Static,
  type TObject,
  type TOptional,
  type TProperties,
  type TSchema,
  Type,
} from '@sinclair/typebox'

/** Which defaults count: those of the reference, or stricter ones. */
export type Preset = 'aspnet' | 'hardened'

/** An object of options that refuses unknown names. */
export const closed = { additionalProperties: false }

/** A number of seconds, at most ten years. */
export const seconds = (minimum = 1) => Type.Integer({ minimum, maximum: 10 * 365 * 86_400 })

/** A function of the host's: the schema checks that it is one, and `undefined` counts as left out. */
export const callback = <Callback>() =>
  Type.Unsafe<Callback>(Type.Union([Type.Function([], Type.Unknown()), Type.Undefined()], { isCallback: true }))

/** A value of the host's that another place checks. */
export const foreign = <Value>() => Type.Unsafe<Value>(Type.Unknown())

/** An option with a default. */
export type Defaulted<S extends TSchema> = TOptional<S> & { readonly default: Static<S> }

/** An option with a default, and another one where preset `hardened` has another. */
export function defaulted<S extends TSchema>(schema: S, fallback: Static<S>, hardened?: Static<S>): Defaulted<S> {
  // What Type.Optional returns is TOptional<S>, by a conditional type that TypeScript resolves for a concrete S only.
  const optional = Type.Optional(schema) as TOptional<S>
  return Object.assign(optional, hardened === undefined ? { default: fallback } : { default: fallback, hardened })
}

/** Options of a schema, complete: a default where there is one, otherwise null where an option is left out. */
export type Resolved<Properties extends TProperties> = {
  readonly [Name in keyof Properties]: ResolvedOption<Properties[Name]>
}

type ResolvedOption<S extends TSchema> = S extends { readonly default: unknown }
  ? Static<S>
  : S extends TObject<infer Properties>
    ? Resolved<Properties>
    : Static<S> | null

/** A frozen copy of `given` with the defaults of `preset`. A member that is undefined counts as left out. */
export function complete<Properties extends TProperties>(
  schema: TObject<Properties>,
  given: object | undefined,
  preset: Preset = 'aspnet',
): Resolved<Properties> {
  const members = Object.entries<TSchema>(schema.properties).map(([name, option]) => [
    name,
    completed(option, given === undefined ? undefined : Reflect.get(given, name), preset),
  ])
  // Object.entries loses which member belongs to which name.
  return Object.freeze(Object.fromEntries(members)) as Resolved<Properties>
}

function completed(option: TSchema, value: unknown, preset: Preset): unknown {
  if (isGroup(option)) return complete(option, value as object | undefined, preset) // its shape was checked
  if (value !== undefined) return option[Kind] === 'Unknown' ? value : copied(value)
  const { default: fallback, hardened } = option as { default?: unknown; hardened?: unknown } // what `defaulted` wrote
  return copied((preset === 'hardened' ? hardened : undefined) ?? fallback ?? null)
}

/** Whether a schema is a group of options rather than one. */
export function isGroup(option: TSchema): option is TObject {
  return option[Kind] === 'Object' && !('default' in option)
}

// Lists and plain objects are the caller's, who may change them later.
function copied(value: unknown): unknown {
  if (Array.isArray(value)) return Object.freeze(value.map(copied))
  if (typeof value !== 'object' || value === null) return value
  return Object.freeze(Object.fromEntries(Object.entries(value).map(([name, member]) => [name, copied(member)])))
}
