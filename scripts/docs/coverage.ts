// How much of the public API has a doc comment: what the entry points export, and the members of exported types.
import ts from 'typescript'
import { commentOf, entryPoints, type Package, project } from './program.js'

export interface Coverage {
  readonly count: number
  /** Names without a doc comment: `export` or `Export.member`. */
  readonly missing: readonly string[]
}

export function coverageOf(opened: Package): { readonly exports: Coverage; readonly members: Coverage } {
  const exported = Array.from(entryPoints().values(), (entry) =>
    Array.from(opened.exportsOf(entry), ([name, symbol]) => [`${entry} ${name}`, symbol] as const),
  ).flat()
  const members = new Map(exported.flatMap(([name, symbol]) => membersOf(name, symbol, opened)))
  return { exports: measured(new Map(exported), opened), members: measured(members, opened) }
}

function measured(symbols: ReadonlyMap<string, ts.Symbol>, opened: Package): Coverage {
  const missing = Array.from(symbols).flatMap(([name, symbol]) => (isDocumented(symbol, opened) ? [] : [name]))
  return { count: symbols.size, missing }
}

function isDocumented(symbol: ts.Symbol, opened: Package): boolean {
  return commentOf(symbol, opened) !== ''
}

// Those that the sources of this package declare: an error's message and an array's length are described elsewhere.
function membersOf(name: string, symbol: ts.Symbol, { checker }: Package): [string, ts.Symbol][] {
  if ((symbol.flags & ts.SymbolFlags.Type) === 0) return []
  const type = checker.getDeclaredTypeOfSymbol(symbol)
  const alternatives = type.isUnion() ? type.types : [type]
  const ours = (member: ts.Symbol) =>
    (member.declarations ?? []).some((one) => {
      const { fileName } = one.getSourceFile()
      return fileName.startsWith(project) && !fileName.includes('/node_modules/')
    })
  return alternatives.flatMap((one, index) =>
    one
      .getProperties()
      .filter(ours)
      .map((member): [string, ts.Symbol] => [`${name}${index === 0 ? '' : ` (${index})`}.${member.name}`, member]),
  )
}
