// The statements of sessions that no test reaches over HTTP: revocations in pages, and deletion in batches.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { deleteInBatches } from '../../src/store/batches.js'
import { type Db, table } from '../../src/store/db.js'
import { findNotes, oldestWriterSeconds } from '../../src/store/notes.js'
import { endSessions, purgeNotes } from '../../src/store/session-ends.js'
import { inTransaction } from '../../src/store/transaction.js'
import { isSessionUnused, openSession } from '../../src/store/sessions.js'
import { until } from '../support/instances.js'
import { openStore } from '../support/store.js'

/** Revocations that are so many seconds old, some at the very same moment. */
async function note(db: Db, count: number, seconds: number): Promise<void> {
  await sql`insert into ${table(db, 'revocations')} (session_id, revoked_at)
    select gen_random_uuid(), now() - make_interval(secs => ${seconds}) - interval '1 ms' * (n / 7) from generate_series(1, ${count}::int) n`.execute(
    db.kysely,
  )
}

async function count(db: Db, name: 'revocations' | 'attempts'): Promise<number> {
  const {
    rows: [row],
  } = await sql<{ count: string }>`select count(*) from ${table(db, name)}`.execute(db.kysely)
  return Number(row!.count)
}

test('revocations are read in pages, each once, also those of one moment, and none that is too old', async (t) => {
  const db = await openStore(t)
  await note(db, 1000, 10)
  await note(db, 50, 7200)
  for (const pageSize of [1, 3, 7, 250, 999, 1000, 1001]) {
    const pages: number[] = []
    const ids = new Set<string>()
    await findNotes(
      db,
      3600,
      ({ ends }) => {
        pages.push(ends.length)
        for (const { id } of ends) ids.add(id)
      },
      pageSize,
    )
    assert.equal(ids.size, 1000)
    assert.deepEqual(pages, [...Array.from({ length: Math.floor(1000 / pageSize) }, () => pageSize), 1000 % pageSize])
  }
})

test('a backlog is deleted in batches, and rows that are still needed stay', async (t) => {
  const db = await openStore(t)
  const [batches, measure] = [sql.id(db.schema, 'batches'), sql.id(db.schema, 'measure')]
  await sql`create table ${batches} (size int)`.execute(db.kysely)
  await sql`create function ${measure}() returns trigger language plpgsql as
    $$ begin insert into ${batches} select count(*) from gone; return null; end $$`.execute(db.kysely)
  await sql`create trigger measure after delete on ${table(db, 'revocations')}
    referencing old table as gone for each statement execute function ${measure}()`.execute(db.kysely)
  await note(db, 2500, 7201)
  await note(db, 100, 7100)
  await deleteInBatches(db, 'revocations', sql`revoked_at < now() - interval '2 hours'`, 1000)
  const { rows } = await sql<{ size: number }>`select size from ${batches}`.execute(db.kysely)
  assert.deepEqual(
    rows.map(({ size }) => size),
    [1000, 1000, 500],
  )
  assert.equal(await count(db, 'revocations'), 100)
  await note(db, 12_000, 7201)
  await purgeNotes(db, 7200)
  assert.equal(await count(db, 'revocations'), 100)
})

test('two instances that delete at once share the work, and skip rows in use', async (t) => {
  const db = await openStore(t)
  await note(db, 5000, 7201)
  await db.kysely.transaction().execute(async (trx) => {
    await sql`select 1 from ${table(db, 'revocations')} limit 10 for update`.execute(trx)
    await Promise.all(
      [1, 2].map(() => deleteInBatches(db, 'revocations', sql`revoked_at < now() - interval '2 hours'`, 500)),
    )
    assert.equal(await count(db, 'revocations'), 10)
  })
  await purgeNotes(db, 7200)
  assert.equal(await count(db, 'revocations'), 0)
})

test('an open transaction that has written is known by its age, one that has only read is not', async (t) => {
  const db = await openStore(t)
  await db.kysely.transaction().execute(async (trx) => {
    await sql`select 1 from ${table(db, 'revocations')}`.execute(trx)
    const {
      rows: [own],
    } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx)
    const isSeen = async () => {
      const { rows } =
        await sql`select 1 from pg_stat_activity where pid = ${own!.pid} and backend_xid is not null`.execute(db.kysely)
      return rows.length === 1
    }
    assert.equal(await isSeen(), false)
    await sql`insert into ${table(db, 'revocations')} values (gen_random_uuid(), now())`.execute(trx)
    assert.equal(await isSeen(), true)
    const before = await oldestWriterSeconds(db)
    assert.ok(before > 0)
    await until(async () => (await oldestWriterSeconds(db)) > before + 0.05)
  })
})

const userId = '0197a000-0000-7000-8000-000000000001'
const newSession = {
  id: '0197a000-0000-7000-8000-000000000002',
  isGivenId: true,
  userId,
  securityStamp: 'stamp',
  createdAt: Date.now(),
  expiresAt: Date.now() + 3_600_000,
  amr: [],
  client: null,
  method: 'authenticator',
  address: null,
  claims: [],
}

async function insertUser(db: Db): Promise<void> {
  await sql`insert into ${table(db, 'users')} (id, user_name, normalized_user_name, security_stamp, concurrency_stamp, lockout_enabled)
    values (${userId}, 'ada', 'ADA', 'stamp', ${userId}, true)`.execute(db.kysely)
}

test('an id opens one session: not while it lives, and not after it has ended', async (t) => {
  const db = await openStore(t)
  await insertUser(db)
  assert.equal(await isSessionUnused(db, newSession.id), true)
  const opened = await Promise.all(Array.from({ length: 20 }, () => openSession(db, newSession, null)))
  assert.equal(opened.filter((isOpened) => isOpened).length, 1)
  assert.equal(await isSessionUnused(db, newSession.id), false)
  await endSessions(db, { id: newSession.id }, 'signOut')
  assert.equal(await openSession(db, newSession, null), false)
  assert.equal(await isSessionUnused(db, newSession.id), false)
})

test('an id opens no second session while the end of the first is being committed', async (t) => {
  const db = await openStore(t)
  await insertUser(db)
  assert.equal(await openSession(db, newSession, null), true)
  let second: Promise<boolean> | null = null
  await inTransaction(db, async (trx) => {
    await endSessions(trx, { id: newSession.id }, 'signOut')
    // It has read that there is no note, and waits for the row of the same id.
    second = openSession(db, newSession, null)
    // Asked by another connection: a transaction sees the activity of its first look.
    await until(async () => {
      const { rows } = await sql`select 1 from pg_stat_activity
        where wait_event_type = 'Lock' and query like ${`%insert into%${db.schema}%sessions%`}`.execute(db.kysely)
      return rows.length > 0
    })
  })
  assert.equal(await second!, false)
  const { rows } = await sql`select 1 from ${table(db, 'sessions')} where id = ${newSession.id}`.execute(db.kysely)
  assert.equal(rows.length, 0)
})
