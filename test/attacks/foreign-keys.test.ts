// Tokens and keys that were not made over these tables: those of another application with the same static ring, and
// rows that were written to the table of keys by hand.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import Fastify from 'fastify'
import { test } from 'node:test'
import pg from 'pg'
import identity, { type IdentityOptions } from '../../src/index.js'
import { wrapRoot } from '../../src/tokens/key-ring.js'
import { sealingKey } from '../../src/tokens/seal.js'
import { sealTicket } from '../../src/tokens/ticket.js'
import { createMailbox } from '../../src/testing/index.js'
import { report } from '../support/experiment.js'
import { guarded, newcomer, refresh, signIn, startApp } from '../support/instances.js'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'
import { shell } from '../support/shell.js'

const secret = () => randomBytes(32).toString('base64')

async function refusal(options: IdentityOptions): Promise<Error & { code?: string }> {
  const app = Fastify()
  try {
    await app.register(identity, { database: await databaseUrl(), ...options })
  } catch (error) {
    return error as Error
  } finally {
    await app.close()
  }
  throw new Error('It starts')
}

async function rows(schema: string, text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: await databaseUrl() })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(text.replaceAll('$schema', schema), values)).rows
  } finally {
    await client.end()
  }
}

test('two applications with one static ring and two schemas open nothing of each other', async (t) => {
  const keys = [{ id: 'shared', secret: secret() }]
  const mailbox = createMailbox()
  const options = (schema: string): IdentityOptions => ({
    schema,
    keys,
    publicUrl: 'https://one.example',
    email: mailbox,
  })
  const [schema, other] = [uniqueSchema(), uniqueSchema()]
  const [one, two] = [await startApp(t, options(schema)), await startApp(t, options(other))]
  const mine = await newcomer(one, 'alice@example.com')
  const cookie = await one.inject({
    method: 'POST',
    url: '/login?useCookies=true',
    payload: { email: 'alice@example.com', password: 'Correct-horse-1' },
  })
  await one.identity.mail.flush()
  // The second application knows the same user, as a copy of the tables would: but it has made its own.
  const [copied] = await rows(
    schema,
    `select string_agg(quote_ident(column_name), ', ') as columns from information_schema.columns
      where table_schema = $1 and table_name = 'users' and is_generated = 'NEVER'`,
    [schema],
  )
  const columns = String(copied?.columns)
  await rows(schema, `insert into ${other}.users (${columns}) select ${columns} from $schema.users`)
  await rows(schema, `insert into ${other}.sessions select * from $schema.sessions`)
  const link = new URL(mailbox.letters[0]!.link)
  const answers = [
    (await guarded(two, mine.accessToken)).status,
    (await refresh(two, mine.refreshToken)).status,
    (await two.inject({ url: '/guarded', headers: { cookie: String(cookie.headers['set-cookie']).split(';')[0]! } }))
      .statusCode,
    (await two.inject({ url: `/confirmEmail${link.search}` })).statusCode,
  ]
  assert.deepEqual(answers, [401, 401, 401, 401])
  assert.equal((await guarded(one, mine.accessToken)).status, 200)
  assert.equal((await one.inject({ url: `/confirmEmail${link.search}` })).statusCode, 200)
  // Another instance of the same application opens them all.
  assert.equal((await guarded(await startApp(t, options(schema)), mine.accessToken)).status, 200)
  report(t, { 'kinds of tokens shown to the other application': answers.length, accepted: 0 })
})

test('under a secret a key row that was written by hand opens nothing, at the start and while instances run', async (t) => {
  const schema = uniqueSchema()
  const root = secret()
  const running = await startApp(t, { schema, secret: root })
  await newcomer(running, 'alice@example.com')
  const alice = (await running.identity.users.findByName('alice@example.com'))!
  const [session] = await running.identity.sessions.list(alice.id)
  const planted = randomBytes(32)
  await rows(
    schema,
    `insert into $schema.keys (id, purpose, generation, root, wrapped, created_at, activates_at)
     values ('0badf00d', 'token', 2, $1, false, now() - interval '1 minute', now() - interval '1 minute')`,
    [planted],
  )
  const now = Math.floor(Date.now() / 1000)
  const forged = (appName: string) =>
    sealTicket(sealingKey(0x0badf00d, planted, appName), 'access', {
      userId: alice.id,
      sessionId: session!.id,
      userName: 'alice@example.com',
      email: 'alice@example.com',
      stamp: 'AAAAAAAAAAA',
      issuedAt: now,
      expiresAt: now + 3600,
      authenticatedAt: now,
      sessionExpiresAt: now + 86400,
      validatedAt: now,
      amr: ['pwd'],
      roles: ['admin'],
      claims: [],
      counter: 0,
      persistent: false,
    })
  const later = await startApp(t, { schema, secret: root })
  for (const app of [running, later]) {
    await app.identity.keys.list()
    assert.equal((await guarded(app, forged('identity'))).status, 401)
    const { accessToken } = await signIn(app, 'alice@example.com')
    assert.notEqual(Buffer.from(accessToken, 'base64url').readUInt32BE(2), 0x0badf00d)
    const { id } = await app.identity.keys.rotate({ activateAfterSeconds: 0 })
    assert.notEqual(id, '0badf00d')
  }
})

test('keys that were made without a secret stop the start under one, until they are adopted', async (t) => {
  const schema = uniqueSchema()
  const root = secret()
  const { accessToken } = await newcomer(await startApp(t, { schema }), 'alice@example.com')
  const error = await refusal({ schema, secret: root })
  assert.equal(error.code, 'FST_IDENTITY_KEYS_UNWRAPPED')
  assert.match(error.message, /npx fastify-identity keys adopt/)
  const unasked = await shell(['keys', 'adopt', '--schema', schema], { IDENTITY_SECRET: root })
  assert.equal(unasked.code, 2)
  assert.equal((await shell(['keys', 'adopt', '--schema', schema, '--yes'])).code, 2)
  const adopted = await shell(['keys', 'adopt', '--schema', schema, '--yes', '--json'], { IDENTITY_SECRET: root })
  assert.equal(adopted.code, 0, adopted.stderr)
  assert.equal((JSON.parse(adopted.stdout) as { adopted: string[] }).adopted.length, 2)
  assert.equal((await guarded(await startApp(t, { schema, secret: root }), accessToken)).status, 200)
  assert.equal((await refusal({ schema })).code, 'FST_IDENTITY_SECRET_WRONG')
  const again = await shell(['keys', 'adopt', '--schema', schema, '--yes'], { IDENTITY_SECRET: root })
  assert.deepEqual([again.code, again.stdout], [0, 'Every key is wrapped\n'])
})

test('a vault key that was written by hand beside a wrapped ring stops the start, and no key of the ring is replaced', async (t) => {
  const schema = uniqueSchema()
  const root = secret()
  await newcomer(await startApp(t, { schema, secret: root }), 'alice@example.com')
  await rows(schema, "update $schema.keys set root = $1, wrapped = false where purpose = 'vault'", [randomBytes(32)])
  assert.equal((await refusal({ schema, secret: root })).code, 'FST_IDENTITY_KEYS_UNWRAPPED')
  // One that is wrapped under a secret of the writer's own is no better.
  await rows(schema, "update $schema.keys set root = $1, wrapped = true where purpose = 'vault'", [
    wrapRoot(secret(), 1, randomBytes(32)),
  ])
  assert.equal((await refusal({ schema, secret: root })).code, 'FST_IDENTITY_SECRET_WRONG')
})
