// Schemas as an OpenAPI 3 document shows them: those with a title are named components and referred to, as the reference's document does, so that
// clients generated from either have the same types.

interface Components {
  schemas?: Record<string, unknown>
}

type Json = Record<string, unknown>

/** The member of a schema that says what type a document gives it: a flag of a query is read as text and is a boolean, and a null that the reference
 * answers with an error is nothing to send. */
export const documentedType = 'x-documented-type'

/** A route's schema for a document; adds what it names to the components. @param realm the decorator: another realm's differing schemas bear its name */
export function namedSchemas<Schema extends object>(
  schema: Schema,
  components: Components,
  { realm, version }: { readonly realm: string; readonly version: string },
): Schema {
  const context = { components, realm, isOld: version.startsWith('3.0') }
  const { body, ...rest } = JSON.parse(JSON.stringify(schema)) as Schema & { body?: { anyOf?: unknown } }
  const named = walk(rest, context) as Schema
  // A body that may be missing takes nothing but `{}`: a document without one is true, and clients need not send it.
  return body === undefined || body.anyOf !== undefined ? named : { ...named, body: walk(body, context) }
}

interface Context {
  readonly components: Components
  readonly realm: string
  /** Before OpenAPI 3.1: no null among types, no const. */
  readonly isOld: boolean
}

function walk(value: unknown, context: Context): unknown {
  if (Array.isArray(value)) return value.map((item) => walk(item, context))
  if (typeof value !== 'object' || value === null) return value
  const { [documentedType]: type, ...given } = value as Json
  const walked = Object.fromEntries(Object.entries(given).map(([name, member]) => [name, walk(member, context)]))
  if (type !== undefined) {
    delete walked.anyOf
    return { ...walked, type }
  }
  const { title, ...schema } = walked
  if (typeof title !== 'string' || walked.type !== 'object') return walked
  return { $ref: `#/components/schemas/${register(title, inDialect(schema, context.isOld) as Json, context)}` }
}

// TypeBox writes the schemas in JSON Schema; the components of a document are written as its version and its readers want them.
function inDialect(value: unknown, isOld: boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => inDialect(item, isOld))
  if (typeof value !== 'object' || value === null) return value
  const { anyOf, const: only, patternProperties, ...rest } = value as Json
  const schema = Object.fromEntries(Object.entries(rest).map(([name, member]) => [name, inDialect(member, isOld)]))
  if (patternProperties !== undefined)
    schema.additionalProperties = inDialect(Object.values(patternProperties as Json)[0], isOld)
  if (only !== undefined) Object.assign(schema, isOld ? { enum: [only] } : { const: only })
  if (!Array.isArray(anyOf)) return schema
  const choices = (anyOf as Json[]).filter(({ type }) => type !== 'null')
  const [choice] = choices
  if (choices.length !== 1 || choice === undefined || choices.length === anyOf.length)
    return { ...schema, anyOf: inDialect(anyOf, isOld) }
  const given = inDialect(choice, isOld) as Json
  return isOld ? { ...given, ...schema, nullable: true } : { ...given, ...schema, type: [given.type, 'null'] }
}

function register(title: string, schema: Json, { components, realm }: Context): string {
  const schemas = (components.schemas ??= {})
  const text = JSON.stringify(schema)
  const own = realm.charAt(0).toUpperCase() + realm.slice(1) + title
  for (const name of [title, own]) {
    if (schemas[name] === undefined) schemas[name] = schema
    if (JSON.stringify(schemas[name]) === text) return name
  }
  // A host that uses both names itself has the first say; ours gets a number.
  let number = 2
  while (schemas[`${own}${number}`] !== undefined && JSON.stringify(schemas[`${own}${number}`]) !== text) number++
  schemas[`${own}${number}`] = schema
  return `${own}${number}`
}
