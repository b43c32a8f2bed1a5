// Binds bodies and queries to their schemas as the reference does (names in any letter case, nothing coerced), and
// serializes answers by theirs: only members in the schema.
import { invalidInput, type InputRefusal } from './input-errors.js'
import { membersSent } from './json-parser.js'
import { camelCase, snakeCase } from './naming.js'
import type { TObject, TSchema } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { Value } from '@sinclair/typebox/value'
import type { FastifyReply, FastifyRequest, FastifySchemaCompiler } from 'fastify'

interface Binder {
  readonly schema: TObject
  /** Members by each way to write them, in small letters. */
  readonly names: ReadonlyMap<string, string>
}

function binderOf(schema: TObject | undefined): Binder | undefined {
  if (schema === undefined) return undefined
  const spellings = Object.keys(schema.properties).flatMap((name): [string, string][] => [
    [name.toLowerCase(), name],
    [snakeCase(name), name],
  ])
  return { schema, names: new Map(spellings) }
}

/**
 * The members that a schema names, found in any letter case and as snake_case, the last one winning; the rest is left behind.
 * Strings must be well-formed Unicode: half a surrogate pair would be the same password as any other half.
 */
function bind({ schema, names }: Binder, given: unknown): unknown {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return given
  const bound: Record<string, unknown> = {}
  for (const [key, value] of membersSent(given)) {
    const name = names.get(key.toLowerCase())
    if (name === undefined) continue
    if (typeof value === 'string' && !value.isWellFormed())
      throw invalidInput({ reason: 'memberInvalid', member: name, expected: 'Expected well-formed Unicode' })
    // The last of several is the one that counts; the others must be of the right type all the same.
    if (Object.hasOwn(bound, name)) requireType(name, schema.properties[name], bound[name])
    bound[name] = value
  }
  return bound
}

function requireType(member: string, schema: TSchema | undefined, value: unknown): void {
  const isNullOfText = value === null && schema !== undefined && Value.Check(schema, '')
  if (schema === undefined || isNullOfText || Value.Check(schema, value)) return
  throw invalidInput({ reason: 'memberInvalid', member, ...expectedOf(Value.Errors(schema, value).First()) })
}

/**
 * The parameters of a query that a schema names, in any letter case. An empty one is as good as none, and several of one name are read as
 * one text with commas, as in the reference.
 */
function bindQuery(binder: Binder, given: unknown): unknown {
  const values = new Map<string, string[]>()
  for (const [name, value] of Object.entries(given as Record<string, unknown>)) {
    const texts = [value].flat().filter((text) => typeof text === 'string')
    values.set(name.toLowerCase(), [...(values.get(name.toLowerCase()) ?? []), ...texts])
  }
  const joined = [...values].map(([name, texts]): [string, string] => [
    name,
    texts.filter((text) => text !== '').join(','),
  ])
  // An empty text is none of several literals.
  const isChoice = (name: string) =>
    Object.entries(binder.schema.properties).some(
      ([known, property]) => known.toLowerCase() === name && 'anyOf' in property,
    )
  return bind(binder, Object.fromEntries(joined.filter(([name, text]) => text !== '' || isChoice(name))))
}

/** A hook for `preValidation`: binds the body and the query of a request to their schemas. */
export function binding(bodySchema: TObject | undefined, querySchema: TObject | undefined, bodyIsOptional: boolean) {
  const body = binderOf(bodySchema)
  const query = binderOf(querySchema)
  return (request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void) => {
    try {
      if (body !== undefined && request.body !== undefined) {
        // JSON null is not a body, even where none is required.
        request.body = request.body === null && bodyIsOptional ? [] : bind(body, request.body)
      }
      if (query !== undefined) request.query = bindQuery(query, request.query)
      done()
    } catch (error) {
      done(error as Error) // bind throws errors only
    }
  }
}

/** Compiles a scope's schemas with TypeBox, which validates without changing anything. */
export const checkOnly: FastifySchemaCompiler<TSchema> = ({ schema }) => {
  const check = TypeCompiler.Compile(schema)
  return (value: unknown) => (check.Check(value) ? { value } : { error: invalidInput(refusalOf(schema, value)) })
}

function refusalOf(schema: TSchema, value: unknown): InputRefusal {
  if (value === undefined || value === null) return { reason: 'bodyMissing' }
  const error = Value.Errors(schema, value).First()
  const member = error?.path.split('/')[1]
  if (typeof value !== 'object' || Array.isArray(value) || member === undefined) return { reason: 'bodyNotObject' }
  return Object.hasOwn(value, member)
    ? { reason: 'memberInvalid', member, ...expectedOf(error) }
    : { reason: 'memberMissing', member }
}

// TypeBox says what it expected, never what it got.
function expectedOf(error: { readonly message: string } | undefined): { readonly expected?: string } {
  return error === undefined ? {} : { expected: error.message }
}

/** Writes only members in the schema of an answer, so that no other member leaks by mistake. */
export function writeOnly({ schema }: { schema: unknown }): (answer: unknown) => string {
  if (isArraySchema(schema)) {
    const write = writeOnly({ schema: schema.items })
    return (answer) => `[${(answer as unknown[]).map(write).join(',')}]` // the schema says that it is a list
  }
  if (!isObjectSchema(schema)) return (answer) => JSON.stringify(answer)
  // A host's own field may be written in snake_case; ours are when option jsonNaming renamed them.
  const names = Object.keys(schema.properties).map((name) => [name, camelCase(name)] as const)
  return (answer) => {
    const given = answer as Record<string, unknown> // the schema says that it is an object
    const members = names.map(([name, ours]) => [name, Object.hasOwn(given, name) ? given[name] : given[ours]])
    return JSON.stringify(Object.fromEntries(members.filter(([, member]) => member !== undefined)))
  }
}

/** The schema of an answer with its members in snake_case, for hosts that name them so (option `jsonNaming`). */
export function inSnakeCase(schema: unknown): unknown {
  if (isArraySchema(schema)) return { ...schema, items: inSnakeCase(schema.items) }
  if (!isObjectSchema(schema)) return schema
  const rename = (names: readonly string[]) => names.map(snakeCase)
  const properties = Object.fromEntries(
    Object.entries(schema.properties).map(([name, member]) => [snakeCase(name), member]),
  )
  return { ...schema, properties, ...(schema.required === undefined ? {} : { required: rename(schema.required) }) }
}

/** An object with its members named as option `jsonNaming` says, where no schema of an answer does it. */
export function named(answer: object, naming: 'camelCase' | 'snake_case'): object {
  return naming === 'camelCase'
    ? answer
    : Object.fromEntries(Object.entries(answer).map(([name, member]) => [snakeCase(name), member as unknown]))
}

export function isObjectSchema(schema: unknown): schema is TObject {
  return typeof schema === 'object' && schema !== null && 'properties' in schema
}

export function isArraySchema(schema: unknown): schema is { items: unknown } {
  return typeof schema === 'object' && schema !== null && 'items' in schema
}

/** `true` and `false` in any letter case, blanks around them allowed, as the reference parses; undefined where the query has none. */
export function readFlag(member: string, value: unknown): boolean | undefined {
  if (value === undefined) return undefined
  const text = typeof value === 'string' ? value.trim().toLowerCase() : ''
  if (text === 'true' || text === 'false') return text === 'true'
  throw invalidInput({ reason: 'parameterInvalid', member, expected: 'Expected true or false' })
}

/** Without the blanks around it, as an address is pasted. Line breaks stay, and are refused. */
export function withoutBlanksAround(text: string): string {
  return text.replace(/^[ \t\u00a0]+/, '').replace(/[ \t\u00a0]+$/, '')
}
