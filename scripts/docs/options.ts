// The table of options: a row for each leaf of the schemas, with the type and the doc comment that an editor shows for
// it.
import { Kind, type TSchema } from '@sinclair/typebox'
import ts from 'typescript'
import { optionsSchema } from '../../src/options.js'
import { isGroup } from '../../src/option-schema.js'
import { hasherOptions } from '../../src/passwords/options.js'
import { commentOf, type Package, tagsOf, textOf, typeOf } from './program.js'
import { code, type Table } from './tables.js'

export interface Option {
  /** `group.name`; `keys[].id` for a member of an element. */
  readonly path: string
  readonly schema: TSchema
}

/** Every option that is not just a group of others. */
export function optionLeaves(): Option[] {
  return Object.entries<TSchema>(optionsSchema.properties).flatMap(([name, schema]) => leavesOf(name, schema))
}

function leavesOf(path: string, schema: TSchema): Option[] {
  const members = path === 'password.hasher' ? hasherOptions : membersOf(schema)
  const element = schema[Kind] === 'Array' ? '[]' : ''
  const inner = Object.entries<TSchema>((members?.properties as Record<string, TSchema> | undefined) ?? {}) // of an object
  return [
    ...(isGroup(schema) ? [] : [{ path, schema }]),
    ...inner.flatMap(([name, member]) => leavesOf(`${path}${element}.${name}`, member)),
  ]
}

// An object itself, or the one that a list or a union has.
function membersOf(schema: TSchema): TSchema | undefined {
  if (schema[Kind] === 'Object') return schema
  const inner = (schema[Kind] === 'Array' ? [schema.items] : (schema.anyOf ?? [])) as TSchema[] // TypeBox makes JSON Schema
  return inner.find((one) => one[Kind] === 'Object')
}

/** The member of IdentityOptions that declares an option. */
export function symbolOf({ path }: Option, opened: Package): ts.Symbol {
  const { checker } = opened
  let type = typeOf(opened, 'src/index.ts', 'IdentityOptions')
  let found: ts.Symbol | undefined
  for (const part of path.split('.')) {
    const name = part.replace('[]', '')
    found = (type.isUnion() ? type.types : [type]).map((one) => one.getProperty(name)).find((one) => one !== undefined)
    if (found === undefined) throw new Error(`IdentityOptions has no ${path}`)
    type = checker.getTypeOfSymbol(found)
    if (part.endsWith('[]')) type = elementOf(type, checker)
  }
  return found!
}

function elementOf(type: ts.Type, checker: ts.TypeChecker): ts.Type {
  return checker.getIndexTypeOfType(checker.getNonNullableType(type), ts.IndexKind.Number)!
}

export function optionTable(opened: Package): Table {
  const { checker } = opened
  return {
    headings: ['option', 'type', 'default', 'meaning'],
    rows: optionLeaves().map((option) => {
      const symbol = symbolOf(option, opened)
      return [
        code(option.path),
        code(textOf(checker.getTypeOfSymbol(symbol), opened)),
        tagsOf(symbol, 'default', opened).join(' '),
        commentOf(symbol, opened),
      ]
    }),
  }
}
