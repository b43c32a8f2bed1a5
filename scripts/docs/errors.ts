// The tables of errors: those that are thrown, with the remedy of their doc comments, and the codes in answers.
import ts from 'typescript'
import * as errors from '../../src/errors.js'
import { commentOf, type Package, tagsOf } from './program.js'
import { code, type Table } from './tables.js'

const source = 'src/errors.ts'

/** The members of the object whose keys are a union of codes, by code. */
function codesOf(opened: Package, exported: string): ReadonlyMap<string, ts.Symbol> {
  const declaration = opened.exportsOf(source).get(exported)?.declarations?.[0]
  // `keyof typeof messages` names the object.
  if (!declaration || !ts.isTypeAliasDeclaration(declaration) || !ts.isTypeOperatorNode(declaration.type))
    throw new Error(`${exported} is not keyof typeof an object`)
  const type = opened.checker.getTypeFromTypeNode(declaration.type.type)
  return new Map(type.getProperties().map((member) => [member.name, member]))
}

export function thrownTable(opened: Package): Table {
  const members = codesOf(opened, 'FastifyIdentityErrorCode')
  return {
    headings: ['code', 'status', 'when', 'remedy'],
    rows: errors.thrownCodes.map((name) => {
      const member = members.get(name)!
      const [remedy = ''] = tagsOf(member, 'remedy', opened)
      return [code(name), String(errors.statusOf(name)), commentOf(member, opened), remedy]
    }),
  }
}

export function codeTable(opened: Package): Table {
  const members = codesOf(opened, 'IdentityErrorCode')
  return {
    headings: ['code', 'message', 'from'],
    rows: errors.errorCodes.map((name) => [
      code(name),
      errors.describeError(name, ['{0}']),
      commentOf(members.get(name)!, opened),
    ]),
  }
}
