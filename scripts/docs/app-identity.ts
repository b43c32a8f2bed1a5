// The table of app.identity: every member of every manager, with its signature and its doc comment.
import ts from 'typescript'
import { commentOf, type Package, tagsOf, typeOf } from './program.js'
import { code, type Table } from './tables.js'

export function memberTable(opened: Package): Table {
  const { checker } = opened
  const rows = typeOf(opened, 'src/index.ts', 'Identity')
    .getProperties()
    .flatMap((member) => {
      const type = checker.getTypeOfSymbol(member)
      const isManager = type.getCallSignatures().length === 0 && member.name !== 'events'
      return isManager
        ? type.getProperties().map((inner) => rowOf(`${member.name}.${inner.name}`, inner, opened))
        : [rowOf(member.name, member, opened)]
    })
  return { headings: ['member', 'signature', 'what it does'], rows }
}

function rowOf(path: string, member: ts.Symbol, opened: Package): string[] {
  const notes = [
    commentOf(member, opened),
    ...tagsOf(member, 'returns', opened).map((note) => `Returns ${note}`),
    ...tagsOf(member, 'throws', opened).map((note) => `Throws ${note}`),
  ]
  return [
    code(path),
    code(signatureOf(member)),
    notes
      .filter((note) => note !== '')
      .map(sentence)
      .join(' '),
  ]
}

// As it is written in the source, where types have their short names.
function signatureOf(member: ts.Symbol): string {
  const [declaration] = member.declarations ?? []
  if (declaration && ts.isMethodSignature(declaration)) {
    const { parameters, type } = declaration
    return `(${parameters.map((one) => one.getText()).join(', ')}): ${type?.getText() ?? 'void'}`
  }
  if (declaration && ts.isPropertySignature(declaration)) return declaration.type?.getText() ?? ''
  throw new Error(`${member.name} is declared in a way that the table does not know`)
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`
}
