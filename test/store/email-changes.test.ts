// Which of several codes that change an address counts, as the database decides it.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { sql } from 'kysely'
import { requestEmailChange, useEmailChange, wasEmailChanged } from '../../src/store/email-changes.js'
import { table } from '../../src/store/db.js'
import { openStore } from '../support/store.js'

async function place(t: TestContext) {
  const db = await openStore(t)
  const userId = randomUUID()
  await sql`insert into ${table(db, 'users')} (id, user_name, normalized_user_name, email, normalized_email, email_confirmed, security_stamp,
      concurrency_stamp, lockout_enabled)
    values (${userId}, 'ann', 'ANN', 'ann@example.com', 'ANN@EXAMPLE.COM', true, 'stamp', gen_random_uuid(), true)`.execute(
    db.kysely,
  )
  const change = (codeHash: string, issuedAt: number) => ({ userId, codeHash, issuedAt })
  return {
    db,
    request: (codeHash: string, issuedAt: number) => requestEmailChange(db, change(codeHash, issuedAt)),
    use: (codeHash: string, issuedAt: number) => useEmailChange(db, change(codeHash, issuedAt)),
    was: (codeHash: string, address: string) => wasEmailChanged(db, change(codeHash, 0), address),
  }
}

test('the code of the last request counts, however far ahead the clock of an earlier one was', async (t) => {
  const { request, use } = await place(t)
  await request('first', 160)
  await request('second', 105)
  await request('third', 110)
  assert.deepEqual([await use('first', 160), await use('second', 105), await use('third', 110)], [false, false, true])
})

test('a code that was never requested counts where no request came after it', async (t) => {
  const { request, use } = await place(t)
  assert.equal(await use('own', 100), true)
  await request('requested', 200)
  assert.deepEqual(
    [await use('older', 199), await use('of the same second', 200), await use('newer', 201)],
    [false, false, true],
  )
})

test('after a used code any other may come', async (t) => {
  const { request, use } = await place(t)
  await request('requested', 200)
  assert.deepEqual(
    [await use('requested', 200), await use('requested', 200), await use('own', 200)],
    [true, true, true],
  )
})

test('a change was made by the code that was used last, while the user has its address, confirmed', async (t) => {
  const { db, request, use, was } = await place(t)
  await request('code', 100)
  assert.equal(await was('code', 'ANN@EXAMPLE.COM'), false)
  await use('code', 100)
  assert.deepEqual(
    [await was('code', 'ANN@EXAMPLE.COM'), await was('code', 'BOB@EXAMPLE.COM'), await was('other', 'ANN@EXAMPLE.COM')],
    [true, false, false],
  )
  await sql`update ${table(db, 'users')} set email_confirmed = false`.execute(db.kysely)
  assert.equal(await was('code', 'ANN@EXAMPLE.COM'), false)
  await sql`update ${table(db, 'users')} set email_confirmed = true`.execute(db.kysely)
  await request('next', 110)
  assert.equal(await was('code', 'ANN@EXAMPLE.COM'), false)
})
