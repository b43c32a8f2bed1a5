import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import {
  admitAttempt,
  clearAttempts,
  failAttempt,
  type LockoutLimits,
  purgeAttempts,
  releaseAttempt,
} from '../../src/store/attempts.js'
import { openStore } from '../support/store.js'

const key = Buffer.from('the key of one name')
const limits = { maxFailedAccessAttempts: 5, lockoutSeconds: 300 }
const day = 86_400_000

async function place(t: TestContext, these: LockoutLimits = limits) {
  const time = { now: Date.parse('2026-01-01T00:00:00Z') }
  const db = await openStore(t, () => time.now)
  const state = async () => (await admitAttempt(db, key, 'NOBODY', these, true)).state
  return {
    time,
    db,
    state,
    fail: () => failAttempt(db, key, these),
    /** One wrong attempt, as a sign-in makes it. */
    wrong: async () => {
      assert.equal(await state(), 'admitted')
      return failAttempt(db, key, these)
    },
    row: async () => {
      const row = await db.kysely.selectFrom('attempts').selectAll().executeTakeFirst()
      return row && { ...row, key: undefined }
    },
  }
}

test('as many attempts run at once as may still fail, and one more when one has ended', async (t) => {
  const { db, state, wrong } = await place(t)
  await wrong()
  const states = await Promise.all(Array.from({ length: 20 }, state))
  assert.equal(states.filter((one) => one === 'admitted').length, 4)
  assert.equal(states.filter((one) => one === 'crowded').length, 16)
  await releaseAttempt(db, key)
  assert.equal(await state(), 'admitted')
  assert.equal(await state(), 'crowded')
})

test('reservations of a process that died are forgotten 15 seconds after the last of them', async (t) => {
  const { time, state, row } = await place(t)
  for (let attempt = 0; attempt < 5; attempt++) await state()
  time.now += 15_000
  assert.equal(await state(), 'crowded')
  time.now += 1
  assert.equal(await state(), 'admitted')
  assert.equal((await row())?.pending, 1)
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
    const { time, db, state, wrong } = await place(t, { ...limits, maxFailedAccessAttempts })
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
  const { time, state, wrong, fail } = await place(t, { ...limits, maxFailedAccessAttempts: 30 })
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
  const { time, db, wrong } = await place(t, { ...limits, maxFailedAccessAttempts: 10 })
  for (let attempt = 0; attempt < 8; attempt++) await wrong()
  const states = await Promise.all(
    Array.from({ length: 5 }, async () => (await admitAttempt(db, key, 'NOBODY', limits, true)).state),
  )
  assert.equal(states.filter((one) => one === 'admitted').length, 1)
  assert.equal(await failAttempt(db, key, limits), true)
  time.now += 300_000
  assert.equal((await admitAttempt(db, key, 'NOBODY', limits, true)).state, 'admitted')
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

test('rows without information are deleted, and a lock outlives them', async (t) => {
  const { time, db, state, row, fail } = await place(t)
  await state()
  await releaseAttempt(db, key)
  time.now += 60_000
  await purgeAttempts(db)
  assert.notEqual(await row(), undefined)
  time.now += 1
  await purgeAttempts(db)
  assert.equal(await row(), undefined)
  await state()
  await fail()
  time.now += 30 * day
  await purgeAttempts(db)
  assert.notEqual(await row(), undefined)
  time.now += 1
  await purgeAttempts(db)
  assert.equal(await row(), undefined)
})
