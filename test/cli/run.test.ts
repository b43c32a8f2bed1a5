// The command line: its help, its exit codes, its questions, and its errors.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import * as opener from '../../src/cli/open-realm.js'
import { commands, run } from '../../src/cli/run.js'
import { newcomer, startApp } from '../support/instances.js'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'
import { bin, shell } from '../support/shell.js'

const misused: readonly (readonly string[])[] = [
  [],
  ['nonsense'],
  ['users'],
  ['users', 'nonsense'],
  ['users', 'nonsense', '--help'],
  ['keys', 'list', '--nonsense'],
  ['users', 'show'],
  ['users', 'show', 'ada', 'bob'],
  ['keys', 'list', 'ada'],
  ['migrate', 'now'],
  ['users', 'list', '--limit', '501'],
  ['users', 'list', '--limit'],
  ['users', 'lock', 'ada', '--until', 'tomorrow', '--yes'],
  ['users', 'lock', 'ada', '--until', '1999-01-01', '--yes'],
  ['keys', 'revoke', 'deadbeef'],
  ['keys', 'revoke-all'],
  ['keys', 'list', '--schema', 'No Schema'],
  ['keys', 'list', '--database', 'no connection string'],
]

for (const args of misused) {
  test(`fastify-identity ${args.join(' ')}: exit code 2, a line on stderr, nothing on stdout`, async () => {
    const { code, stdout, stderr } = await shell(args)
    assert.deepEqual({ code, stdout }, { code: 2, stdout: '' })
    assert.match(stderr, /^(fastify-identity: [^\n]+\n)+$/)
  })
}

test('a misspelled command or option is answered with the one nearest to it', async () => {
  const cases: readonly (readonly [readonly string[], string])[] = [
    [['user', 'list'], "There is no such command. Did you mean 'users list'?"],
    [['list', 'users'], "There is no such command. Did you mean 'users list'?"],
    [['migrat'], "There is no such command. Did you mean 'migrate'?"],
    [['migrate', '--shcema', 'x'], 'Did you mean --schema?'],
    [['users', 'list', '--limt=3'], 'Did you mean --limit?'],
  ]
  for (const [args, words] of cases) {
    const { code, stderr } = await shell(args)
    assert.equal(code, 2)
    assert.ok(stderr.includes(words), stderr)
  }
})

test('--version prints the version of the package, needs no database, and is JSON with --json', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  for (const flag of ['--version', '-v']) {
    const { code, stdout } = await shell([flag], { DATABASE_URL: '' })
    assert.deepEqual({ code, stdout }, { code: 0, stdout: `${version}\n` })
  }
  assert.deepEqual(JSON.parse((await shell(['--version', '--json'])).stdout), { version })
})

test('without any database named the command ends with exit code 2', async () => {
  const { code, stderr } = await shell(['migrate'], { DATABASE_URL: '' })
  assert.equal(code, 2)
  assert.match(stderr, /DATABASE_URL/)
})

test('a database that is down is reported, with exit code 1 and without the password', async () => {
  const url = 'postgres://ada:very-secret@127.0.0.1:1/nothing'
  for (const args of [['migrate'], ['migrate', '--check'], ['users', 'list'], ['keys', 'revoke-all', '--yes']]) {
    const { code, stdout, stderr } = await shell(args, {
      DATABASE_URL: url,
      IDENTITY_SECRET: 'another-secret-of-32-bytes-or-more',
    })
    assert.deepEqual({ code, stdout }, { code: 1, stdout: '' })
    assert.match(stderr, /^fastify-identity: The database .* cannot be used: .*ECONNREFUSED.*\n$/)
    assert.doesNotMatch(stderr, /very-secret|another-secret/)
  }
})

test('with --json an error is JSON on stderr', async () => {
  const down = await shell(['users', 'list', '--json'], {
    DATABASE_URL: 'postgres://ada:very-secret@127.0.0.1:1/nothing',
    IDENTITY_SECRET: 'x'.repeat(32),
  })
  assert.equal((JSON.parse(down.stderr) as { error: { code: string } }).error.code, 'FST_IDENTITY_DATABASE_UNREACHABLE')
  const misuse = await shell(['users', 'show', '--json'])
  assert.equal((JSON.parse(misuse.stderr) as { error: { code: string } }).error.code, 'USAGE')
})

test('a secret that was typed as a flag is not repeated', async () => {
  const { code, stdout, stderr } = await shell(['keys', 'list', '--secret=very-secret'])
  assert.equal(code, 2)
  assert.doesNotMatch(stdout + stderr, /very-secret/)
})

test('--help lists every command, every option of each, the exit codes, and that hooks are not called', async () => {
  const whole = await shell(['--help'])
  assert.deepEqual([whole.code, whole.stderr], [0, ''])
  for (const { name, argument, about, options = {} } of commands) {
    assert.ok(whole.stdout.includes(name) && whole.stdout.includes(about))
    const { code, stdout } = await shell([...name.split(' '), '--help'])
    assert.equal(code, 0)
    for (const expected of [
      argument ?? '',
      about,
      'IDENTITY_SECRET',
      'Hooks',
      '0 done, 1 failed or not found, 2 wrong usage',
    ])
      assert.ok(stdout.includes(expected), `${name}: ${expected}`)
    for (const option of [...Object.keys(options), 'database', 'schema', 'decorator', 'json', 'yes'])
      assert.ok(stdout.includes(`--${option}`), `${name}: ${option}`)
  }
  const group = await shell(['users', '-h'])
  assert.ok(group.stdout.includes('users lock') && !group.stdout.includes('keys list'))
})

/** Runs a command in this process, at a terminal where somebody types. */
async function atTerminal(args: readonly string[], typed: string | null) {
  const stream = () => Object.assign(new PassThrough(), { isTTY: true })
  const [stdin, stdout, stderr] = [stream(), stream(), stream()]
  if (typed === null) stdin.end()
  else stdin.write(`${typed}\n`)
  const code = await run(args, { env: { DATABASE_URL: await databaseUrl() }, stdin, stdout, stderr }, opener)
  return { code, stdout: String(stdout.read() ?? ''), stderr: String(stderr.read() ?? '') }
}

test('at a terminal it asks before it destroys, and does nothing without a yes', async (t) => {
  const schema = uniqueSchema()
  const app = await startApp(t, { schema })
  await newcomer(app, 'ada@example.com')
  const { id } = (await app.identity.users.findByName('ada@example.com'))!
  for (const answer of ['', 'n', 'no', 'yess', null]) {
    const { code, stdout, stderr } = await atTerminal(
      ['users', 'delete', 'ada@example.com', '--schema', schema],
      answer,
    )
    assert.deepEqual({ code, stdout }, { code: 1, stdout: '' })
    assert.ok(stderr.includes(`Delete ada@example.com (${id}) with everything that belongs to them? [y/N]`))
    assert.match(stderr, /Nothing was done\n$/)
    assert.ok(await app.identity.users.findById(id))
  }
  const { code, stdout } = await atTerminal(['users', 'delete', id, '--schema', schema], 'y')
  assert.deepEqual({ code, stdout }, { code: 0, stdout: `ada@example.com (${id}) is deleted\n` })
  assert.equal(await app.identity.users.findById(id), null)
})

test('the bin of package.json is this program, and names its interpreter', () => {
  const { bin: bins } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    bin: Record<string, string>
  }
  assert.equal(new URL(`../../../${bins['fastify-identity']!}`, import.meta.url).pathname, bin)
  assert.match(readFileSync(bin, 'utf8'), /^#!\/usr\/bin\/env node\n/)
})
