// The TypeScript files of this repository and their imports, for the tests that hold its structure.
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join, posix, relative } from 'node:path'
import ts from 'typescript'

export const project = join(import.meta.dirname, '../..')

/** Stands for an import whose target is computed. */
export const computed = '(computed)'

export interface Import {
  readonly from: string
  /** A file of the project by its path from the root on, a package by its name. */
  readonly to: string
  /** Whether it is gone once the types are. */
  readonly isOfTypes: boolean
}

/** The TypeScript files below a folder of the project, but for the packages of others that lie there. */
export function filesBelow(folder: string): string[] {
  return readdirSync(join(project, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(project, join(entry.parentPath, entry.name)))
    .filter((file) => !/^(bench\/rivals|test\/consumer)\//.test(file) && !file.includes('node_modules/'))
}

export function parse(file: string): ts.SourceFile {
  return ts.createSourceFile(file, readFileSync(join(project, file), 'utf8'), ts.ScriptTarget.Latest, true)
}

/** Imports and exports of a file, those of types too. */
export function importsOf(file: string): Import[] {
  const found: Import[] = []
  const visit = (node: ts.Node): void => {
    const name =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
          ? node.argument.literal
          : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
            ? node.arguments[0]
            : undefined
    if (name) {
      const to = ts.isStringLiteral(name) ? resolved(file, name.text) : computed
      found.push({ from: file, to, isOfTypes: isOfTypes(node) })
    }
    ts.forEachChild(node, visit)
  }
  visit(parse(file))
  return found
}

function isOfTypes(node: ts.Node): boolean {
  if (ts.isImportTypeNode(node)) return true
  if (ts.isExportDeclaration(node)) return node.isTypeOnly
  if (!ts.isImportDeclaration(node) || node.importClause === undefined) return false
  const { phaseModifier, name, namedBindings } = node.importClause
  if (phaseModifier === ts.SyntaxKind.TypeKeyword) return true
  return (
    name === undefined &&
    namedBindings !== undefined &&
    ts.isNamedImports(namedBindings) &&
    namedBindings.elements.every((element) => element.isTypeOnly)
  )
}

function resolved(file: string, name: string): string {
  return name.startsWith('.') ? posix.join(dirname(file), name).replace(/\.js$/, '.ts') : name
}

/** Imports in circles: those that are left when files that import none of the others, or are imported by none, are removed. */
export function circlesOf(imports: readonly Import[]): readonly Import[] {
  let left = imports
  for (;;) {
    const importing = new Set(left.map(({ from }) => from))
    const imported = new Set(left.map(({ to }) => to))
    const bound = left.filter(({ from, to }) => importing.has(to) && imported.has(from))
    if (bound.length === left.length) return left
    left = bound
  }
}

/** The longest way from import to import; without circles. */
export function deepestChain(imports: readonly Import[]): readonly string[] {
  const targets = new Map<string, string[]>()
  for (const { from, to } of imports) targets.set(from, [...(targets.get(from) ?? []), to])
  const known = new Map<string, readonly string[]>()
  const from = (file: string): readonly string[] => {
    const before = known.get(file)
    if (before !== undefined) return before
    const below = (targets.get(file) ?? []).map(from)
    const chain = [file, ...below.reduce((longest, one) => (one.length > longest.length ? one : longest), [])]
    known.set(file, chain)
    return chain
  }
  return [...targets.keys()].map(from).reduce((longest, one) => (one.length > longest.length ? one : longest), [])
}

export interface FunctionSize {
  readonly name: string
  readonly file: string
  readonly lines: number
}

/** Every function of a file, with the lines from its first to its last. */
export function functionsOf(file: string): FunctionSize[] {
  const source = parse(file)
  const found: FunctionSize[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const lineAt = (position: number) => source.getLineAndCharacterOfPosition(position).line
      found.push({ name: nameOf(node), file, lines: lineAt(node.end) - lineAt(node.getStart(source)) + 1 })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

function nameOf(node: ts.Node): string {
  if ('name' in node && node.name !== undefined) return (node.name as ts.Node).getText()
  const { parent } = node
  return ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent) ? parent.name.getText() : 'a function'
}
