// The package as the compiler sees it: the sources of the entry points that package.json names, with types and doc
// comments.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import ts from 'typescript'

export const project = join(import.meta.dirname, '../../..')

/** The source of each entry point, by its name in package.json. */
export function entryPoints(): ReadonlyMap<string, string> {
  const { exports } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { types: string }>
  } // our own
  return new Map(
    Object.entries(exports).flatMap(([name, entry]) =>
      typeof entry === 'string' ? [] : [[name, entry.types.replace(/^\.\/dist\/(.*)\.d\.ts$/, '$1.ts')]],
    ),
  )
}

export interface Package {
  readonly checker: ts.TypeChecker
  /** What an entry point exports, by name. */
  exportsOf(entry: string): ReadonlyMap<string, ts.Symbol>
  /** Writes the declarations of the sources below a folder, as the build does. */
  emitDeclarations(folder: string): void
}

export function openPackage(): Package {
  const { config } = ts.readConfigFile(join(project, 'tsconfig.json'), (file) => ts.sys.readFile(file)) as {
    config: { compilerOptions: object }
  }
  const { options } = ts.convertCompilerOptionsFromJson(
    { ...config.compilerOptions, emitDeclarationOnly: true, declarationMap: false },
    project,
  )
  const program = ts.createProgram(
    Array.from(entryPoints().values(), (file) => join(project, file)),
    options,
  )
  const checker = program.getTypeChecker()
  return {
    checker,
    exportsOf(entry) {
      const source = program.getSourceFile(join(project, entry))
      const module = source && checker.getSymbolAtLocation(source)
      if (!module) throw new Error(`${entry} is no module`)
      return new Map(
        checker
          .getExportsOfModule(module)
          .map((one) => [one.name, one.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(one) : one]),
      )
    },
    emitDeclarations(folder) {
      const dist = join(project, 'dist')
      program.emit(undefined, (file, text) => {
        const path = join(folder, relative(dist, file))
        mkdirSync(dirname(path), { recursive: true })
        writeFileSync(path, text)
      })
    },
  }
}

/** The type that an entry point exports under a name. */
export function typeOf(opened: Package, entry: string, name: string): ts.Type {
  const symbol = opened.exportsOf(entry).get(name)
  if (!symbol) throw new Error(`${entry} exports no ${name}`)
  return opened.checker.getDeclaredTypeOfSymbol(symbol)
}

/** The text of a doc comment in one line, without its tags; empty where there is none. */
export function commentOf(symbol: ts.Symbol, { checker }: Package): string {
  return oneLine(ts.displayPartsToString(symbol.getDocumentationComment(checker)))
}

/** The texts of the tags of one name, in one line each. */
export function tagsOf(symbol: ts.Symbol, name: string, { checker }: Package): string[] {
  return symbol
    .getJsDocTags(checker)
    .filter((tag) => tag.name === name)
    .map((tag) => oneLine(ts.displayPartsToString(tag.text)))
}

/** A type as a host may write it, without the `undefined` of an optional member. */
export function textOf(type: ts.Type, { checker }: Package): string {
  const flags: ts.TypeFormatFlags =
    ts.TypeFormatFlags.NoTruncation | ts.TypeFormatFlags.UseSingleQuotesForStringLiteralType
  const isNullable = type.isUnion() && type.types.some((one) => (one.flags & ts.TypeFlags.Null) !== 0)
  const text = checker.typeToString(checker.getNonNullableType(type), undefined, flags)
  return withoutFastifysParameters(text) + (isNullable ? ' | null' : '')
}

// A request of Fastify is spelled with eight type parameters, all of them defaults.
function withoutFastifysParameters(text: string): string {
  const start = /\bFastify(?:Request|Reply)</.exec(text)
  if (start === null) return text
  const from = start.index + start[0].length
  let depth = 1
  let end = from
  for (; depth > 0; end++) depth += text[end] === '<' ? 1 : text[end] === '>' && text[end - 1] !== '=' ? -1 : 0
  return withoutFastifysParameters(text.slice(0, from - 1) + text.slice(end))
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}
