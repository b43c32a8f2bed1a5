import assert from 'node:assert/strict'
import { test } from 'node:test'
import pg from 'pg'
import { migrations } from '../../migrations/index.js'
import { newcomer, startApp } from '../support/instances.js'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'
import { jsonOf, shell } from '../support/shell.js'

const all = Object.keys(migrations())

async function schemaExists(schema: string): Promise<boolean> {
  const client = new pg.Client(await databaseUrl())
  await client.connect()
  try {
    return (await client.query('select 1 from pg_namespace where nspname = $1', [schema])).rows.length === 1
  } finally {
    await client.end()
  }
}

test('--check names pending migrations with exit code 1 and creates nothing; migrate runs them; --check then succeeds', async (t) => {
  const schema = uniqueSchema()
  const before = await shell(['migrate', '--check', '--schema', schema])
  assert.equal(before.code, 1)
  assert.deepEqual(
    before.stdout.trimEnd().split('\n'),
    all.map((name) => `pending  ${name}`),
  )
  assert.equal(await schemaExists(schema), false)

  const ran = await shell(['migrate', '--schema', schema])
  assert.deepEqual(ran, { code: 0, stdout: all.map((name) => `done  ${name}\n`).join(''), stderr: '' })
  assert.deepEqual(await shell(['migrate', '--schema', schema]), {
    code: 0,
    stdout: 'Nothing was pending\n',
    stderr: '',
  })
  assert.deepEqual(await shell(['migrate', '--check', '--schema', schema]), {
    code: 0,
    stdout: 'Nothing is pending\n',
    stderr: '',
  })

  await newcomer(await startApp(t, { schema, migrate: 'check' }), 'ada@example.com')
})

test('of eight processes that start at once, one runs each migration', async () => {
  const schema = uniqueSchema()
  const answers = await Promise.all(Array.from({ length: 8 }, () => jsonOf(['migrate', '--schema', schema])))
  assert.deepEqual(answers.flatMap(({ executed }) => executed as string[]).sort(), all)
  assert.deepEqual(await jsonOf(['migrate', '--check', '--schema', schema]), { pending: [] })
})

test('--check --json prints the pending migrations on stdout, with exit code 1', async () => {
  const { code, stdout, stderr } = await shell(['migrate', '--check', '--json', '--schema', uniqueSchema()])
  assert.deepEqual(
    { code, stderr, answer: JSON.parse(stdout) as unknown },
    { code: 1, stderr: '', answer: { pending: all } },
  )
})

test('migrate needs no secret, in production either', async () => {
  const { code } = await shell(['migrate', '--schema', uniqueSchema()], { NODE_ENV: 'production' })
  assert.equal(code, 0)
})

test('--database names another database than DATABASE_URL', async () => {
  const { code, stdout } = await shell(['migrate', '--schema', uniqueSchema(), '--database', await databaseUrl()], {
    DATABASE_URL: 'postgres://127.0.0.1:1/none',
  })
  assert.equal(code, 0, stdout)
})

test('every other command says how to migrate when nothing was', async () => {
  const schema = uniqueSchema()
  for (const command of [
    ['users', 'list'],
    ['keys', 'list'],
  ]) {
    const { code, stderr } = await shell([...command, '--schema', schema])
    assert.equal(code, 1)
    assert.match(stderr, new RegExp(`Run: npx fastify-identity migrate --schema ${schema}\n$`))
  }
})
