// Holds the type tests beside this file against the package: tsc has compiled them, so what is left to ask is whether one is missing.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import ts from 'typescript'

const project = join(import.meta.dirname, '../../..')

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string }>>
}

/** The sources of the entry points that package.json names. */
function entryPoints(): string[] {
  const { exports } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as Manifest // our own
  return Object.values(exports).flatMap((entry) =>
    typeof entry === 'string' ? [] : [entry.types.replace(/^\.\/dist\/(.*)\.d\.ts$/, '$1.ts')],
  )
}

function exportsOf(program: ts.Program, file: string): string[] {
  const checker = program.getTypeChecker()
  const source = program.getSourceFile(join(project, file))!
  return checker.getExportsOfModule(checker.getSymbolAtLocation(source)!).map(({ name }) => name)
}

/** The names that a type test uses: imports alone count for nothing. */
function namesUsed(file: string): string[] {
  const source = ts.createSourceFile(
    file,
    readFileSync(join(import.meta.dirname.replace('/dist/', '/'), file), 'utf8'),
    ts.ScriptTarget.Latest,
  )
  const renamed = new Map<string, string>()
  const names: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      if (node.importClause?.name) renamed.set(node.importClause.name.text, 'default')
      return
    }
    if (ts.isIdentifier(node)) names.push(renamed.get(node.text) ?? node.text)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return names
}

test('every name that the package exports has a type test', () => {
  const files = entryPoints()
  assert.ok(files.includes('src/index.ts'))
  const program = ts.createProgram(
    files.map((file) => join(project, file)),
    { module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2022, skipLibCheck: true },
  )
  const tests = readdirSync(join(project, 'test/types')).filter(
    (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
  )
  const used = new Set(tests.flatMap(namesUsed))
  const untested = files.flatMap((file) =>
    exportsOf(program, file)
      .filter((name) => !used.has(name))
      .map((name) => `${file}: ${name}`),
  )
  assert.deepEqual(untested, [])
})
