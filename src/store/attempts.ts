// The throttle of sign-in attempts: reserve before verifying, count afterwards. Any number of parallel guesses on any number of
// instances verifies at most `limit` wrong passwords, and no right one is refused for being parallel (security D8).
//
//   failures        wrong attempts since the last success or lock
//   total_failures  wrong attempts since the last success; at 100 only a reset by mail opens again (NIST SP 800-63B-4 §3.2.2)
//   locks           locks since the last success; each doubles the next
//   reservations    attempts that are being verified right now, by id, with the time of each in milliseconds; forgotten after 15 s
//                   (a process that died)
//   has_user        whether a user had the name at the last attempt
//   lapses_at       two lock periods after the last failure, when failures and locks are forgotten: for a user and for a name without
//                   one alike, since a difference would reveal which it is. total_failures of a user stays
//   expires_at      when the row is no longer needed: with lapses_at, or 30 days after the last failure of a user
import { type RawBuilder, sql } from 'kysely'
import { deleteInBatches } from './batches.js'
import { type Db, table } from './db.js'
import { retrying } from './transaction.js'
import { isBeyondAscii, type NameKeys } from './name-keys.js'
import { cachedStatement, type Parameter } from './statement-cache.js'
import { authenticatorKeyColumn } from './second-factors.js'
import { grantColumns, userColumns, type UserRow, type UserWithGrants, withGrants } from './users.js'

/** The number of failed attempts before a lock, and the length of the first lock. */
export interface LockoutLimits {
  readonly maxFailedAccessAttempts: number
  readonly lockoutSeconds: number
}

/** The user of a sign-in, with the sealed key of their authenticator app if there is one. */
export interface FoundUser extends UserWithGrants {
  readonly authenticatorKey: string | null
}

/** One attempt that is being verified: the keyed hash of its name, and an id of its own. */
export interface Reservation {
  readonly key: Buffer
  readonly id: string
}

export type Admission =
  | { readonly state: 'locked' }
  | { readonly state: 'crowded' }
  | {
      readonly state: 'admitted'
      /** false for a user (or a name) that is never locked: no attempt was reserved, and none is counted. */
      readonly tracked: boolean
      readonly found: FoundUser | null
      /** How many attempts of the name may run at once. */
      readonly room: number
    }

/** How long a reservation lasts that is neither settled nor released. */
export const reservationMilliseconds = 15_000

/** How many rows are kept of names without a user. */
const maxNamesWithoutUser = 100_000

const maxTotalFailures = 100
const maxLockSeconds = 86_400

type AdmissionRow = UserRow & { room: number | string | null; locked: boolean | null; authenticatorKey: string | null }

const milliseconds = (db: Db) => sql`(extract(epoch from ${db.now()}) * 1000)::bigint`
const isLapsed = (db: Db) => sql`t.lapses_at <= ${db.now()}`
const failures = (db: Db) => sql`(case when ${isLapsed(db)} then 0 else t.failures end)`
const locks = (db: Db) => sql`(case when ${isLapsed(db)} then 0 else t.locks end)`
const totalFailures = (db: Db) => sql`(case when ${isLapsed(db)} and not t.has_user then 0 else t.total_failures end)`
const isLocked = (db: Db) => sql`coalesce(t.locked_until > ${db.now()} and (t.has_user or not ${isLapsed(db)}), false)`
const oneMinuteOn = (db: Db) => sql`${db.now()} + interval '1 minute'`

function room(maxFailures: number | Parameter, failed: RawBuilder<unknown>, totalFailed: RawBuilder<unknown>) {
  return sql`greatest(1, least(${maxFailures}::integer - ${failed}, ${maxTotalFailures} - ${totalFailed}))`
}

/**
 * Reserves one attempt for a name, unless it is locked or as many run as may still fail, and brings the user in the same statement.
 *
 * @param trackUnknown whether names without a user are counted too, so that a lock proves nothing
 */
export async function admitAttempt(
  db: Db,
  { key, id }: Reservation,
  name: NameKeys,
  limits: LockoutLimits,
  trackUnknown: boolean,
): Promise<Admission> {
  const maxFailures = limits.maxFailedAccessAttempts
  const [row] = await retrying(() =>
    isBeyondAscii(name.folded)
      ? admitFolded(db, { key, id, ...name, maxFailures, trackUnknown })
      : admit(db, { key, id, folded: name.folded, maxFailures, trackUnknown }),
  )
  if (row === undefined) throw new Error('A select without a condition returned no row')
  const { room, locked, authenticatorKey, ...user } = row
  // The outer join returns nulls where there is no such user.
  const found = (user.id as string | null) === null ? null : { ...withGrants(user), authenticatorKey }
  const tracked = found === null ? trackUnknown : found.user.lockoutEnabled
  if (room !== null || !tracked)
    return { state: 'admitted', tracked, found, room: room === null ? Infinity : Number(room) }
  return { state: locked === true ? 'locked' : 'crowded' }
}

const admit = cachedStatement(
  'admitAttempt',
  ['key', 'id', 'folded', 'maxFailures', 'trackUnknown'],
  (db, { folded, ...attempt }) =>
    admission(db, attempt, sql`select * from ${table(db, 'users')} where normalized_user_name = ${folded}`),
)

/** The same for a name with letters beyond ASCII: of two who were told apart by their case before, the one who is spelled so. */
const admitFolded = cachedStatement(
  'admitFoldedAttempt',
  ['key', 'id', 'folded', 'spelled', 'maxFailures', 'trackUnknown'],
  (db, { folded, spelled, ...attempt }) =>
    admission(
      db,
      attempt,
      sql`select * from ${table(db, 'users')} where folded_user_name = ${folded}
        order by normalized_user_name = ${spelled} desc, name_rank limit 1`,
    ),
)

/** @param named the row of the user, if there is one */
function admission(
  db: Db,
  { key, id, maxFailures, trackUnknown }: Readonly<Record<'key' | 'id' | 'maxFailures' | 'trackUnknown', Parameter>>,
  named: RawBuilder<unknown>,
): RawBuilder<AdmissionRow> {
  return sql<AdmissionRow>`
  with admitted as (
    insert into ${table(db, 'attempts')} as t (key, reservations, pending_at, has_user, lapses_at, expires_at)
    select ${key}, jsonb_build_object(${id}::text, ${milliseconds(db)}), ${db.now()}, named.has_user, ${db.now()}, ${oneMinuteOn(db)}
    from (select count(*) > 0 as has_user, coalesce(bool_or(lockout_enabled), ${trackUnknown}::boolean) as is_tracked
      from (${named}) one) named
    where named.is_tracked
    on conflict (key) do update set
      failures = ${failures(db)}, locks = ${locks(db)}, total_failures = ${totalFailures(db)}, locked_until = null,
      reservations = (select coalesce(jsonb_object_agg(r.key, r.value), '{}') from ${running(db)}) || excluded.reservations,
      pending_at = excluded.pending_at,
      has_user = excluded.has_user,
      -- Written only where it must be: the column is indexed.
      expires_at = case when t.expires_at < ${db.now()} + interval '30 seconds' then excluded.expires_at else t.expires_at end
    where not ${isLocked(db)}
      and (select count(*) from ${running(db)}) < ${room(maxFailures, failures(db), totalFailures(db))}
    returning ${room(maxFailures, sql`t.failures`, sql`t.total_failures`)} as room)
  select (select room from admitted) as room, ${isLocked(db)} as locked,
    ${userColumns}, ${grantColumns(db)}, ${authenticatorKeyColumn(db)}
  from (select 1) as one
    left join (${named}) u on true
    left join ${table(db, 'attempts')} t on t.key = ${key}`
}

/** The reservations of row `t` that still count. */
function running(db: Db): RawBuilder<unknown> {
  return sql`jsonb_each(t.reservations) r where r.value::bigint >= ${milliseconds(db)} - ${reservationMilliseconds}::integer`
}

/** What a wrong attempt does to a name's row `t`. */
function failure(db: Db, limits: LockoutLimits) {
  const isLast = sql`${totalFailures(db)} + 1 >= ${maxTotalFailures}`
  const locksNow = sql`(${failures(db)} + 1 >= ${limits.maxFailedAccessAttempts}::integer or ${isLast})`
  const longest = Math.max(maxLockSeconds, limits.lockoutSeconds)
  // Of the lock that begins, or of the latest one.
  const doubled = sql`2 ^ least(greatest(${locks(db)} - case when ${locksNow} then 0 else 1 end, 0), 20)`
  const period = sql`make_interval(secs => least(${limits.lockoutSeconds}::double precision * ${doubled}, ${longest}::double precision))`
  const lapse = sql`case
    when not (${isLast}) then ${db.now()} + 2 * ${period}
    when t.has_user then 'infinity' else ${db.now()} + interval '30 days' end`
  return sql`
    total_failures = ${totalFailures(db)} + 1,
    failures = case when ${locksNow} then 0 else ${failures(db)} + 1 end,
    locks = case when ${locksNow} then ${locks(db)} + 1 else ${locks(db)} end,
    locked_until = case when ${isLast} then 'infinity' when ${locksNow} then ${db.now()} + ${period} else t.locked_until end,
    lapses_at = ${lapse},
    expires_at = case when t.has_user then greatest(${db.now()} + interval '30 days', ${lapse}) else ${lapse} end`
}

/**
 * Counts a wrong attempt that was reserved; true when this or an earlier one locks the name.
 *
 * @param isAgain whether an earlier call may have counted it already: then it is counted only while it is reserved
 */
export async function failAttempt(
  db: Db,
  { key, id }: Reservation,
  limits: LockoutLimits,
  isAgain = false,
): Promise<boolean> {
  const {
    rows: [row],
  } = await sql<{ locked: boolean | null }>`
    update ${table(db, 'attempts')} t set reservations = t.reservations - ${id}::text, ${failure(db, limits)}
    where key = ${key} and (not ${isAgain}::boolean or t.reservations ? ${id}::text)
    returning locked_until > ${db.now()} as locked`.execute(db.kysely)
  return row?.locked === true
}

/** Counts a wrong attempt of a user that was not reserved; while the name is locked nothing is counted. */
export async function countFailure(db: Db, key: Buffer, limits: LockoutLimits): Promise<void> {
  await sql`insert into ${table(db, 'attempts')} (key, pending_at, has_user, lapses_at, expires_at)
    values (${key}, ${db.now()}, true, ${db.now()}, ${oneMinuteOn(db)})
    on conflict (key) do update set has_user = true`.execute(db.kysely)
  await sql`update ${table(db, 'attempts')} t set ${failure(db, limits)} where key = ${key} and not ${isLocked(db)}`.execute(
    db.kysely,
  )
}

/** What is known of a name's attempts. `lockedUntil` is milliseconds since the epoch, Infinity where only a reset by mail opens. */
export async function readAttempts(
  db: Db,
  key: Buffer,
): Promise<{ failures: number; locked: boolean; lockedUntil: number | null }> {
  const {
    rows: [row],
  } = await sql<{ failures: number | string; locked: boolean; lockedUntil: number | null }>`
    select ${failures(db)} as failures, ${isLocked(db)} as locked,
      extract(epoch from locked_until)::double precision * 1000 as "lockedUntil"
    from ${table(db, 'attempts')} t where key = ${key}`.execute(db.kysely)
  if (row === undefined) return { failures: 0, locked: false, lockedUntil: null }
  // A cluster whose integers have 64 bits delivers them as text.
  return { ...row, failures: Number(row.failures) }
}

/** Forgets the failures, and leaves a lock as it is. */
export async function resetFailures(db: Db, key: Buffer): Promise<void> {
  await sql`update ${table(db, 'attempts')} set failures = 0, total_failures = 0, locks = 0 where key = ${key}`.execute(
    db.kysely,
  )
}

/** What a reserved attempt that was right and completes a sign-in does to a name's row: forgets failures and locks. */
export function success(db: Db, id: string | Parameter): RawBuilder<unknown> {
  return sql`
    reservations = reservations - ${id}::text, failures = 0, total_failures = 0, locks = 0, locked_until = null,
    expires_at = case when total_failures = 0 then expires_at else ${oneMinuteOn(db)} end`
}

/** Settles a reserved attempt that was right and completes a sign-in. */
export async function succeedAttempt(db: Db, { key, id }: Reservation): Promise<void> {
  await sql`update ${table(db, 'attempts')} set ${success(db, id)} where key = ${key}`.execute(db.kysely)
}

/**
 * Gives reserved attempts back without a verdict: they were neither wrong nor a complete sign-in.
 *
 * @returns the ids of those that were reserved
 */
export async function releaseAttempts(db: Db, reservations: readonly Reservation[]): Promise<string[]> {
  const keys = reservations.map(({ key }) => key)
  const ids = reservations.map(({ id }) => id)
  const { rows } = await sql<{ ids: string[] }>`
    update ${table(db, 'attempts')} t set reservations = t.reservations - given.ids
    from (select one.key, array_agg(one.id) as ids
      from unnest(${keys}::bytea[], ${ids}::text[]) as one (key, id)
        join ${table(db, 'attempts')} reserved on reserved.key = one.key and reserved.reservations ? one.id
      group by one.key) given
    where t.key = given.key
    returning given.ids`.execute(db.kysely)
  return rows.flatMap(({ ids }) => ids)
}

/** Forgets failures and locks: a reset by mail or an administrator. */
export async function clearAttempts(db: Db, key: Buffer): Promise<void> {
  await sql`update ${table(db, 'attempts')} set
    failures = 0, total_failures = 0, locks = 0, locked_until = null, expires_at = ${oneMinuteOn(db)}
    where key = ${key}`.execute(db.kysely)
}

/**
 * Drops rows that are no longer needed, and of names without a user those above `most`, oldest first: a flood of names costs that many rows,
 * and what arrives between two calls.
 */
export async function purgeAttempts(db: Db, most = maxNamesWithoutUser): Promise<void> {
  await deleteInBatches(db, 'attempts', sql`not has_user and expires_at <= ${db.now()}`)
  // A lock of the version before this table had expires_at ends by its own time.
  await deleteInBatches(
    db,
    'attempts',
    sql`has_user and expires_at <= ${db.now()} and coalesce(locked_until, '-infinity') <= ${db.now()}`,
  )
  const {
    rows: [surplus],
  } = await sql<{ expiresAt: string }>`select expires_at::text as "expiresAt" from ${table(db, 'attempts')}
    where not has_user order by expires_at desc offset ${most} limit 1`.execute(db.kysely)
  if (surplus === undefined) return
  await deleteInBatches(
    db,
    'attempts',
    sql`not has_user and expires_at <= ${surplus.expiresAt}::timestamptz and reservations = '{}'`,
  )
}
