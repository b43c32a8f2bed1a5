// The documents compared with the code: each table with what it lists, and each piece of code with the package's types.
// There is no list of exceptions. Links are test/docs/links.test.ts; the commands of the README are run by
// test/docs/readme.test.ts.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { test } from 'node:test'
import type { RouteOptions } from 'fastify'
import pg from 'pg'
import ts from 'typescript'
import { hookNames } from '../src/accounts/users/hooks.js'
import { usageOf } from '../src/cli/help.js'
import { commands } from '../src/cli/run.js'
import * as errors from '../src/errors.js'
import { requirementsOf } from '../src/http/authorize.js'
import { resolveOptions } from '../src/options.js'
import * as testing from '../src/testing/index.js'
import { costOf, limitsOf, thisMachine } from '../src/passwords/hasher-options.js'
import { startApp } from './support/app.js'
import { freshDatabase } from './support/postgres.js'

const project = join(import.meta.dirname, '../..')
const documents = ['', 'docs/'].flatMap((folder) =>
  readdirSync(join(project, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => folder + name),
)

/** The cells of the tables of a page of docs/ whose first heading is `heading`, without their two heading lines. */
function tableOf(page: string, heading: string): string[][] {
  const lines = readFileSync(join(project, 'docs', page), 'utf8').split('\n')
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

const options = tableOf('options.md', 'option')
const members = [...tableOf('guards.md', 'member'), ...tableOf('app-identity.md', 'member')]

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

function at(object: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (value, name) => (typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined),
      object,
    )
}

test('docs/options.md states the default of every option that has a plain one', () => {
  const { maxWaitSeconds } = limitsOf({}, thisMachine())
  const resolved = resolveOptions({}, {})
  const hasher = { ...costOf({}), maxWaitSeconds }
  let plain = 0
  for (const [option, , stated] of options) {
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

test('every route of the plugin is a row of docs/endpoints.md, with its caller, input and answer', async (t) => {
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
  const stated = tableOf('endpoints.md', 'route').map(([route, caller, query, body, answer]) => ({
    route: codes(route!)[0]!,
    caller: caller!,
    query: codes(query!),
    body: codes(body!),
    answer: codes(answer!),
  }))
  const byRoute = (a: { route: string }, b: { route: string }) => (a.route < b.route ? -1 : 1)
  assert.deepEqual(stated.sort(byRoute), known.sort(byRoute), 'docs/endpoints.md is not up to date: run npm run docs')
})

// Every constructor of @fastify/error that errors.ts exports, made with words for whatever its message takes.
type Thrown = new (...words: string[]) => Error & { readonly code: string; readonly statusCode: number }
const isThrown = (value: unknown): value is Thrown => typeof value === 'function' && value.prototype instanceof Error
const thrown = Object.values(errors as Record<string, unknown>)
  .filter(isThrown)
  .map((Constructor) => new Constructor('one', 'two', 'three'))

test('everything that the testing entry point gives is a row of docs/testing.md', () => {
  assert.deepEqual(
    tableOf('testing.md', 'of the entry point').map(([name]) => codes(name!)[0]),
    Object.keys(testing).sort(),
  )
})

test('every command of the bin is a row of docs/cli.md, with its flags', () => {
  assert.deepEqual(
    tableOf('cli.md', 'command').map(([command, flags]) => [...codes(command!), ...codes(flags!)]),
    commands.map((command) => [usageOf(command), ...Object.keys(command.options ?? {}).map((name) => `--${name}`)]),
  )
})

test('every error that is thrown is a row of docs/errors.md, with its status and a remedy', () => {
  const rows = tableOf('errors.md', 'code').filter(([code]) => codes(code!)[0]!.startsWith('FST_IDENTITY_'))
  assert.deepEqual(
    sorted(rows.map(([code, status]) => `${codes(code!)[0]!} ${status!}`)),
    sorted(thrown.map(({ code, statusCode }) => `${code} ${statusCode}`)),
  )
  assert.deepEqual(
    rows.filter(([, , when, remedy]) => when === '' || remedy === ''),
    [],
  )
})

test('every code in answers is a row of docs/errors.md, in its words', () => {
  const rows = tableOf('errors.md', 'code').filter(([code]) => !codes(code!)[0]!.startsWith('FST_IDENTITY_'))
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

// A program as a host would have it, beside this package so that it finds it by its name. One file asks for the types
// of the tables.
const asked = `
import type { FastifyRequest } from 'fastify'
import type { Identity, Requirements, SessionEndCause, SignInFailure, SignInMethod } from 'fastify-identity'
import type { ClientOptions, IdentityClient } from 'fastify-identity/client'
import type { PostgresOptions } from 'fastify-identity/development'
export declare const principal: NonNullable<FastifyRequest['identity']>
export declare const host: Identity
export declare const requirements: Requirements
export declare const method: SignInMethod
export declare const reason: SignInFailure
export declare const cause: SessionEndCause
export declare const client: ClientOptions
export declare const calls: IdentityClient
export declare const postgres: PostgresOptions
`

function compile(sources: readonly string[]): { program: ts.Program; files: readonly string[] } {
  const { config } = ts.readConfigFile(join(project, 'tsconfig.json'), (file) => ts.sys.readFile(file)) as {
    config: { compilerOptions: object }
  }
  const { options: compilerOptions } = ts.convertCompilerOptionsFromJson(
    { ...config.compilerOptions, noEmit: true, rootDir: project },
    project,
  )
  const files = sources.map((_, index) => join(project, `document-${index}.mts`))
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

test('every piece of code in the documents names its language, JavaScript and TypeScript compile, and JSON is JSON', () => {
  assert.deepEqual(
    blocks.filter(({ language }) => !['js', 'ts', 'json', 'sh', 'sql', 'text'].includes(language)),
    [],
  )
  for (const { code } of blocks.filter(({ language }) => language === 'json')) JSON.parse(code)
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

/** The type of an exported constant of `asked`. */
function typeOf(name: string): ts.Type {
  const checker = compiled.program.getTypeChecker()
  const source = compiled.program.getSourceFile(compiled.files[0]!)!
  const constant = checker
    .getExportsOfModule(checker.getSymbolAtLocation(source)!)
    .find((symbol) => symbol.name === name)!
  return checker.getTypeOfSymbol(constant)
}

/** The literals of a union of strings. */
function literalsOf(name: string): string[] {
  const type = typeOf(name)
  return (type.isUnion() ? type.types : [type]).filter((one) => one.isStringLiteral()).map(({ value }) => value)
}

/** The members of an exported constant of `asked`, and of those of its members whose names are given. */
function typesOf(name: string, within: readonly string[] = []): string[] {
  const checker = compiled.program.getTypeChecker()
  return typeOf(name)
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

test('every member of request.identity and app.identity is a row of docs/guards.md or docs/app-identity.md', () => {
  const stated = members.flatMap(([member]) => codes(member!))
  // A manager has rows of its own; the members of an emitter and of a function are not listed.
  const managers = typesOf('host').filter((name) => stated.some((row) => row.startsWith(`${name}.`)))
  assert.deepEqual(sorted(stated), sorted([...typesOf('principal'), ...typesOf('host', managers)]))
})

test('every rule of a guard is a row of docs/guards.md', () => {
  assert.deepEqual(
    sorted(tableOf('guards.md', 'rule').flatMap(([rule]) => codes(rule!))),
    sorted(typesOf('requirements')),
  )
})

test('every option of startPostgres is a row of docs/development.md', () => {
  const stated = tableOf('development.md', 'option of startPostgres').flatMap(([option]) => codes(option!))
  assert.deepEqual(sorted(stated), sorted(typesOf('postgres')))
})

test('every option of the client is a row of docs/client.md', () => {
  const stated = tableOf('client.md', 'option of the client').flatMap(([option]) => codes(option!))
  assert.deepEqual(sorted(stated), sorted(typesOf('client')))
})

test('docs/client.md names every function of the client', () => {
  const named = readFileSync(join(project, 'docs/client.md'), 'utf8').split('\n').flatMap(codes)
  assert.deepEqual(
    typesOf('calls').filter((name) => !named.includes(name)),
    [],
    'name these functions in docs/client.md',
  )
})

test('every event and every hook is a row of docs/events.md', () => {
  const sources = readdirSync(join(project, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  )
  const text = sources.map((name) => readFileSync(join(project, 'src', name), 'utf8')).join('\n')
  const named = Array.from(text.matchAll(/\bemit\('(\w+)'/g), ([, name]) => name!)
  // Every hook but those before a change has an event of its name.
  const known = new Set([...named, ...hookNames.filter((name) => !name.endsWith('ing'))])
  assert.deepEqual(
    sorted(tableOf('events.md', 'event').flatMap(([event]) => codes(event!))),
    sorted(known),
    'declare each event in IdentityEvents (src/accounts/users/hooks.ts), emit it, and run npm run docs',
  )
  assert.deepEqual(
    sorted(tableOf('events.md', 'hook').flatMap(([hook]) => codes(hook!))),
    sorted([...hookNames, 'signingIn']),
    'docs/events.md is not up to date: run npm run docs',
  )
})

test('every method of a sign-in is a row of docs/events.md, and every reason and cause is named by its event', () => {
  const stated = tableOf('events.md', 'method').flatMap(([method]) => codes(method!))
  assert.deepEqual(sorted(stated), sorted(literalsOf('method')))
  const [, failed] = tableOf('events.md', 'event').find(([event]) => event === '`signInFailed`')!
  assert.deepEqual(
    literalsOf('reason').filter((reason) => !codes(failed!).includes(reason)),
    [],
  )
  const [, ended] = tableOf('events.md', 'event').find(([event]) => event === '`sessionsEnded`')!
  assert.deepEqual(
    literalsOf('cause').filter((cause) => !codes(ended!).includes(cause)),
    [],
  )
})

test('every code in answers names where it comes from, a method or a route that exists', () => {
  const methods = new Set(members.flatMap(([member]) => codes(member!)))
  const routes = tableOf('endpoints.md', 'route').flatMap(([route]) => codes(route!))
  const rows = tableOf('errors.md', 'code').filter(([code]) => !codes(code!)[0]!.startsWith('FST_IDENTITY_'))
  const faults = rows.flatMap(([code, , from]) => {
    const named = codes(from!).filter((name) => /^(?:[A-Z]+ \/|[a-z]+(?:[A-Z]\w*|\.\w+)$)/.test(name))
    const known = (name: string) => [name, `users.${name}`].some((one) => methods.has(one)) || routes.includes(name)
    const isOption = (name: string) => options.some(([option]) => codes(option!).includes(name))
    return from === '' ? [`${code!} names nothing`] : named.filter((name) => !known(name) && !isOption(name))
  })
  assert.deepEqual(faults, [])
})

test('docs/README.md lists every page', () => {
  const index = readFileSync(join(project, 'docs/README.md'), 'utf8')
  const pages = documents.filter((name) => name.startsWith('docs/')).map((name) => name.slice('docs/'.length))
  assert.deepEqual(
    pages.filter((page) => page !== 'README.md' && !index.includes(`](${page})`)),
    [],
  )
})

test('every option and member that docs/scaling.md names is there', () => {
  const text = readFileSync(join(project, 'docs/scaling.md'), 'utf8')
  const rows = [...options, ...members].flatMap(([name]) => codes(name!))
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
