import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { guarded, newcomer, refresh, signIn, startApp, tokensOf, until } from '../support/instances.js'
import { uniqueSchema } from '../support/postgres.js'
import { jsonOf, shell } from '../support/shell.js'

interface Key {
  readonly id: string
  readonly state: string
  readonly createdAt: string
  readonly retiresAt: string | null
}

const secret = randomBytes(32).toString('base64')

async function keysOf(schema: string, environment: NodeJS.ProcessEnv = { IDENTITY_SECRET: secret }): Promise<Key[]> {
  return (await jsonOf(['keys', 'list', '--schema', schema], environment)).keys as Key[]
}

test('a key is listed, rotated and revoked, and the running application follows', async (t) => {
  const schema = uniqueSchema()
  const app = await startApp(t, { schema, secret })
  const before = await newcomer(app, 'ada@example.com')
  const [first] = await keysOf(schema)
  assert.equal(first?.state, 'seals')

  const rotated = (await jsonOf(['keys', 'rotate', '--schema', schema], { IDENTITY_SECRET: secret })).key as Key
  assert.equal(rotated.state, 'waits')
  assert.deepEqual(
    (await keysOf(schema)).map(({ id, state }) => [id, state]),
    [
      [first.id, 'seals'],
      [rotated.id, 'waits'],
    ],
  )
  assert.equal((await guarded(app, before.accessToken)).status, 200)

  const revoke = ['keys', 'revoke', first.id, '--schema', schema, '--yes']
  assert.deepEqual(await shell(revoke, { IDENTITY_SECRET: secret }), {
    code: 0,
    stdout: `Key ${first.id} is revoked\n`,
    stderr: '',
  })
  await until(async () => (await guarded(app, before.accessToken)).status === 401)
  const after = await signIn(app, 'ada@example.com')
  assert.equal((await guarded(app, after.accessToken)).status, 200)
  assert.equal((await shell(revoke, { IDENTITY_SECRET: secret })).code, 1)
})

test('a key that a shell replaced stays valid for as long as the application has promised', async (t) => {
  const schema = uniqueSchema()
  await startApp(t, { schema, secret, bearer: { refreshTokenSeconds: 90 * 86_400 } })
  await jsonOf(['keys', 'rotate', '--schema', schema], { IDENTITY_SECRET: secret })
  assert.deepEqual(
    (await keysOf(schema)).map(({ retiresAt }) => retiresAt),
    [null, null],
  )
})

test('revoke-all ends every session, and users can sign in again', async (t) => {
  const schema = uniqueSchema()
  const app = await startApp(t, { schema, secret })
  const { accessToken, refreshToken } = await newcomer(app, 'ada@example.com')
  const [first] = await keysOf(schema)
  assert.deepEqual(await jsonOf(['keys', 'revoke-all', '--yes', '--schema', schema], { IDENTITY_SECRET: secret }), {
    revoked: [first?.id],
  })
  await until(async () => (await guarded(app, accessToken)).status === 401)
  assert.equal((await refresh(app, refreshToken)).status, 401)
  assert.equal(
    (await guarded(app, tokensOf(await refresh(app, (await signIn(app, 'ada@example.com')).refreshToken)).accessToken))
      .status,
    200,
  )
})

test("another secret than the application's opens nothing, and is not printed", async (t) => {
  const schema = uniqueSchema()
  await startApp(t, { schema, secret })
  const other = randomBytes(32).toString('base64')
  for (const environment of [{ IDENTITY_SECRET: other }, {}]) {
    const { code, stdout, stderr } = await shell(['keys', 'list', '--schema', schema], environment)
    assert.deepEqual({ code, stdout }, { code: 1, stdout: '' })
    assert.match(
      stderr,
      'IDENTITY_SECRET' in environment ? /IDENTITY_SECRET cannot open the key ring of/ : /: No secret is set/,
    )
    assert.match(stderr, /Set IDENTITY_SECRET to the application's newest secret/)
    assert.doesNotMatch(stderr, /unwrapped/)
    assert.doesNotMatch(stderr, new RegExp(other.slice(0, 20).replaceAll('+', '\\+')))
  }
})

test('without a secret there is a warning, and in production nothing is done', async (t) => {
  const schema = uniqueSchema()
  await startApp(t, { schema })
  const warned = await shell(['keys', 'list', '--schema', schema])
  assert.equal(warned.code, 0)
  assert.match(warned.stderr, /^fastify-identity: option 'secret' \(IDENTITY_SECRET\) is not set/)
  const refused = await shell(['keys', 'list', '--schema', schema], { NODE_ENV: 'production' })
  assert.deepEqual([refused.code, refused.stdout], [2, ''])
  assert.match(refused.stderr, /Set IDENTITY_SECRET/)
})
