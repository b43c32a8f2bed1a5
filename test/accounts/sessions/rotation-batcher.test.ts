import { test, type TestContext } from 'node:test'
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import pg from 'pg'
import { gatherRotations } from '../../../src/accounts/sessions/rotation-batcher.js'
import { DatabaseUnavailable } from '../../../src/errors.js'
import { connect } from '../../../src/store/connect.js'
import { table } from '../../../src/store/db.js'
import { inTransaction } from '../../../src/store/transaction.js'
import { migrate } from '../../../src/store/migrate.js'
import { endSessions } from '../../../src/store/session-ends.js'
import { clientThat } from '../../support/faulty-pool.js'
import { databaseUrl, uniqueSchema } from '../../support/postgres.js'

/** Sessions of one user, and the statements that rotations cost. */
async function place(t: TestContext) {
  const statements: string[] = []
  let fault: string | null = null
  const pool = new pg.Pool({
    connectionString: await databaseUrl(),
    Client: clientThat((text) => {
      if (!/counter \+ 1/.test(text)) return
      statements.push(text)
      if (fault !== null) throw Object.assign(new Error('injected'), { code: fault })
    }),
  })
  t.after(() => pool.end())
  const db = connect(pool, uniqueSchema(), undefined, {}, (error) => t.diagnostic(error.message))
  await migrate(db)
  const userId = randomUUID()
  await sql`insert into ${table(db, 'users')} (id, user_name, normalized_user_name, security_stamp, concurrency_stamp, lockout_enabled)
    values (${userId}, 'ada', 'ADA', 'STAMP', ${randomUUID()}, true)`.execute(db.kysely)
  return {
    db,
    statements,
    rotate: gatherRotations(db),
    failWith: (state: string | null) => {
      fault = state
    },
    sessions: async (count: number): Promise<string[]> => {
      const ids = Array.from({ length: count }, () => randomUUID())
      await sql`insert into ${table(db, 'sessions')} (id, user_id, created_at, last_seen_at, expires_at, amr)
        select id, ${userId}::uuid, now(), now(), now() + interval '1 day', '{pwd}' from unnest(${ids}::uuid[]) id`.execute(
        db.kysely,
      )
      return ids
    },
    counters: async (): Promise<number[]> => {
      const { rows } = await sql<{ counter: number }>`select counter from ${table(db, 'sessions')}`.execute(db.kysely)
      return rows.map(({ counter }) => counter)
    },
  }
}

test('refreshes of one turn share a statement, and each gets its own session', async (t) => {
  const { rotate, sessions, statements, counters } = await place(t)
  const ids = await sessions(30)
  const moved = await Promise.all(ids.map((id) => rotate(id, 0)))
  assert.deepEqual(
    moved.map((session) => [session?.counter, session?.user.userName, session?.amr]),
    ids.map(() => [1, 'ada', ['pwd']]),
  )
  assert.equal(statements.length, 1)
  assert.deepEqual(
    await counters(),
    ids.map(() => 1),
  )
})

test('one that arrives alone waits for nobody and is its own statement', async (t) => {
  const { rotate, sessions, statements } = await place(t)
  const [id] = await sessions(1)
  for (const counter of [0, 1, 2]) assert.equal((await rotate(id!, counter))?.counter, counter + 1)
  assert.equal(statements.length, 3)
  assert.ok(statements.every((text) => !text.includes('unnest')))
})

test('more than a hundred go in several statements', async (t) => {
  const { rotate, sessions, statements, counters } = await place(t)
  const ids = await sessions(250)
  await Promise.all(ids.map((id) => rotate(id, 0)))
  assert.equal(statements.length, 3)
  assert.deepEqual(new Set(await counters()), new Set([1]))
})

test('a used token, an ended session and one that never was are refused among others that go on', async (t) => {
  const { db, rotate, sessions } = await place(t)
  const [used, ended, good, better] = await sessions(4)
  await rotate(used!, 0)
  await endSessions(db, { id: ended! }, 'revoked')
  const answers = await Promise.all([
    rotate(used!, 0),
    rotate(ended!, 0),
    rotate(randomUUID(), 0),
    rotate(good!, 0),
    rotate(better!, 0),
  ])
  assert.deepEqual(
    answers.map((session) => session?.counter ?? null),
    [null, null, null, 1, 1],
  )
})

test('of one token twice in a turn one moves the session', async (t) => {
  const { rotate, sessions, counters } = await place(t)
  const [twice, other] = await sessions(2)
  const answers = await Promise.all([rotate(twice!, 0), rotate(twice!, 0), rotate(other!, 0)])
  assert.equal(answers.slice(0, 2).filter((session) => session !== null).length, 1)
  assert.equal(answers[2]?.counter, 1)
  assert.deepEqual(await counters(), [1, 1])
})

test("nobody waits for a row that somebody else's transaction holds", async (t) => {
  const { db, rotate, sessions } = await place(t)
  const [held, first, second] = await sessions(3)
  let settled = false
  const waiting = await inTransaction(db, async (trx) => {
    await endSessions(trx, { id: held! }, 'revoked')
    const answer = rotate(held!, 0).finally(() => {
      settled = true
    })
    const others = await Promise.all([rotate(first!, 0), rotate(second!, 0)])
    assert.deepEqual(
      others.map((session) => session?.counter),
      [1, 1],
    )
    assert.equal(settled, false)
    return { answer }
  })
  assert.equal(await waiting.answer, null)
})

test('two instances that rotate the same sessions at once move each of them once', async (t) => {
  const { db, rotate, sessions, counters } = await place(t)
  const ids = await sessions(60)
  const elsewhere = gatherRotations(db)
  const answers = await Promise.all([
    ...ids.map((id) => rotate(id, 0)),
    ...ids.toReversed().map((id) => elsewhere(id, 0)),
  ])
  assert.equal(answers.filter((session) => session !== null).length, 60)
  assert.deepEqual(new Set(await counters()), new Set([1]))
})

test('a database that is gone fails each of them, and the next ones are answered', async (t) => {
  const { rotate, sessions, failWith } = await place(t)
  const ids = await sessions(5)
  failWith('57P01')
  const failures = await Promise.allSettled(ids.map((id) => rotate(id, 0)))
  assert.ok(failures.every((failure) => failure.status === 'rejected' && failure.reason instanceof DatabaseUnavailable))
  failWith(null)
  assert.equal(
    (await Promise.all(ids.map((id) => rotate(id, 0)))).filter((session) => session?.counter === 1).length,
    5,
  )
})
