// The package as its users get it: packed, unpacked beside its peers, compiled against by test/consumer/ with every
// check on, and run. Only what package.json names as a dependency or peer is there, so that a forgotten one is missed.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'

const run = promisify(execFile)
const project = join(import.meta.dirname, '../../..')
let folder: string

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fastify-identity-consumer-'))
  // Without its scripts: they would build anew under the running tests.
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], {
    cwd: project,
  })
  const installed = join(folder, 'node_modules/fastify-identity')
  await mkdir(installed, { recursive: true })
  await run('tar', ['-xzf', join(folder, stdout.trim()), '--strip-components=1', '-C', installed])
  await cp(join(project, 'test/consumer'), folder, { recursive: true })
  const { dependencies, peerDependencies } = JSON.parse(
    await readFile(join(installed, 'package.json'), 'utf8'),
  ) as Manifest // our own
  for (const name of [...Object.keys(dependencies), ...Object.keys(peerDependencies), '@types/node']) {
    await mkdir(dirname(join(folder, 'node_modules', name)), { recursive: true })
    await symlink(join(project, 'node_modules', name), join(folder, 'node_modules', name))
  }
})
/** What the compiler has to say. */
async function compile(where: string): Promise<string> {
  const tsc = join(project, 'node_modules/typescript/bin/tsc')
  const { stdout } = await run(process.execPath, [tsc, '-p', where]).catch(
    (error: unknown) => error as { stdout: string },
  )
  return stdout
}

after(() => rm(folder, { recursive: true, force: true }))

test('a consumer compiles with declarations and without skipLibCheck', async () => {
  assert.equal(await compile(folder), '')
  // What a consumer of the consumer reads names our types by the way in that package.json gives.
  const declared = await readFile(join(folder, 'dist/accounts.d.ts'), 'utf8')
  assert.match(declared, /import\("fastify-identity"\)\.User\b/)
  assert.match(declared, /\bgetPasskey\(/)
  assert.doesNotMatch(declared, /fastify-identity\/dist|(?<!Transaction<)\bany\b/)
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
