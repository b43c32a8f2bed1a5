// What an editor shows for each option: its quick info, from the declarations that the package ships.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import ts from 'typescript'
import { optionLeaves, type Option } from '../../scripts/docs/options.js'

const project = join(import.meta.dirname, '../../..')
const leaves = optionLeaves()

/** A host that sets one option; the name of the option is what comes before the last colon. */
function settingOf({ path }: Option): string {
  return path.split('.').reduceRight((inner, part) => {
    return part.endsWith('[]') ? `{ ${part.slice(0, -2)}: [${inner}] }` : `{ ${part}: ${inner} }`
  }, 'value')
}

// Beside this package, so that it finds it by its name.
const host = join(project, 'options-of-a-host.mts')
const head = "import type { IdentityOptions } from 'fastify-identity'\ndeclare const value: never\n"
const lines = leaves.map((option, index) => `export const chosen${index}: IdentityOptions = ${settingOf(option)}\n`)
const program = head + lines.join('')

function openService(): ts.LanguageService {
  const { config } = ts.readConfigFile(join(project, 'tsconfig.json'), (file) => ts.sys.readFile(file)) as {
    config: { compilerOptions: object }
  }
  const { options } = ts.convertCompilerOptionsFromJson({ ...config.compilerOptions, noEmit: true }, project)
  const read = (file: string) => (file === host ? program : ts.sys.readFile(file))
  return ts.createLanguageService({
    getCompilationSettings: () => options,
    getScriptFileNames: () => [host],
    getScriptVersion: () => '1',
    getScriptSnapshot(file) {
      const text = read(file)
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text)
    },
    getCurrentDirectory: () => project,
    getDefaultLibFileName: (given) => ts.getDefaultLibFilePath(given),
    fileExists: (file) => file === host || ts.sys.fileExists(file),
    readFile: read,
    readDirectory: (path) => ts.sys.readDirectory(path),
    directoryExists: (path) => ts.sys.directoryExists(path),
    getDirectories: (path) => ts.sys.getDirectories(path),
  })
}

interface Shown {
  readonly text: string
  readonly stated: string
}

/** The documentation and the tag `@default` of the option that a line of the host sets. */
function shownFor(service: ts.LanguageService, index: number): Shown {
  const start = head.length + lines.slice(0, index).join('').length
  const info = service.getQuickInfoAtPosition(host, start + lines[index]!.lastIndexOf(': ') - 1)
  return {
    text: ts.displayPartsToString(info?.documentation),
    stated: ts.displayPartsToString(info?.tags?.find(({ name }) => name === 'default')?.text),
  }
}

function literal(value: unknown): string | null {
  if (typeof value === 'string') return `\`'${value}'\``
  return ['number', 'boolean'].includes(typeof value) ? `\`${String(value)}\`` : null
}

test('an editor shows the meaning of every option, and a default that is the one of its schema', () => {
  const service = openService()
  const mute: string[] = []
  const wrong: string[] = []
  let plain = 0
  for (const [index, { path, schema }] of leaves.entries()) {
    const { text, stated } = shownFor(service, index)
    // A sentence, not a repetition of the name.
    if (!/^\S.{15,}[.?]$/s.test(text) || stated === '') {
      mute.push(path)
      continue
    }
    const { default: fallback, hardened } = schema as { default?: unknown; hardened?: unknown } // what `defaulted` wrote
    for (const value of [fallback, hardened].map(literal).filter((one) => one !== null)) {
      if (!stated.includes(value)) wrong.push(`${path}: @default ${value}, not ${stated}`)
      plain++
    }
  }
  service.dispose()
  assert.deepEqual(mute, [], 'write a doc comment of a sentence and @default in the schema of these options')
  assert.deepEqual(wrong, [], 'state the default of the schema in the doc comments of these options')
  assert.ok(plain > 40, `only ${plain} defaults were compared`)
  assert.ok(leaves.length > 80, `there are only ${leaves.length} options`)
})
