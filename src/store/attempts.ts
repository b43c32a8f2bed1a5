// The throttle of sign-in attempts: reserve before verifying, count afterwards. Any number of parallel guesses on any number of
// instances verifies at most `limit` wrong passwords, and no right one is refused for being parallel (security D8).
//
//   failures        wrong attempts since the last success or lock
//   total_failures  wrong attempts since the last success; at 100 only a reset by mail opens again (NIST SP 800-63B-4 §3.2.2)
//   locks           locks since the last success; each doubles the next
//   pending         attempts that are being verified right now, forgotten 15 s after the last one began (a process that died)
import { type RawBuilder, sql } from 'kysely'
import { deleteInBatches } from './batches.js'
import { type Db, retrying, table } from './transaction.js'
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

export type Admission =
  | { readonly state: 'locked' }
  | { readonly state: 'crowded' }
  /** `tracked` is false for a user (or a name) that is never locked: no attempt was reserved, and none is counted. */
  | { readonly state: 'admitted'; readonly tracked: boolean; readonly found: FoundUser | null }

const pendingSeconds = 15
const maxTotalFailures = 100
const maxLockSeconds = 86_400

type AdmissionRow = UserRow & { admitted: boolean; locked: boolean | null; authenticatorKey: string | null }

/**
 * The statement that reserves one attempt, if `condition` holds, the name is not locked, and fewer attempts run than
 * may still fail.
 */
function reservation(db: Db, key: Buffer | Parameter, maxFailures: number | Parameter, condition: RawBuilder<unknown>) {
  return sql`
    insert into ${table(db, 'attempts')} as t (key, pending, pending_at)
    select ${key}, 1, ${db.now()} where ${condition}
    on conflict (key) do update set
      locked_until = null,
      pending = case when t.pending_at < ${db.now()} - make_interval(secs => ${pendingSeconds}) then 1 else t.pending + 1 end,
      pending_at = ${db.now()}
    where (t.locked_until is null or t.locked_until <= ${db.now()})
      and (case when t.pending_at < ${db.now()} - make_interval(secs => ${pendingSeconds}) then 0 else t.pending end)
        < greatest(1, least(${maxFailures}::integer - t.failures, ${maxTotalFailures} - t.total_failures))
    returning 1`
}

/** Reserves one attempt for a name, unless it is locked, or as many run as may still fail. */
export async function reserveAttempt(
  db: Db,
  key: Buffer,
  limits: LockoutLimits,
): Promise<{ readonly state: 'admitted' | 'locked' | 'crowded' }> {
  const {
    rows: [row],
  } = await retrying(() =>
    sql<{ admitted: boolean; locked: boolean | null }>`
    with admitted as (${reservation(db, key, limits.maxFailedAccessAttempts, sql`true`)})
    select exists (select 1 from admitted) as admitted, a.locked_until > ${db.now()} as locked
    from (select 1) as one left join ${table(db, 'attempts')} a on a.key = ${key}`.execute(db.kysely),
  )
  if (row?.admitted === true) return { state: 'admitted' }
  return { state: row?.locked === true ? 'locked' : 'crowded' }
}

/**
 * Reserves one attempt for a name and reads the user in the same statement.
 * @param key keyed hash of the normalised name
 * @param trackUnknown whether unknown names are counted too, so that a lock proves nothing
 */
export async function admitAttempt(
  db: Db,
  key: Buffer,
  normalizedName: string,
  limits: LockoutLimits,
  trackUnknown: boolean,
): Promise<Admission> {
  const [row] = await retrying(() =>
    admit(db, { key, normalizedName, maxFailures: limits.maxFailedAccessAttempts, trackUnknown }),
  )
  if (row === undefined) throw new Error('A select without a condition answered no row')
  const { admitted, locked, authenticatorKey, ...user } = row
  // The outer join returns nulls when there is no such user.
  const found = (user.id as string | null) === null ? null : { ...withGrants(user), authenticatorKey }
  const tracked = found === null ? trackUnknown : found.user.lockoutEnabled
  if (admitted || !tracked) return { state: 'admitted', tracked, found }
  return { state: locked === true ? 'locked' : 'crowded' }
}

const admit = cachedStatement(
  'admitAttempt',
  ['key', 'normalizedName', 'maxFailures', 'trackUnknown'],
  (db, { key, normalizedName, maxFailures, trackUnknown }) => sql<AdmissionRow>`
  with admitted as (${reservation(
    db,
    key,
    maxFailures,
    sql`case
    when exists (select 1 from ${table(db, 'users')} where normalized_user_name = ${normalizedName})
    then exists (select 1 from ${table(db, 'users')} where normalized_user_name = ${normalizedName} and lockout_enabled)
    else ${trackUnknown}::boolean end`,
  )})
  select exists (select 1 from admitted) as admitted, a.locked_until > ${db.now()} as locked,
    ${userColumns}, ${grantColumns(db)}, ${authenticatorKeyColumn(db)}
  from (select 1) as one
    left join ${table(db, 'users')} u on u.normalized_user_name = ${normalizedName}
    left join ${table(db, 'attempts')} a on a.key = ${key}`,
)

/** The change that a wrong attempt makes to a name's row. */
function failure(db: Db, limits: LockoutLimits) {
  const locks = sql`(failures + 1 >= ${limits.maxFailedAccessAttempts}::integer or total_failures + 1 >= ${maxTotalFailures})`
  return sql`
    total_failures = total_failures + 1,
    failures = case when ${locks} then 0 else failures + 1 end,
    locks = case when ${locks} then locks + 1 else locks end,
    locked_until = case
      when total_failures + 1 >= ${maxTotalFailures} then 'infinity'
      when not ${locks} then locked_until
      else ${db.now()} + make_interval(secs => least(${limits.lockoutSeconds}::double precision * 2 ^ least(locks, 20), ${Math.max(maxLockSeconds, limits.lockoutSeconds)}::double precision))
    end`
}

/** Counts a wrong attempt that was reserved; true when this or an earlier one locks the name. */
export async function failAttempt(db: Db, key: Buffer, limits: LockoutLimits): Promise<boolean> {
  const {
    rows: [row],
  } = await sql<{ locked: boolean | null }>`
    update ${table(db, 'attempts')} set pending = greatest(pending - 1, 0), ${failure(db, limits)}
    where key = ${key} returning locked_until > ${db.now()} as locked`.execute(db.kysely)
  return row?.locked === true
}

/** Counts a wrong attempt without a reservation; while the name is locked nothing is counted. */
export async function countFailure(db: Db, key: Buffer, limits: LockoutLimits): Promise<void> {
  await sql`insert into ${table(db, 'attempts')} (key, pending_at) values (${key}, ${db.now()}) on conflict do nothing`.execute(
    db.kysely,
  )
  await sql`
    update ${table(db, 'attempts')} set ${failure(db, limits)}
    where key = ${key} and (locked_until is null or locked_until <= ${db.now()})`.execute(db.kysely)
}

/**
 * The state of a name's attempts. `lockedUntil` is milliseconds since the epoch, Infinity when only a reset by mail
 * unlocks.
 */
export async function readAttempts(
  db: Db,
  key: Buffer,
): Promise<{ failures: number; locked: boolean; lockedUntil: number | null }> {
  const {
    rows: [row],
  } = await sql<{ failures: number | string; locked: boolean | null; lockedUntil: number | null }>`
    select failures, locked_until > ${db.now()} as locked, extract(epoch from locked_until)::double precision * 1000 as "lockedUntil"
    from ${table(db, 'attempts')} where key = ${key}`.execute(db.kysely)
  if (row === undefined) return { failures: 0, locked: false, lockedUntil: null }
  // A cluster whose integers have 64 bits delivers them as text.
  return { ...row, failures: Number(row.failures), locked: row.locked === true }
}

/** Resets the failures, and leaves a lock as it is. */
export async function resetFailures(db: Db, key: Buffer): Promise<void> {
  await sql`update ${table(db, 'attempts')} set failures = 0, total_failures = 0, locks = 0 where key = ${key}`.execute(
    db.kysely,
  )
}

/** Completes a reserved attempt with a successful sign-in: resets failures and locks. */
export async function succeedAttempt(db: Db, key: Buffer): Promise<void> {
  await sql`
    update ${table(db, 'attempts')} set
      pending = greatest(pending - 1, 0), failures = 0, total_failures = 0, locks = 0, locked_until = null
    where key = ${key}`.execute(db.kysely)
}

/** Gives a reserved attempt back without a verdict: it was neither wrong nor a complete sign-in. */
export async function releaseAttempt(db: Db, key: Buffer): Promise<void> {
  await sql`update ${table(db, 'attempts')} set pending = greatest(pending - 1, 0) where key = ${key}`.execute(
    db.kysely,
  )
}

/** Resets failures and locks: after a reset by mail, or by an administrator. */
export async function clearAttempts(db: Db, key: Buffer): Promise<void> {
  await sql`update ${table(db, 'attempts')} set failures = 0, total_failures = 0, locks = 0, locked_until = null where key = ${key}`.execute(
    db.kysely,
  )
}

/** Deletes rows without information: no failures, or no attempt for 30 days. */
export async function purgeAttempts(db: Db): Promise<void> {
  await deleteInBatches(
    db,
    'attempts',
    sql`(pending_at < ${db.now()} - interval '1 minute' and total_failures = 0)
    or (pending_at < ${db.now()} - interval '30 days' and coalesce(locked_until, '-infinity') <= ${db.now()})`,
  )
}
