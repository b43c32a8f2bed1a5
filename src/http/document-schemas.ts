// Schemas as a document shows them. In OpenAPI 3 those with a title are named components and referred to, as the reference's document does, so
// that clients generated from either have the same types. Swagger 2 has no content types by answer, no null and no unions.

interface Components {
  schemas?: Record<string, unknown>
}

type Json = Record<string, unknown>

/** The member of a schema that says what type a document gives it: a flag of a query is read as text and is a boolean, and a null that the reference
 * answers with an error is nothing to send. */
export const documentedType = 'x-documented-type'

interface Context {
  /** Null where nothing is named: in Swagger 2. */
  readonly components: Components | null
  readonly realm: string
  /** The member that stands for null among the types; `type` lists null from OpenAPI 3.1 on. */
  readonly nullable: 'nullable' | 'x-nullable' | 'type'
}

/** A route's schema for a document of OpenAPI 3; adds what it names to the components. @param realm the decorator: another realm's differing schemas bear its name */
export function namedSchemas<Schema extends object>(
  schema: Schema,
  components: Components,
  { realm, version }: { readonly realm: string; readonly version: string },
): Schema {
  const context: Context = { components, realm, nullable: version.startsWith('3.0') ? 'nullable' : 'type' }
  return routeSchema(schema, context, (response) => answersByType(response, context))
}

/** A route's schema for a document of Swagger 2. */
export function swagger2Schemas<Schema extends object>(schema: Schema): Schema {
  const context: Context = { components: null, realm: '', nullable: 'x-nullable' }
  const types = new Set<string>()
  const shown = routeSchema(schema, context, (response) => plainAnswers(response, context, types))
  return { ...shown, produces: [...types] }
}

function routeSchema<Schema extends object>(
  schema: Schema,
  context: Context,
  answersOf: (response: Json) => Json,
): Schema {
  const { body, response, ...rest } = JSON.parse(JSON.stringify(schema)) as Json // a route's schema is an object
  const { querystring, params } = rest as { querystring?: Json; params?: Json } // TypeBox objects
  return {
    ...rest,
    ...(querystring !== undefined && { querystring: documented(querystring, context) }),
    ...(params !== undefined && { params: documented(params, context) }),
    // A body that may be missing takes nothing but `{}`: a document without one is true, and clients need not send it.
    ...(isObject(body) && body.anyOf === undefined && { body: documented(body, context) }),
    response: answersOf(response as Json),
  } as Schema // the same members, shown differently
}

interface DeclaredAnswer extends Json {
  readonly description?: string
  readonly content?: Record<string, { readonly schema: unknown }>
}

// The description of a bare schema is that of the answer: the component it names is described by its members.
function answersByType(response: Json, context: Context): Json {
  return mapped(response, (given) => {
    const { description, content, ...schema } = given as DeclaredAnswer
    if (content === undefined && schema.type === 'null') return given
    const byType = content ?? { 'application/json': { schema } }
    return { description, content: mapped(byType, ({ schema: own }) => ({ schema: documented(own, context) })) }
  })
}

function plainAnswers(response: Json, context: Context, types: Set<string>): Json {
  return mapped(response, (given) => {
    const { description, content, ...schema } = given as DeclaredAnswer
    if (content === undefined && schema.type === 'null') return given
    const [[type, { schema: own }] = ['application/json', { schema }]] = Object.entries(content ?? {})
    types.add(type)
    return { ...(documented(own, context) as Json), description }
  })
}

// Keywords whose members are schemas by name, not keywords.
const maps = new Set(['properties', 'definitions', '$defs', 'dependentSchemas'])

/** TypeBox writes JSON Schema; a document has it as its version and its readers want it. */
function documented(value: unknown, context: Context): unknown {
  if (Array.isArray(value)) return value.map((item) => documented(item, context))
  if (!isObject(value)) return value
  const { [documentedType]: shownType, anyOf, const: only, patternProperties, ...given } = value
  const schema: Json = Object.fromEntries(
    Object.entries(given).map(([name, member]) => [
      name,
      maps.has(name) && isObject(member)
        ? mapped(member, (one) => documented(one, context))
        : documented(member, context),
    ]),
  )
  if (shownType !== undefined) {
    delete schema.pattern
    return { ...schema, type: shownType }
  }
  if (isObject(patternProperties))
    schema.additionalProperties = documented(Object.values(patternProperties)[0], context)
  if (only !== undefined) Object.assign(schema, context.nullable === 'type' ? { const: only } : { enum: [only] })
  if (Array.isArray(anyOf)) return union(anyOf as Json[], schema, context) // JSON Schema has no other
  const { title, ...untitled } = schema
  if (typeof title !== 'string' || schema.type !== 'object' || context.components === null) return schema
  return { $ref: `#/components/schemas/${register(title, untitled, context.components, context.realm)}` }
}

function union(anyOf: readonly Json[], schema: Json, context: Context): Json {
  const choices = anyOf.filter(({ type }) => type !== 'null')
  const hasNull = choices.length < anyOf.length
  const [first] = choices
  if (first !== undefined && !hasNull && choices.every(({ const: only }) => typeof only === 'string'))
    return { ...schema, type: 'string', enum: choices.map(({ const: only }) => only) }
  const one = choices.length === 1 ? (documented(first, context) as Json) : null
  const isNullable = hasNull && context.nullable !== 'type'
  if (hasNull && one !== null && typeof one.type === 'string')
    return { ...one, ...schema, ...(isNullable ? { [context.nullable]: true } : { type: [one.type, 'null'] }) }
  if (context.nullable === 'x-nullable') return { ...schema, ...(hasNull && { 'x-nullable': true }) }
  return {
    ...schema,
    ...(isNullable && { nullable: true }),
    anyOf: documented(isNullable ? choices : anyOf, context),
  }
}

function register(title: string, schema: Json, components: Components, realm: string): string {
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

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function mapped<Value>(object: Readonly<Record<string, Value>>, map: (value: Value) => unknown): Json {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, map(value)]))
}
