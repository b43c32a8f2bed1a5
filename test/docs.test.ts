// The documents held against the code: each table of README.md against what it lists, its code against the package's types, and every
// file that a document names against the folder. Nothing is left out by a list of exceptions.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import type { RouteOptions } from 'fastify'
import pg from 'pg'
import ts from 'typescript'
import { hookNames } from '../src/accounts/users/hooks.js'
import { usageOf } from '../src/cli/help.js'
import { commands } from '../src/cli/run.js'
import * as errors from '../src/errors.js'
import { requirementsOf } from '../src/http/authorize.js'
import { optionsSchema, resolveOptions } from '../src/options.js'
import { hasherOptions } from '../src/passwords/options.js'
import * as testing from '../src/testing/index.js'
import { costOf, limitsOf, thisMachine } from '../src/passwords/hasher-options.js'
import { startApp } from './support/app.js'
import { freshDatabase } from './support/postgres.js'

const project = join(import.meta.dirname, '../..')
const readme = readFileSync(join(project, 'README.md'), 'utf8')
const documents = ['', 'docs/'].flatMap((folder) =>
  readdirSync(join(project, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => folder + name),
)

/** The cells of the table whose first heading is `heading`, without its two heading lines. */
function tableOf(heading: string): string[][] {
  const lines = readme.split('\n')
  const starts = lines.flatMap((line, index) => (cellsOf(line)[0] === heading ? [index] : []))
  return starts.flatMap((start) => {
    const end = lines.findIndex((line, index) => index > start && !line.startsWith('|'))
    return lines.slice(start + 2, end).map(cellsOf)
  })
}

function cellsOf(line: string): string[] {
  return line.startsWith('|')
    ? line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('\\|', '|'))
    : []
}

const options = tableOf('option')

/** What stands in backticks. */
function codes(cell: string): string[] {
  return Array.from(cell.matchAll(/`([^`]+)`/g), ([, code]) => code!)
}

function sorted(list: Iterable<string>): string[] {
  return Array.from(list).sort()
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly anyOf?: readonly Schema[]
  readonly items?: Schema
}

/** The names of a schema's leaves, `outer.inner`. What may also be something else than an object is listed itself, too. */
function leavesOf(schema: unknown, path = ''): string[] {
  const { properties = {} } = schema as Schema // TypeBox makes JSON Schema
  return Object.entries(properties).flatMap(([name, member]) => {
    const here = path + name
    if (member.properties === undefined)
      return [here, ...(member.anyOf ?? []).flatMap((one) => leavesOf(one, `${here}.`))]
    const row = options.find(([option]) => option === `\`${here}\``)
    if (row === undefined) return leavesOf(member, `${here}.`)
    // One row for all, as for switches of one kind: then it names each.
    assert.deepEqual(
      Object.keys(member.properties).filter((one) => !codes(row[2]!).includes(one)),
      [],
      `${here} does not name all its members`,
    )
    return [here]
  })
}

function at(object: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (value, name) => (typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined),
      object,
    )
}

test('every option is a row of the README, and every row an option', () => {
  const known = [...leavesOf(optionsSchema), ...leavesOf(hasherOptions).map((name) => `password.hasher.${name}`)]
  assert.deepEqual(sorted(options.flatMap(([option]) => codes(option!))), sorted(known))
})

test('the README states the default of every option that has a plain one', () => {
  const { maxWaitSeconds } = limitsOf({}, thisMachine())
  const resolved = resolveOptions({}, {})
  const hasher = { ...costOf({}), maxWaitSeconds }
  let plain = 0
  for (const [option, stated] of options) {
    const path = codes(option!)[0]!
    const value = path.startsWith('password.hasher.')
      ? at(hasher, path.slice('password.hasher.'.length))
      : at(resolved, path)
    assert.notEqual(stated, '', `${path} states no default`)
    if (!['string', 'number', 'boolean'].includes(typeof value)) continue
    const literal = typeof value === 'string' ? `'${value}'` : String(value)
    assert.ok(codes(stated!).includes(literal), `${path}: the default is ${literal}, stated is ${stated!}`)
    plain++
  }
  assert.ok(plain > 30, `only ${plain} defaults were compared`)
})

function membersOf(schema: Schema | undefined): string[] {
  const object =
    schema?.properties === undefined ? schema?.anyOf?.find(({ properties }) => properties !== undefined) : schema
  return Object.keys(object?.properties ?? {}).map((name) =>
    object?.required?.includes(name) === true ? name : `${name}?`,
  )
}

test('every route of the plugin is a row of the README, with its caller, input and answer', async (t) => {
  const routes: RouteOptions[] = []
  const plugin = await startApp({
    identity: { prefix: '' },
    before: (app) =>
      app.addHook('onRoute', (route) => {
        if (route.schema?.hide !== true) routes.push(route)
      }),
  })
  t.after(() => plugin.close())
  const known = routes.map((route) => {
    const { querystring, params, body, response } = route.schema as Record<string, Schema | undefined> // ours are TypeBox
    const answer = (response as unknown as Record<number, Schema>)[200]!
    return {
      route: `${String(route.method)} ${route.url}`,
      caller: [route.onRequest].flat().some((hook) => requirementsOf(hook) !== null) ? 'signed in' : 'anybody',
      query: [...membersOf(querystring), ...membersOf(params)],
      body: membersOf(body),
      answer: membersOf(answer.items ?? answer),
    }
  })
  const stated = tableOf('route').map(([route, caller, query, body, answer]) => ({
    route: codes(route!)[0]!,
    caller: caller!,
    query: codes(query!),
    body: codes(body!),
    answer: codes(answer!),
  }))
  const byRoute = (a: { route: string }, b: { route: string }) => (a.route < b.route ? -1 : 1)
  assert.deepEqual(stated.sort(byRoute), known.sort(byRoute))
})

// Every constructor of @fastify/error that errors.ts exports, made with words for whatever its message takes.
type Thrown = new (...words: string[]) => Error & { readonly code: string; readonly statusCode: number }
const isThrown = (value: unknown): value is Thrown => typeof value === 'function' && value.prototype instanceof Error
const thrown = Object.values(errors as Record<string, unknown>)
  .filter(isThrown)
  .map((Constructor) => new Constructor('one', 'two', 'three'))

test('everything that the testing entry point gives is a row of the README', () => {
  assert.deepEqual(
    tableOf('of the entry point').map(([name]) => codes(name!)[0]),
    Object.keys(testing).sort(),
  )
})

test('every command of the bin is a row of the README, with its flags', () => {
  assert.deepEqual(
    tableOf('command').map(([command, flags]) => [...codes(command!), ...codes(flags!)]),
    commands.map((command) => [usageOf(command), ...Object.keys(command.options ?? {}).map((name) => `--${name}`)]),
  )
})

test('every error that is thrown is a row of the README, with its status and a remedy', () => {
  const rows = tableOf('code').filter(([code]) => codes(code!)[0]!.startsWith('FST_IDENTITY_'))
  assert.deepEqual(
    sorted(rows.map(([code, status]) => `${codes(code!)[0]!} ${status!}`)),
    sorted(thrown.map(({ code, statusCode }) => `${code} ${statusCode}`)),
  )
  assert.deepEqual(
    rows.filter(([, , when, remedy]) => when === '' || remedy === ''),
    [],
  )
})

test('every code in answers is a row of the README, in its words', () => {
  const rows = tableOf('code').filter(([code]) => !codes(code!)[0]!.startsWith('FST_IDENTITY_'))
  assert.deepEqual(
    sorted(rows.map(([code, message]) => `${codes(code!)[0]!}: ${message!}`)),
    sorted(errors.errorCodes.map((code) => `${code}: ${errors.describeError(code, ['{0}'])}`)),
  )
})

function testFiles(): string[] {
  return readdirSync(join(project, 'test'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
    .map((entry) => relative(project, join(entry.parentPath, entry.name)))
}

test('every code is mentioned by another test', () => {
  const text = testFiles()
    .filter((file) => file !== 'test/docs.test.ts')
    .map((file) => readFileSync(join(project, file), 'utf8'))
    .join('\n')
  const all = [...thrown.map(({ code }) => code), ...errors.errorCodes]
  assert.deepEqual(
    all.filter((code) => !new RegExp(`\\b${code}\\b`).test(text)),
    [],
  )
})

interface Block {
  readonly language: string
  readonly code: string
}

function blocksOf(text: string): Block[] {
  return Array.from(text.matchAll(/^```(.*)\n([^]*?)^```$/gm), ([, language, code]) => ({
    language: language!,
    code: code!,
  }))
}

// A program as a host would have it, beside this package so that it finds it by its name. One file asks for the types of the tables.
const asked = `
import type { FastifyRequest } from 'fastify'
import type { Identity, Requirements } from 'fastify-identity'
export declare const principal: NonNullable<FastifyRequest['identity']>
export declare const host: Identity
export declare const requirements: Requirements
`

function compile(sources: readonly string[]): { program: ts.Program; files: readonly string[] } {
  const { config } = ts.readConfigFile(join(project, 'tsconfig.json'), (file) => ts.sys.readFile(file)) as {
    config: { compilerOptions: object }
  }
  const { options: compilerOptions } = ts.convertCompilerOptionsFromJson(
    { ...config.compilerOptions, noEmit: true, rootDir: project },
    project,
  )
  const files = sources.map((_, index) => join(project, `readme-${index}.mts`))
  const disk = ts.createCompilerHost(compilerOptions)
  const host: ts.CompilerHost = {
    ...disk,
    fileExists: (file) => files.includes(file) || disk.fileExists(file),
    readFile: (file) => (files.includes(file) ? sources[files.indexOf(file)] : disk.readFile(file)),
    // The host's own way to a source reads the disk.
    getSourceFile: (file, version) =>
      files.includes(file)
        ? ts.createSourceFile(file, sources[files.indexOf(file)]!, version)
        : disk.getSourceFile(file, version),
  }
  return { program: ts.createProgram(files, compilerOptions, host), files }
}

const blocks = documents.flatMap((name) =>
  blocksOf(readFileSync(join(project, name), 'utf8')).map((block) => ({ name, ...block })),
)
const compiled = compile([
  asked,
  ...blocks.filter(({ language }) => language === 'js' || language === 'ts').map(({ code }) => code),
])

test('every piece of code in the documents is told by its language, and that of JavaScript and TypeScript compiles', () => {
  assert.deepEqual(
    blocks.filter(({ language }) => !['js', 'ts', 'sh', 'sql', 'text'].includes(language)),
    [],
  )
  assert.ok(compiled.files.length > 3)
  const faults = compiled.files.flatMap((file) => {
    const source = compiled.program.getSourceFile(file)
    return [...compiled.program.getSyntacticDiagnostics(source), ...compiled.program.getSemanticDiagnostics(source)]
  })
  assert.deepEqual(
    faults.map(
      ({ file, start, messageText }) =>
        `${ts.flattenDiagnosticMessageText(messageText, ' ')} in: ${file?.text.slice(start).split('\n')[0] ?? ''}`,
    ),
    [],
  )
})

/** The members of an exported constant of `asked`, and of those of its members whose names are given. */
function typesOf(name: string, within: readonly string[] = []): string[] {
  const checker = compiled.program.getTypeChecker()
  const source = compiled.program.getSourceFile(compiled.files[0]!)!
  const constant = checker
    .getExportsOfModule(checker.getSymbolAtLocation(source)!)
    .find((symbol) => symbol.name === name)!
  return checker
    .getTypeOfSymbol(constant)
    .getProperties()
    .flatMap((member) =>
      within.includes(member.name)
        ? checker
            .getTypeOfSymbol(member)
            .getProperties()
            .map((inner) => `${member.name}.${inner.name}`)
        : [member.name],
    )
}

test('every member of request.identity and app.identity is a row of the README', () => {
  const stated = tableOf('member').flatMap(([member]) => codes(member!))
  // Whatever is a manager has rows of its own; an emitter's and a function's members are no business of ours.
  const managers = typesOf('host').filter((name) => stated.some((row) => row.startsWith(`${name}.`)))
  assert.deepEqual(sorted(stated), sorted([...typesOf('principal'), ...typesOf('host', managers)]))
})

test('every rule of a guard is a row of the README', () => {
  assert.deepEqual(sorted(tableOf('rule').flatMap(([rule]) => codes(rule!))), sorted(typesOf('requirements')))
})

test('every event is a row of the README', () => {
  const sources = readdirSync(join(project, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  )
  const text = sources.map((name) => readFileSync(join(project, 'src', name), 'utf8')).join('\n')
  const named = Array.from(text.matchAll(/\bemit\('(\w+)'/g), ([, name]) => name!)
  // Every hook but those before a change has an event of its name.
  const known = new Set([...named, ...hookNames.filter((name) => !name.endsWith('ing'))])
  assert.deepEqual(sorted(tableOf('event').flatMap(([event]) => codes(event!))), sorted(known))
})

test('every file that a document names is there', () => {
  const missing = documents.flatMap((name) => {
    const text = readFileSync(join(project, name), 'utf8')
    const links = Array.from(text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g), ([, target]) => target!)
    const paths = Array.from(
      text.matchAll(/`((?:src|test|migrations|examples|bench)\/[\w./-]*)`/g),
      ([, path]) => path!,
    )
    const places = [...links.map((path) => join(dirname(name), path)), ...paths]
    return places.filter((path) => !existsSync(join(project, path))).map((path) => `${name}: ${path}`)
  })
  assert.deepEqual(missing, [])
})

test('every link within a document leads to a heading', () => {
  const broken = documents.flatMap((name) => {
    const text = readFileSync(join(project, name), 'utf8')
    const anchors = Array.from(text.matchAll(/^#+ (.*)$/gm), ([, heading]) =>
      heading!
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    )
    return Array.from(text.matchAll(/\]\(#([^)]*)\)/g), ([, anchor]) => anchor!)
      .filter((anchor) => !anchors.includes(anchor))
      .map((anchor) => `${name}: #${anchor}`)
  })
  assert.deepEqual(broken, [])
})

test('every option and member that docs/scaling.md names is there', () => {
  const text = readFileSync(join(project, 'docs/scaling.md'), 'utf8')
  const rows = [...options, ...tableOf('member')].flatMap(([name]) => codes(name!))
  const groups = new Set(rows.filter((name) => name.includes('.')).map((name) => name.split('.')[0]!))
  const named = codes(text)
    .map((code) => /^(\w+)(?:\.\w+)+/.exec(code))
    .filter((match) => match !== null && groups.has(match[1]!))
    .map((match) => match![0])
  assert.ok(named.length > 5)
  assert.deepEqual(
    named.filter((name) => !rows.includes(name)),
    [],
  )
})

test('the statements of docs/scaling.md run on the tables that the plugin makes', async (t) => {
  const database = await freshDatabase()
  const plugin = await startApp({ identity: { database, schema: 'identity' } })
  t.after(() => plugin.close())
  const client = new pg.Client(database)
  await client.connect()
  t.after(() => client.end())
  const statements = blocks.filter(({ name, language }) => name === 'docs/scaling.md' && language === 'sql')
  assert.equal(statements.length, 1)
  for (const { code } of statements) await client.query(code)
})
