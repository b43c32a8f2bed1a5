// What happens once must happen once, however many ask for it at the same moment, on however many instances.
import assert from 'node:assert/strict'
import type { FastifyInstance } from 'fastify'
import { test, type TestContext } from 'node:test'
import pg from 'pg'
import { openKeys } from '../../../src/accounts/keys/key-manager.js'
import type { IdentityOptions } from '../../../src/index.js'
import { connect, type Connection } from '../../../src/store/connect.js'
import { openTicket } from '../../../src/tokens/ticket.js'
import {
  guarded,
  heard,
  login,
  logout,
  newcomer,
  password,
  refresh,
  register,
  signIn,
  startTwins,
  tally,
  tokensOf,
  until,
} from '../../support/instances.js'
import { databaseUrl, uniqueSchema } from '../../support/postgres.js'
import { vectors } from '../../support/vectors.js'

interface Place {
  readonly twins: [FastifyInstance, FastifyInstance]
  /** A way to the same tables past the plugin. */
  readonly db: Connection
}

async function place(t: TestContext, options: IdentityOptions = {}): Promise<Place> {
  const schema = uniqueSchema()
  const twins = await startTwins(t, { schema, ...options })
  const db = connect(await databaseUrl(), schema, undefined, {}, () => undefined)
  t.after(() => db.close())
  return { twins, db }
}

/** Fifty at once, on both instances by turns. */
function fifty<T>(
  twins: readonly FastifyInstance[],
  ask: (app: FastifyInstance, index: number) => Promise<T>,
  count = 50,
): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => ask(twins[index % twins.length]!, index)))
}

async function counterOf(db: Connection, refreshToken: string): Promise<number | undefined> {
  const keys = await openKeys(
    db,
    { secrets: [], ring: null, appName: 'identity', openForSeconds: 3600, onError: () => undefined },
    Date.now,
  )
  keys.close()
  return openTicket((id) => keys.find(id), 'refresh', refreshToken, Math.floor(Date.now() / 1000))?.counter
}

test('of 50 registrations of one name at once, in any letter case, one makes a user', async (t) => {
  const { twins, db } = await place(t)
  for (let round = 0; round < 3; round++) {
    const spellings = [
      `alice${round}@example.com`,
      `Alice${round}@Example.com`,
      `ALICE${round}@EXAMPLE.COM`,
      `aLiCe${round}@eXaMpLe.CoM`,
    ]
    const answers = await fifty(twins, (app, index) => register(app, spellings[index % 4]!))
    assert.deepEqual(tally(answers.map(({ status }) => status)), { 200: 1, 400: 49 })
    for (const { status, body } of answers)
      if (status === 400) assert.deepEqual(Object.keys(body?.errors ?? {}), ['DuplicateUserName'])
  }
  assert.equal((await db.kysely.selectFrom('users').select('id').execute()).length, 3)
})

test('50 refreshes of one token at once get one successor', async (t) => {
  const { twins, db } = await place(t)
  const { refreshToken } = await newcomer(twins[0], 'alice@example.com')
  const successors = (await fifty(twins, (app) => refresh(app, refreshToken))).map(tokensOf)
  assert.deepEqual(await db.kysely.selectFrom('sessions').select('counter').execute(), [{ counter: 1 }])
  const counters = await Promise.all(successors.slice(0, 10).map((successor) => counterOf(db, successor.refreshToken)))
  assert.deepEqual(
    counters,
    Array.from({ length: 10 }, () => 1),
  )
  for (const [index, { accessToken }] of successors.entries()) {
    assert.equal((await guarded(twins[index % 2]!, accessToken)).status, 200)
  }
})

test('50 parallel replays of a used token end its session and emit one event', async (t) => {
  let now = Date.now()
  const { twins } = await place(t, { clock: () => now })
  const { refreshToken } = await newcomer(twins[0], 'alice@example.com')
  const { accessToken, refreshToken: successor } = tokensOf(await refresh(twins[0], refreshToken))
  const events = twins.map((app) => heard(app.identity.events, 'refreshTokenReused'))
  now += 29_999
  assert.equal((await refresh(twins[1], refreshToken)).status, 200)
  now += 1
  const answers = await fifty(twins, (app) => refresh(app, refreshToken))
  assert.deepEqual(tally(answers.map(({ status }) => status)), { 401: 50 })
  assert.equal(events.flat().length, 1)
  assert.equal((await refresh(twins[1], successor)).status, 401)
  for (const app of twins) await until(async () => (await guarded(app, accessToken)).status === 401)
})

test('a token two steps behind ends its session also within the time of grace', async (t) => {
  const { twins } = await place(t)
  const first = await newcomer(twins[0], 'alice@example.com')
  const second = tokensOf(await refresh(twins[0], first.refreshToken))
  const third = tokensOf(await refresh(twins[0], second.refreshToken))
  assert.equal((await refresh(twins[1], first.refreshToken)).status, 401)
  assert.equal((await refresh(twins[1], third.refreshToken)).status, 401)
})

test('a token ahead of its row, as after a restored backup, is refused and ends nothing', async (t) => {
  const { twins, db } = await place(t)
  const first = await newcomer(twins[0], 'alice@example.com')
  const second = tokensOf(await refresh(twins[0], first.refreshToken))
  await db.kysely.updateTable('sessions').set({ counter: 0, rotated_at: null }).execute()
  const events = heard(twins[0].identity.events, 'refreshTokenReused')
  assert.equal((await refresh(twins[0], second.refreshToken)).status, 401)
  assert.deepEqual(events, [])
  assert.equal((await refresh(twins[0], first.refreshToken)).status, 200)
})

test('a logout that races a refresh leaves no token that works', async (t) => {
  const {
    twins: [app, twin],
  } = await place(t)
  await register(app, 'alice@example.com')
  for (let round = 0; round < 25; round++) {
    const { accessToken, refreshToken } = await signIn(app, 'alice@example.com')
    const [ended, refreshed] = await Promise.all([logout(app, accessToken), refresh(twin, refreshToken)])
    assert.equal(ended.status, 200)
    if (refreshed.status === 401) continue
    const successor = tokensOf(refreshed)
    assert.equal((await refresh(twin, successor.refreshToken)).status, 401)
    assert.equal((await guarded(app, successor.accessToken)).status, 401)
    await until(async () => (await guarded(twin, successor.accessToken)).status === 401)
  }
})

test('20 sign-ins at once with a hash of the reference all succeed and replace it once', async (t) => {
  const { twins, db } = await place(t)
  const { password: known, valid } = vectors('aspnet-password-hashes.json') as {
    password: string
    valid: { hash: string; format: string }[]
  }
  const { hash } = valid.find(({ format }) => format === 'V3 SHA512 10000 16/32')!
  assert.ok((await twins[0].identity.users.create({ userName: 'alice@example.com', passwordHash: hash })).succeeded)
  const users = db.kysely.selectFrom('users').select(['password_hash', 'security_stamp'])
  // Every stamp that the row has had, by a trigger.
  await run(
    db,
    (schema) => `
    create table ${schema}.stamps (stamp text);
    create function ${schema}.note() returns trigger language plpgsql as $$ begin
      insert into ${schema}.stamps values (new.security_stamp); return new; end $$;
    create trigger note after update of security_stamp on ${schema}.users for each row execute function ${schema}.note()`,
  )
  const answers = await fifty(twins, (app) => login(app, 'alice@example.com', known), 20)
  assert.deepEqual(tally(answers.map(({ status }) => status)), { 200: 20 })
  const { password_hash: stored, security_stamp: stamp } = await users.executeTakeFirstOrThrow()
  assert.match(stored ?? '', /^\$argon2id\$/)
  assert.deepEqual(await run(db, (schema) => `select stamp from ${schema}.stamps`), [{ stamp }])
  for (const answer of answers) assert.equal((await refresh(twins[0], tokensOf(answer).refreshToken)).status, 200)
})

async function run(db: Connection, statement: (schema: string) => string): Promise<unknown[]> {
  return (await db.pool!.query<Record<string, unknown>>(statement(db.schema))).rows
}

for (const moment of ['insert on revocations for each statement', 'delete on users for each row']) {
  test(`a sign-in while its user is deleted leaves no token that works (before ${moment})`, async (t) => {
    const {
      twins: [app, twin],
      db,
    } = await place(t)
    await register(app, 'alice@example.com')
    const alice = await app.identity.users.findByName('alice@example.com')
    await run(
      db,
      (schema) => `
      create function ${schema}.wait() returns trigger language plpgsql as $$ begin
        perform pg_sleep(0.5); return case tg_op when 'DELETE' then old end; end $$;
      create trigger wait before ${moment.replace(' on ', ` on ${schema}.`)} execute function ${schema}.wait()`,
    )
    const deletion = app.identity.users.delete(alice!)
    const sleeping = "select 1 from pg_stat_activity where wait_event = 'PgSleep' and query like '%' || $1 || '%'"
    await until(async () => (await db.pool!.query(sleeping, [`"${db.schema}".`])).rowCount === 1)
    const answer = await login(twin, 'alice@example.com')
    assert.deepEqual(await deletion, { succeeded: true })
    assert.deepEqual([answer.status, answer.body?.detail], [401, 'Failed'])
    assert.deepEqual(await db.kysely.selectFrom('sessions').selectAll().execute(), [])
  })
}

test('a sign-in during a change that ends all sessions leaves no session of before', async (t) => {
  const {
    twins: [app],
    db,
  } = await place(t)
  await register(app, 'alice@example.com')
  const change = new pg.Client(await databaseUrl())
  await change.connect()
  t.after(() => change.end())
  // A password reset: another stamp, then no sessions; its commit comes after the sign-in has begun.
  await change.query(
    `begin; update ${db.schema}.users set security_stamp = 'another'; delete from ${db.schema}.sessions`,
  )
  const answer = login(app, 'alice@example.com')
  const settled = answer.then(() => true)
  const waiting = `select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%"${db.schema}".%'`
  const blocked = async () => (await change.query(waiting)).rowCount! > 0
  await until(async () => await Promise.race([settled, blocked()]))
  await change.query('commit')
  assert.equal((await answer).status, 401)
  assert.deepEqual(await db.kysely.selectFrom('sessions').selectAll().execute(), [])
  assert.equal((await login(app, 'alice@example.com', password)).status, 200)
})
