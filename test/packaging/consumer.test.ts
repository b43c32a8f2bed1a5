// The package as its users get it: packed, unpacked beside its peers, compiled against by test/consumer/ with every
// check on, and run.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { compile, makeConsumer, resolutions } from '../support/packed.js'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'

const run = promisify(execFile)
let folder: string

before(async () => {
  folder = await makeConsumer()
})
after(() => rm(folder, { recursive: true, force: true }))

test('a consumer compiles with declarations and without skipLibCheck', async () => {
  assert.equal(await compile(folder), '')
  // What a consumer of the consumer reads names our types by the way in that package.json gives.
  const declared = await readFile(join(folder, 'dist/accounts.d.ts'), 'utf8')
  assert.match(declared, /import\("fastify-identity"\)\.User\b/)
  assert.match(declared, /\bgetPasskey\(/)
  assert.doesNotMatch(declared, /fastify-identity\/dist|(?<!Transaction<)\bany\b/)
})

for (const [name, flags] of Object.entries(resolutions).filter(([name]) => name !== 'nodenext')) {
  test(`a consumer compiles with module resolution ${name}`, async () => {
    const ignored = name === 'node10' ? ['--ignoreDeprecations', '6.0'] : []
    assert.equal(await compile(folder, [...flags, ...ignored, '--noEmit']), '')
  })
}

test('a CommonJS host loads the package', async () => {
  const load =
    "const { default: identity, requireAuthorization } = require('fastify-identity'); console.log(typeof identity, typeof requireAuthorization())"
  const { stdout } = await run(process.execPath, ['--input-type=commonjs', '--no-warnings', '-e', load], {
    cwd: folder,
  })
  assert.equal(stdout, 'function function\n')
})

test('a page compiles against the client with the types of a browser alone', async () => {
  assert.equal(await compile(join(folder, 'browser')), '')
})

test('the compiled consumer runs', async () => {
  const schema = uniqueSchema()
  const env = { ...process.env, NODE_ENV: 'development' }
  const { stdout } = await run(process.execPath, [join(folder, 'dist/main.js'), await databaseUrl(), schema], {
    cwd: folder,
    env,
  })
  assert.deepEqual(JSON.parse(stdout), {
    created: true,
    nickname: 'Ann',
    desk: 'ann@example.com',
    stranger: 401,
    hello: { hello: null, staff: null },
    roles: ['clerk'],
    migrations: true,
    client: { email: 'ann@example.com', isEmailConfirmed: false, nickname: 'Ann' },
  })
})

test('the bin of the package runs as a program', async () => {
  const { stdout } = await run(join(folder, 'node_modules/fastify-identity/dist/src/cli/main.js'), ['--help'])
  assert.match(stdout, /^Usage: fastify-identity <command>/)
})
