// Types that openapi-typescript makes of the reference's document and of ours, in one program: what a client says by
// the one it may say by the other. The reference writes its numbers as number or text and leaves out members that are
// always there, so answers go one way only: ours are read as the reference's.
import swagger from '@fastify/swagger'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import ts from 'typescript'
import { vectors } from '../support/vectors.js'
import { withApp } from '../support/app.js'

interface Schema {
  required?: string[]
  properties: Record<string, object>
}

interface Operation {
  parameters?: object[]
  requestBody?: object
  responses: Record<string, { content?: Record<string, object> }>
}

interface Document {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Schema> }
}

const reference = vectors('reference-openapi.json') as Document // as the reference's host writes it
const operations = Object.entries(reference.paths).flatMap(([path, verbs]) =>
  Object.entries(verbs).map(([verb, operation]) => ({ path, verb, operation })),
)
const run = promisify(execFile)
const generator = join(import.meta.dirname, '../../../node_modules/openapi-typescript/bin/cli.js')
let folder: string

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fastify-identity-types-'))
  await generate(reference, 'reference')
})
after(() => rm(folder, { recursive: true, force: true }))

/** Our document, under the reference's prefix. */
async function ours(version: string): Promise<Document> {
  let document: unknown
  await withApp(
    {
      before: (app) => app.register(swagger, { openapi: { openapi: version, info: { title: 'Host', version: '1' } } }),
      identity: { prefix: '/identity' },
    },
    ({ app }) => {
      document = JSON.parse(JSON.stringify(app.swagger()))
      return Promise.resolve()
    },
  )
  return document as Document // as @fastify/swagger writes it
}

const both = (type: string) => ({ theirs: `Reference.${type}`, own: `Ours.${type}` })

/** One function for each type that a client takes from either document; its name follows as a comment. */
function uses(): string[] {
  const lines: string[] = []
  const passes = (name: string, given: string, wanted: string) =>
    lines.push(`(given: ${given}): ${wanted} => given, // ${name}`)
  for (const name of Object.keys(reference.components.schemas)) {
    const { theirs, own } = both(`components['schemas']['${name}']`)
    passes(`${name} of ours`, own, theirs)
    if (name.endsWith('Request')) passes(`${name} of the reference`, theirs, own)
  }
  for (const { path, verb, operation } of operations) {
    const { theirs, own } = both(`paths['${path}']['${verb}']`)
    for (const part of ['parameters', ...(operation.requestBody ? ['requestBody'] : [])]) {
      passes(`${part} of the reference in ${verb} ${path}`, `${theirs}['${part}']`, `${own}['${part}']`)
      passes(`${part} of ours in ${verb} ${path}`, `${own}['${part}']`, `${theirs}['${part}']`)
    }
    for (const [status, { content }] of Object.entries(operation.responses)) {
      // An answer without content declares nothing to read: /confirmEmail sends its text there too.
      const wanted = content === undefined ? 'unknown' : `${theirs}['responses'][${status}]`
      passes(`${status} of ${verb} ${path}`, `${own}['responses'][${status}]`, wanted)
    }
    lines.push(
      `(error?: ErrorOf<${own}['responses']>) => error?.errors?.['PasswordTooShort']?.join(), // errors of ${verb} ${path}`,
    )
  }
  return lines
}

const errorOf = `
type ContentOf<Answer> = Answer extends { content: infer Content } ? Content[keyof Content] : never
type ErrorOf<Answers> = { [Status in Exclude<keyof Answers, 200>]: ContentOf<Answers[Status]> }[Exclude<keyof Answers, 200>]
`

async function generate(document: Document, name: string): Promise<void> {
  await writeFile(join(folder, `${name}.json`), JSON.stringify(document))
  await run(process.execPath, [generator, `${name}.json`, '-o', `${name}.ts`], { cwd: folder })
}

/** The names of the uses that do not compile. */
async function refused(own: Document): Promise<string[]> {
  const program = `import type * as Reference from './reference'\nimport type * as Ours from './ours'${errorOf}export const uses = [\n${uses().join('\n')}\n]\n`
  await generate(own, 'ours')
  const main = join(folder, 'uses.ts')
  await writeFile(main, program)
  const compiled = ts.createProgram([main], {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ['lib.es2022.d.ts'],
    types: [],
  })
  return ts.getPreEmitDiagnostics(compiled).map(({ file, start, messageText }) => {
    const line = file?.getLineAndCharacterOfPosition(start ?? 0).line
    const name = line === undefined ? undefined : file?.text.split('\n')[line]?.split(' // ')[1]
    return name ?? ts.flattenDiagnosticMessageText(messageText, '\n')
  })
}

for (const version of ['3.0.3', '3.1.0'])
  test(`types of the reference's document and of ours (OpenAPI ${version}) stand for each other`, async () => {
    assert.ok(uses().length > 60)
    assert.deepEqual(await refused(await ours(version)), [])
  })

test('a member that ours wants, an answer that lacks one, and problems without errors are found', async () => {
  const broken = await ours('3.1.0')
  const { RegisterRequest, InfoResponse } = broken.components.schemas
  RegisterRequest!.properties.nickname = { type: 'string' }
  RegisterRequest!.required!.push('nickname')
  delete InfoResponse!.properties.isEmailConfirmed
  InfoResponse!.required = ['email']
  Object.assign(broken.paths['/identity/login']!.post!, { parameters: [] })
  broken.paths['/identity/forgotPassword']!.post!.responses['503']!.content = {
    'application/problem+json': { schema: { type: 'object', properties: { message: { type: 'string' } } } },
  }
  delete broken.paths['/identity/refresh']!.post!.responses['200']
  assert.deepEqual((await refused(broken)).sort(), [
    '200 of get /identity/manage/info',
    '200 of post /identity/manage/info',
    '200 of post /identity/refresh',
    'InfoResponse of ours',
    'RegisterRequest of the reference',
    'errors of post /identity/forgotPassword',
    'parameters of the reference in post /identity/login',
    'requestBody of the reference in post /identity/register',
  ])
})
