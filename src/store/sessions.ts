// One row per login, for ever: refreshing moves its counter, ending it deletes the row and leaves a note for the other instances.
import { sql } from 'kysely'
import { type Reservation, success } from './attempts.js'
import { type Db, table } from './db.js'
import { retrying } from './transaction.js'
import { cachedStatement, type Parameter } from './statement-cache.js'
import { type Claim, grantColumns, userColumns, type UserRow, type UserWithGrants, withGrants } from './users.js'

/** A login as its owner may see it. Times are milliseconds since the epoch. */
export interface SessionRecord {
  /** The id, for `sessions.revoke`. */
  readonly id: string
  /** The id of the user. */
  readonly userId: string
  /** When the user signed in. */
  readonly createdAt: number
  /** The last refresh or renewal of the cookie. */
  readonly lastSeenAt: number
  /** When the session ends at the latest, see option `sessions.absoluteSeconds`. */
  readonly expiresAt: number
  /** How the user signed in: `pwd` or `mfa` (RFC 8176), or the name of another system. */
  readonly amr: readonly string[]
  /** The User-Agent of the login, cut to 256 characters. */
  readonly client: string | null
  /** How the user signed in: `password`, `authenticator` and so on; null for a session of an earlier version. */
  readonly method: string | null
  /** The network address of the login; null unless option `sessions.recordAddress` is on. */
  readonly address: string | null
  /** Claims of this session alone, see `signIn.signIn`. */
  readonly claims: readonly Claim[]
}

export interface NewSession {
  readonly id: string
  /** The id was given out before, by a ticket that opens one session: it may have been opened, or have ended. */
  readonly isGivenId: boolean
  readonly userId: string
  readonly securityStamp: string
  readonly createdAt: number
  readonly expiresAt: number
  readonly amr: readonly string[]
  readonly client: string | null
  readonly method: string
  readonly address: string | null
  readonly claims: readonly Claim[]
}

/**
 * Opens a session and forgets the failed attempts of this name, in one statement, if the user's stamp is still the one that was
 * checked: a password reset that overtook this login leaves nothing behind; and if there is and was no session of this id. The row is locked for as long as that takes, so that a
 * change which has not committed yet is waited for, and one that comes later finds this session.
 *
 * @param attempt the reserved attempt that succeeded, or null where none was reserved
 */
export async function openSession(
  db: Db,
  { isGivenId, ...session }: NewSession,
  attempt: Reservation | null,
): Promise<boolean> {
  const rows = await retrying(() =>
    open(db, {
      ...session,
      client: printable(session.client),
      address: printable(session.address),
      createdAt: new Date(session.createdAt),
      expiresAt: new Date(session.expiresAt),
      claims: JSON.stringify(session.claims),
      attemptKey: attempt?.key ?? null,
      attemptId: attempt?.id ?? null,
    }),
  )
  // The session of that id may have ended while the statement ran: the end is committed now, where the statement could not see it.
  return rows.length === 1 && !(isGivenId && (await removeIfEnded(db, session.id)))
}

async function removeIfEnded(db: Db, id: string): Promise<boolean> {
  const { rows } = await sql`
    delete from ${table(db, 'sessions')} s using ${table(db, 'revocations')} r
    where s.id = ${id} and r.session_id = s.id returning s.id`.execute(db.kysely)
  return rows.length > 0
}

/** Whether no session of this id was opened yet. */
export async function isSessionUnused(db: Db, id: string): Promise<boolean> {
  const { rows } = await sql`
    select 1 from ${table(db, 'sessions')} where id = ${id}
    union all select 1 from ${table(db, 'revocations')} where session_id = ${id}`.execute(db.kysely)
  return rows.length === 0
}

/** What a client says of itself, as a row keeps it: without control characters, at most 256 characters. */
export function printable(text: string | null | undefined): string | null {
  if (text === null || text === undefined) return null
  return text
    .toWellFormed()
    .replace(/\p{Cc}/gu, ' ')
    .slice(0, 256)
}

const open = cachedStatement(
  'openSession',
  [
    'id',
    'userId',
    'securityStamp',
    'createdAt',
    'expiresAt',
    'amr',
    'client',
    'method',
    'address',
    'claims',
    'attemptKey',
    'attemptId',
  ],
  (db, session) => sql`
    with opened as (
      insert into ${table(db, 'sessions')} (id, user_id, security_stamp, created_at, last_seen_at, expires_at, amr, client, method, address, claims)
      select ${session.id}::uuid, u.id, u.security_stamp, ${session.createdAt}::timestamptz, ${session.createdAt}::timestamptz,
        ${session.expiresAt}::timestamptz, ${session.amr}::text[], ${session.client}, ${session.method}, ${session.address}, ${session.claims}::jsonb
      from ${table(db, 'users')} u where u.id = ${session.userId} and u.security_stamp = ${session.securityStamp}
        and not exists (select 1 from ${table(db, 'revocations')} where session_id = ${session.id}::uuid)
      for share of u on conflict (id) do nothing returning id),
    forgotten as (
      update ${table(db, 'attempts')} set ${success(db, session.attemptId)}
      where key = ${session.attemptKey}::bytea and exists (select 1 from opened))
    select id from opened`,
)

/** A session's state with its user as of now: what a new ticket is made from. */
export interface LiveSession extends UserWithGrants {
  readonly counter: number
  readonly createdAt: number
  /** By the database's clock, so that instances agree; null before the first refresh. */
  readonly secondsSinceRotation: number | null
  readonly expiresAt: number
  readonly amr: readonly string[]
  /** The security stamp it lives under: another one than the user's means that the stamp was changed past us. Null: not known. */
  readonly sessionStamp: string | null
  readonly sessionClaims: readonly Claim[]
}

type SessionRow = UserRow & {
  counter: number | string
  sessionCreatedAt: Date
  secondsSinceRotation: number | null
  expiresAt: Date
  amr: string[]
  sessionStamp: string | null
  sessionClaims: Claim[]
}

function toLiveSession({
  counter,
  sessionCreatedAt,
  secondsSinceRotation,
  expiresAt,
  amr,
  sessionStamp,
  sessionClaims,
  ...row
}: SessionRow): LiveSession {
  return {
    ...withGrants(row),
    // A cluster whose integers have 64 bits delivers them as text.
    counter: Number(counter),
    createdAt: new Date(sessionCreatedAt).getTime(),
    secondsSinceRotation,
    expiresAt: new Date(expiresAt).getTime(),
    amr,
    sessionStamp,
    sessionClaims,
  }
}

function sessionColumns(db: Db) {
  return sql`s.counter, s.created_at as "sessionCreatedAt", s.expires_at as "expiresAt", s.amr,
    s.security_stamp as "sessionStamp", s.claims as "sessionClaims",
    extract(epoch from ${db.now()} - s.rotated_at)::double precision as "secondsSinceRotation"`
}

/** Moves a session's counter on if it is where the token says, and brings the user; null when it is not, or the session has ended. */
export async function rotateSession(
  db: Db,
  id: string,
  counter: number,
  idleSeconds: number | null = null,
): Promise<LiveSession | null> {
  const [row] = await retrying(() => rotate(db, { id, counter, idleSeconds }))
  return row === undefined ? null : toLiveSession(row)
}

const rotate = cachedStatement(
  'rotateSession',
  ['id', 'counter', 'idleSeconds'],
  (db, { id, counter, idleSeconds }) => sql<SessionRow>`
  with s as (
    update ${table(db, 'sessions')} set counter = counter + 1, rotated_at = ${db.now()}, last_seen_at = ${db.now()}
    where id = ${id} and counter = ${counter} and ${isUsable(db, idleSeconds)}
    returning user_id, counter, created_at, rotated_at, expires_at, amr, security_stamp, claims)
  select ${sessionColumns(db)}, ${userColumns}, ${grantColumns(db)} from s join ${table(db, 'users')} u on u.id = s.user_id`,
)

/** The same for many at once, by id; a session whose row somebody holds is left out instead of waited for. */
export async function rotateSessions(
  db: Db,
  tokens: readonly { readonly id: string; readonly counter: number }[],
  idleSeconds: number | null = null,
): Promise<Map<string, LiveSession>> {
  const rows = await retrying(() =>
    rotateFree(db, { ids: tokens.map(({ id }) => id), counters: tokens.map(({ counter }) => counter), idleSeconds }),
  )
  return new Map(rows.map(({ sessionId, ...row }) => [sessionId, toLiveSession(row)]))
}

const rotateFree = cachedStatement(
  'rotateSessions',
  ['ids', 'counters', 'idleSeconds'],
  (db, { ids, counters, idleSeconds }) => sql<SessionRow & { sessionId: string }>`
  with free as (
    select held.id from unnest(${ids}::uuid[], ${counters}::bigint[]) token (id, counter)
      join ${table(db, 'sessions')} held on held.id = token.id and held.counter = token.counter
    where ${isUsable(db, idleSeconds)} for no key update of held skip locked),
  s as (
    update ${table(db, 'sessions')} moved set counter = counter + 1, rotated_at = ${db.now()}, last_seen_at = ${db.now()}
    from free where moved.id = free.id
    returning moved.id, user_id, counter, created_at, rotated_at, expires_at, amr, security_stamp, claims)
  select s.id as "sessionId", ${sessionColumns(db)}, ${userColumns}, ${grantColumns(db)} from s join ${table(db, 'users')} u on u.id = s.user_id`,
)

/** A session and its user, marked as seen; null when it has ended. */
export async function touchSession(db: Db, id: string, idleSeconds: number | null = null): Promise<LiveSession | null> {
  const [row] = await retrying(() => touch(db, { id, idleSeconds }))
  return row === undefined ? null : toLiveSession(row)
}

const touch = cachedStatement(
  'touchSession',
  ['id', 'idleSeconds'],
  (db, { id, idleSeconds }) => sql<SessionRow>`
  with s as (
    update ${table(db, 'sessions')} set last_seen_at = ${db.now()} where id = ${id} and ${isUsable(db, idleSeconds)}
    returning user_id, counter, created_at, rotated_at, expires_at, amr, security_stamp, claims)
  select ${sessionColumns(db)}, ${userColumns}, ${grantColumns(db)} from s join ${table(db, 'users')} u on u.id = s.user_id`,
)

/** Whether a session has neither reached its end nor been unused for `idleSeconds`, where those are limited. */
function isUsable(db: Db, idleSeconds: number | null | Parameter) {
  return sql`expires_at > ${db.now()}
    and last_seen_at > coalesce(${db.now()} - make_interval(secs => ${idleSeconds}::double precision), '-infinity')`
}

/** Marks sessions as used now. */
export async function markUsed(db: Db, ids: readonly string[]): Promise<void> {
  await sql`update ${table(db, 'sessions')} set last_seen_at = ${db.now()} where id = any(array(
    select id from ${table(db, 'sessions')} where id = any(${[...ids]}::uuid[]) order by id for no key update skip locked))`.execute(
    db.kysely,
  )
}

/** Which of a user's sessions. */
export interface SessionPage {
  /** Only sessions that are older than this one; null for the newest. */
  readonly before: string | null
  readonly limit: number
  /** Only sessions that were seen within so many seconds; null for all. */
  readonly idleSeconds: number | null
}

/** The sessions of a user that have not ended, newest first. */
export async function listSessions(db: Db, userId: string, page: SessionPage): Promise<SessionRecord[]> {
  const { before, limit, idleSeconds } = page
  const rows = await db.kysely
    .selectFrom('sessions')
    .select([
      'id',
      'user_id',
      'created_at',
      'last_seen_at',
      'expires_at',
      'amr',
      'client',
      'method',
      'address',
      'claims',
    ])
    .where('user_id', '=', userId)
    .where('expires_at', '>', db.now())
    .$if(idleSeconds !== null, (query) =>
      query.where('last_seen_at', '>', sql<Date>`${db.now()} - make_interval(secs => ${idleSeconds})`),
    )
    .$if(before !== null, (query) => query.where('id', '<', before))
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()
  return rows.map((row) => ({
    id: row.id,
    userId: row.user_id,
    createdAt: new Date(row.created_at).getTime(),
    lastSeenAt: new Date(row.last_seen_at).getTime(),
    expiresAt: new Date(row.expires_at).getTime(),
    amr: row.amr,
    client: row.client,
    method: row.method,
    address: row.address,
    claims: row.claims,
  }))
}

/** The ids among these that have no row: their session, or its user, was deleted. */
export async function findMissingSessions(db: Db, ids: readonly string[]): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    select given.id from unnest(${[...ids]}::uuid[]) as given (id)
    where not exists (select 1 from ${table(db, 'sessions')} s where s.id = given.id)`.execute(db.kysely)
  return rows.map(({ id }) => id)
}

/** Whether a session still exists: the slow answer while the feed of revocations is stale. */
export async function isSessionLive(db: Db, id: string): Promise<boolean> {
  return (await live(db, { id })).length === 1
}

const live = cachedStatement(
  'isSessionLive',
  ['id'],
  (db, { id }) => sql`
  select 1 from ${table(db, 'sessions')} where id = ${id} and expires_at > ${db.now()}`,
)
