// Reads bodies and queries as the reference's binder does: strict JSON, names in any letter case, unknown members ignored, nothing
// coerced. What it refuses is 400 with an empty body; the host's parsers, validators and their settings have no say here.
import type { TObject, TSchema } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import createError from '@fastify/error'
import type { FastifyInstance, FastifySchemaCompiler } from 'fastify'

const Malformed = createError('FST_ERR_CTP_IDENTITY_MALFORMED', 'The body is not well-formed JSON', 400)
const Invalid = createError('FST_ERR_VALIDATION', 'The request does not match its schema', 400)
const UnsupportedCharset = createError('FST_ERR_CTP_IDENTITY_CHARSET', 'The body is not UTF-8', 415)

// 16 KiB hold any request of ours; JSON deeper than 32 levels is none.
export const bodyLimit = 16 * 1024
const maxDepth = 32

/** application/json and application/*+json, whatever their parameters; everything else is 415. */
const jsonType = /^application\/(?:[\w.!#$&^-]+\+)?json\s*(?:;|$)/i
const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i

/** Replaces the parsers of a scope by one that reads JSON strictly. */
export function readJsonOnly(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser(jsonType, { parseAs: 'buffer', bodyLimit }, (request, body, done) => {
    const named = charset.exec(request.headers['content-type'] ?? '')?.[1]
    if (named !== undefined && !/^utf-?8$/i.test(named)) {
      done(new UnsupportedCharset())
      return
    }
    try {
      done(null, parse(body as Buffer)) // parseAs: 'buffer'
    } catch {
      done(new Malformed())
    }
  })
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function parse(body: Buffer): unknown {
  if (body.length === 0) return undefined
  const text = utf8.decode(body)
  if (depthOf(text) > maxDepth) throw new Malformed()
  return JSON.parse(text) as unknown
}

function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i)
    if (inString) {
      if (character === 0x5c) i++
      else if (character === 0x22) inString = false
      continue
    }
    if (character === 0x22) inString = true
    else if (character === 0x5b || character === 0x7b) deepest = Math.max(deepest, ++depth)
    else if (character === 0x5d || character === 0x7d) depth--
  }
  return deepest
}

/**
 * The members that a schema names, found in any letter case and as snake_case, the last one winning; the rest is left behind.
 * Strings must be well-formed Unicode: half a surrogate pair would be the same password as any other half.
 */
export function bind(schema: TObject, given: unknown): unknown {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return given
  const names = new Map(Object.keys(schema.properties).flatMap((name) => [[name.toLowerCase(), name], [snakeCase(name), name]]))
  const bound: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(given)) {
    const name = names.get(key.toLowerCase())
    if (name === undefined) continue
    if (typeof value === 'string' && !value.isWellFormed()) throw new Malformed()
    bound[name] = value
  }
  return bound
}

/** Compiles a scope's schemas with TypeBox: checks, and changes nothing. */
export const checkOnly: FastifySchemaCompiler<TSchema> = ({ schema }) => {
  const check = TypeCompiler.Compile(schema)
  return (value: unknown) => check.Check(value) ? { value } : { error: new Invalid() }
}

/** Writes only what the schema of an answer names, so that nothing else of an object can leave by mistake. */
export function writeOnly({ schema }: { schema: unknown }): (answer: unknown) => string {
  if (isArraySchema(schema)) {
    const write = writeOnly({ schema: schema.items })
    return (answer) => `[${(answer as unknown[]).map(write).join(',')}]` // the schema says that it is a list
  }
  if (!isObjectSchema(schema)) return (answer) => JSON.stringify(answer)
  const names = Object.keys(schema.properties)
  return (answer) => {
    const given = answer as Record<string, unknown> // the schema says that it is an object
    // A host's own field may be written in snake_case; ours are where option jsonNaming renamed them.
    const members = names.map((name) => [name, Object.hasOwn(given, name) ? given[name] : given[camelCase(name)]])
    return JSON.stringify(Object.fromEntries(members.filter(([, member]) => member !== undefined)))
  }
}

/** The schema of an answer with its members in snake_case, for hosts that name them so (option `jsonNaming`). */
export function inSnakeCase(schema: unknown): unknown {
  if (isArraySchema(schema)) return { ...schema, items: inSnakeCase(schema.items) }
  if (!isObjectSchema(schema)) return schema
  const rename = (names: readonly string[]) => names.map(snakeCase)
  const properties = Object.fromEntries(Object.entries(schema.properties).map(([name, member]) => [snakeCase(name), member]))
  return { ...schema, properties, ...(schema.required === undefined ? {} : { required: rename(schema.required) }) }
}

/** An object with its members named as option `jsonNaming` says, where no schema of an answer does it. */
export function named(answer: object, naming: 'camelCase' | 'snake_case'): object {
  return naming === 'camelCase' ? answer : Object.fromEntries(Object.entries(answer).map(([name, member]) => [snakeCase(name), member as unknown]))
}

function isObjectSchema(schema: unknown): schema is TObject {
  return typeof schema === 'object' && schema !== null && 'properties' in schema
}

function isArraySchema(schema: unknown): schema is { items: unknown } {
  return typeof schema === 'object' && schema !== null && 'items' in schema
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

/** `true` and `false` in any letter case, blanks around them allowed, as the reference parses; undefined where the query has none. */
export function readFlag(value: unknown): boolean | undefined {
  if (value === undefined) return undefined
  const text = typeof value === 'string' ? value.trim().toLowerCase() : ''
  if (text === 'true' || text === 'false') return text === 'true'
  throw new Malformed()
}
