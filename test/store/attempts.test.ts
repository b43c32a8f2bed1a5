import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { sql } from 'kysely'
import {
  admitAttempt,
  clearAttempts,
  countFailure,
  failAttempt,
  type LockoutLimits,
  purgeAttempts,
  releaseAttempts,
  type Reservation,
} from '../../src/store/attempts.js'
import { table } from '../../src/store/db.js'
import { openStore } from '../support/store.js'

const key = Buffer.from('the key of one name')
const limits = { maxFailedAccessAttempts: 5, lockoutSeconds: 300 }
const day = 86_400_000
const sameKeys = (name: string) => ({ folded: name, spelled: name })

async function place(t: TestContext, these: LockoutLimits = limits, isUser = false) {
  const time = { now: Date.parse('2026-01-01T00:00:00Z') }
  const db = await openStore(t, () => time.now)
  if (isUser) {
    await sql`insert into ${table(db, 'users')} (id, user_name, normalized_user_name, security_stamp, concurrency_stamp, lockout_enabled)
      values (gen_random_uuid(), 'somebody', 'SOMEBODY', 'stamp', gen_random_uuid(), true)`.execute(db.kysely)
  }
  const reserved: Reservation[] = []
  const admit = async (limitsNow = these) => {
    const reservation = { key, id: randomUUID() }
    const { state } = await admitAttempt(db, reservation, sameKeys(isUser ? 'SOMEBODY' : 'NOBODY'), limitsNow, true)
    if (state === 'admitted') reserved.push(reservation)
    return state
  }
  const fail = (limitsNow = these) => failAttempt(db, reserved.pop() ?? { key, id: 'none' }, limitsNow)
  return {
    time,
    db,
    admit,
    state: () => admit(),
    fail,
    /** The reservations that are not settled yet. */
    reserved,
    /** One wrong attempt, as a sign-in makes it. */
    wrong: async () => {
      assert.equal(await admit(), 'admitted')
      return fail()
    },
    row: async () => {
      const row = await db.kysely.selectFrom('attempts').selectAll().executeTakeFirst()
      return row && { ...row, key: undefined }
    },
  }
}

test('as many attempts run at once as may still fail, and one more when one has ended', async (t) => {
  const { db, state, wrong, reserved } = await place(t)
  await wrong()
  const states = await Promise.all(Array.from({ length: 20 }, state))
  assert.equal(states.filter((one) => one === 'admitted').length, 4)
  assert.equal(states.filter((one) => one === 'crowded').length, 16)
  const [first] = reserved
  assert.ok(first)
  assert.deepEqual(await releaseAttempts(db, [first, { key, id: 'unknown' }]), [first.id])
  assert.deepEqual(await releaseAttempts(db, [first]), [])
  assert.equal(await state(), 'admitted')
  assert.equal(await state(), 'crowded')
})

test('a reservation of a process that died is forgotten 15 seconds after it was made', async (t) => {
  const { time, state, row } = await place(t)
  for (let attempt = 0; attempt < 5; attempt++) await state()
  time.now += 15_000
  assert.equal(await state(), 'crowded')
  time.now += 1
  assert.equal(await state(), 'admitted')
  assert.equal(Object.keys((await row())?.reservations ?? {}).length, 1)
})

test('each lock lasts twice as long as the one before, and a day at most', async (t) => {
  const { time, state, wrong } = await place(t)
  for (let lock = 0; lock < 12; lock++) {
    for (let attempt = 1; attempt < 5; attempt++) assert.equal(await wrong(), false)
    assert.equal(await wrong(), true)
    time.now += Math.min(300_000 * 2 ** lock, day) - 1
    assert.equal(await state(), 'locked', `lock ${lock}`)
    time.now += 1
  }
  assert.equal(await state(), 'admitted')
})

test('a first lock that is longer than a day is kept', async (t) => {
  const { time, state, wrong } = await place(t, { maxFailedAccessAttempts: 1, lockoutSeconds: 3 * 86_400 })
  await wrong()
  time.now += 3 * day - 1
  assert.equal(await state(), 'locked')
  time.now += 1
  assert.equal(await wrong(), true)
  time.now += 3 * day
  assert.equal(await state(), 'admitted')
})

for (const maxFailedAccessAttempts of [5, 7, 100]) {
  test(`with ${maxFailedAccessAttempts} attempts to a lock, the hundredth failure in a row locks until it is cleared`, async (t) => {
    const { time, db, state, wrong } = await place(t, { ...limits, maxFailedAccessAttempts }, true)
    for (let failure = 1; failure < 100; failure++) {
      if (await wrong()) time.now += day
    }
    assert.equal(await wrong(), true)
    time.now += 1000 * day
    assert.equal(await state(), 'locked')
    await purgeAttempts(db)
    assert.equal(await state(), 'locked')
    await clearAttempts(db, key)
    assert.equal(await wrong(), maxFailedAccessAttempts === 1)
  })
}

test('attempts that run at once never exceed a hundred failures in a row', async (t) => {
  const { time, state, wrong, fail } = await place(t, { ...limits, maxFailedAccessAttempts: 30 }, true)
  for (let failure = 1; failure <= 97; failure++) {
    if (await wrong()) time.now += day
  }
  time.now += day
  const states = await Promise.all(Array.from({ length: 20 }, state))
  assert.equal(states.filter((one) => one === 'admitted').length, 3)
  for (let failure = 98; failure <= 100; failure++) await fail()
  time.now += 1000 * day
  assert.equal(await state(), 'locked')
})

test('a limit that was lowered below what has failed admits one attempt, not none', async (t) => {
  const { time, wrong, admit, fail } = await place(t, { ...limits, maxFailedAccessAttempts: 10 })
  for (let attempt = 0; attempt < 8; attempt++) await wrong()
  const states = await Promise.all(Array.from({ length: 5 }, () => admit(limits)))
  assert.equal(states.filter((one) => one === 'admitted').length, 1)
  assert.equal(await fail(limits), true)
  time.now += 300_000
  assert.equal(await admit(limits), 'admitted')
})

test('a locked name counts nothing, and further attempts do not prolong the lock', async (t) => {
  const { time, state, wrong, row } = await place(t)
  for (let attempt = 0; attempt < 5; attempt++) await wrong()
  const locked = await row()
  for (let attempt = 0; attempt < 10; attempt++) {
    time.now += 1000
    assert.equal(await state(), 'locked')
  }
  assert.deepEqual(await row(), locked)
})

test('a row without failures is deleted after a minute, one with failures of a user after 30 days', async (t) => {
  const { time, db, state, row, fail, reserved } = await place(t, limits, true)
  const assertLasts = async (milliseconds: number) => {
    time.now += milliseconds - 1
    await purgeAttempts(db)
    assert.notEqual(await row(), undefined)
    time.now += 1
    await purgeAttempts(db)
    assert.equal(await row(), undefined)
  }
  await state()
  await releaseAttempts(db, reserved.splice(0))
  await assertLasts(60_000)
  await state()
  await fail()
  await assertLasts(30 * day)
})

for (const [failures, milliseconds] of [
  [1, 600_000],
  [4, 600_000],
  [5, 600_000],
  [10, 1_200_000],
] as const) {
  test(`the row of a name without a user with ${failures} failures is deleted two lock periods after the last`, async (t) => {
    const { time, db, wrong, row } = await place(t)
    for (let failure = 1; failure <= failures; failure++) {
      if ((await wrong()) && failure < failures) time.now += 300_000
    }
    time.now += milliseconds - 1
    await purgeAttempts(db)
    assert.notEqual(await row(), undefined)
    time.now += 1
    await purgeAttempts(db)
    assert.equal(await row(), undefined)
  })
}

for (const isUser of [true, false]) {
  test(`${isUser ? 'a user' : 'a name without a user'} starts anew two lock periods after the last failure, with a lock and without`, async (t) => {
    const { time, state, wrong } = await place(t, limits, isUser)
    for (let round = 0; round < 3; round++) {
      for (let failure = 0; failure < 4; failure++) assert.equal(await wrong(), false)
      time.now += 600_000
    }
    for (let failure = 0; failure < 4; failure++) assert.equal(await wrong(), false)
    time.now += 599_999
    assert.equal(await wrong(), true)
    time.now += 299_999
    assert.equal(await state(), 'locked')
    time.now += 300_001
    for (let failure = 0; failure < 4; failure++) assert.equal(await wrong(), false)
    assert.equal(await wrong(), true)
    // A first lock again.
    time.now += 300_000
    assert.equal(await state(), 'admitted')
  })
}

test('failures of a user count towards the hundredth, however far apart they are', async (t) => {
  const { time, state, wrong } = await place(t, limits, true)
  for (let failure = 1; failure < 100; failure++) {
    assert.equal(await wrong(), false)
    time.now += 600_000
  }
  assert.equal(await wrong(), true)
  time.now += 1000 * day
  assert.equal(await state(), 'locked')
})

test('of names without a user the newest are kept, and rows of users are not counted among them', async (t) => {
  const { time, db } = await place(t)
  const names = Array.from({ length: 30 }, (_, index) => Buffer.from(`name ${String(index)}`))
  for (const one of names) {
    time.now += 1000
    const reservation = { key: one, id: 'only' }
    await admitAttempt(db, reservation, sameKeys('NOBODY'), limits, true)
    await failAttempt(db, reservation, limits)
  }
  await countFailure(db, key, limits)
  await purgeAttempts(db, 10)
  const rows = await db.kysely.selectFrom('attempts').select(['key', 'has_user']).orderBy('expires_at').execute()
  assert.deepEqual(
    rows.map((row) => [row.key.toString(), row.has_user]),
    [...names.slice(20).map((one) => [one.toString(), false]), [key.toString(), true]],
  )
})

test('a failure that may have been counted already is counted once', async (t) => {
  const { db, state, reserved, row } = await place(t, limits, true)
  await state()
  const [reservation] = reserved
  assert.ok(reservation)
  for (let time = 0; time < 3; time++) await failAttempt(db, reservation, limits, true)
  assert.equal((await row())?.total_failures, 1)
})
