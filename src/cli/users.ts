// `fastify-identity users …`: an administrator's changes of users. All of them go through the managers of
// `app.identity`, so that running instances refuse an ended session within a second. Hashes, stamps and keys of users
// are not shown.
import type { SessionManager } from '../accounts/sessions/session-manager.js'
import type { User } from '../accounts/users/user.js'
import type { UserManager } from '../accounts/managers/user-manager.js'
import type { IdentityResult } from '../errors.js'
import { type Call, type Command, CommandFailed, type Outcome, UsageError } from './command.js'
import { list, printable, table, when } from './table.js'

const one = '<id|name|email>'

export const userCommands: readonly Command[] = [
  {
    name: 'users list',
    about: 'Lists users in the order of their creation, or those found in alphabetical order',
    options: {
      search: { type: 'string', value: '<text>', about: 'the beginning of the user name or the address' },
      after: { type: 'string', value: '<cursor>', about: 'the next page: the cursor that the previous page printed' },
      limit: { type: 'string', value: '<n>', about: 'at most this many, 1 to 500; default 50' },
    },
    run: ({ withRealm, text }) => {
      const limit = numberOf(text('limit'))
      return withRealm(async ({ users }) => {
        const page = await users.list({ search: text('search'), after: text('after'), limit })
        const rows = page.users.map((user) => [
          user.id,
          user.userName,
          user.email ?? '-',
          user.twoFactorEnabled ? 'on' : 'off',
          lockOf(user),
          when(user.createdAt),
        ])
        const more = page.next === null ? '' : `\n\nMore: --after ${page.next}`
        return {
          json: { users: page.users.map(publicUser), next: page.next },
          text: table(['id', 'user name', 'email', '2nd factor', 'locked', 'created'], rows) + more,
        }
      })
    },
  },
  {
    name: 'users show',
    argument: one,
    about: 'Shows a user with roles, claims, logins and sessions',
    run: ({ withRealm, argument }) =>
      withRealm(async ({ users, sessions }) => {
        const user = await find(users, argument)
        const whole = await describe(users, sessions, user)
        return { json: { user: whole }, text: list(Object.entries(whole).map(([name, value]) => [name, plain(value)])) }
      }),
  },
  {
    name: 'users lock',
    argument: one,
    about: 'Locks a user out, and ends all their sessions',
    options: {
      until: {
        type: 'string',
        value: '<date>',
        about: 'when the lock ends, for example 2030-01-31T12:00:00Z; default: never',
      },
    },
    run: (call) => {
      const until = dateOf(call.text('until'))
      return change(
        call,
        (user) => `Lock ${nameOf(user)} out, and end their sessions?`,
        async ({ users }, user) => {
          required(await users.lock(user, until))
          return { json: { user: publicUser(user) }, text: `${nameOf(user)} is locked out ${lockOf(user)}` }
        },
      )
    },
  },
  {
    name: 'users unlock',
    argument: one,
    about: 'Removes every lock of a user, and forgets failed sign-ins',
    run: (call) =>
      change(call, null, async ({ users }, user) => {
        required(await users.unlock(user))
        return { json: { user: publicUser(user) }, text: `${nameOf(user)} is not locked` }
      }),
  },
  {
    name: 'users delete',
    argument: one,
    about: 'Deletes a user with everything that belongs to them',
    run: (call) =>
      change(
        call,
        (user) => `Delete ${nameOf(user)} with everything that belongs to them?`,
        async ({ users }, user) => {
          required(await users.delete(user))
          return { json: { deleted: user.id }, text: `${nameOf(user)} is deleted` }
        },
      ),
  },
  {
    name: 'users end-sessions',
    argument: one,
    about: 'Signs a user out everywhere. They may sign in again',
    run: (call) =>
      change(
        call,
        (user) => `End all sessions of ${nameOf(user)}?`,
        async ({ sessions }, user) => {
          const ended = await sessions.revokeAll(user.id)
          return { json: { userId: user.id, ended }, text: `${ended} sessions of ${nameOf(user)} have ended` }
        },
      ),
  },
  {
    name: 'users passkeys',
    argument: one,
    about: 'Lists the passkeys of a user; with --remove takes one away, and ends all their sessions',
    options: {
      remove: {
        type: 'string',
        value: '<credential id>',
        about: 'the passkey to take away, even the last way to sign in',
      },
    },
    run: (call) => {
      const id = call.text('remove')
      return id === undefined ? listPasskeys(call) : removePasskey(call, id)
    },
  },
  {
    name: 'users reset-second-factor',
    argument: one,
    about:
      'For a user who has lost every factor: switches the second factor off, removes its key and codes, and ends all sessions',
    run: (call) =>
      change(
        call,
        (user) => `Remove the second factor of ${nameOf(user)}, and end their sessions?`,
        async ({ users }, user) => {
          required(await users.resetSecondFactor(user))
          return { json: { user: publicUser(user) }, text: `${nameOf(user)} has no second factor` }
        },
      ),
  },
]

function listPasskeys({ withRealm, argument }: Call): Promise<Outcome> {
  return withRealm(async ({ users }) => {
    const user = await find(users, argument)
    const passkeys = (await users.getPasskeys(user)).map((passkey) => ({
      credentialId: textOf(passkey.credentialId),
      name: passkey.name,
      createdAt: passkey.createdAt,
      signCount: passkey.signCount,
      transports: passkey.transports,
      isUserVerified: passkey.isUserVerified,
      isBackedUp: passkey.isBackedUp,
    }))
    const rows = passkeys.map(({ credentialId, name, createdAt, isBackedUp }) => [
      name ?? '-',
      when(createdAt),
      isBackedUp ? 'yes' : 'no',
      credentialId,
    ])
    return { json: { userId: user.id, passkeys }, text: table(['name', 'created', 'backed up', 'credential id'], rows) }
  })
}

function removePasskey(call: Call, id: string): Promise<Outcome> {
  const credentialId = Buffer.from(id, 'base64url')
  if (id === '' || textOf(credentialId) !== id)
    throw new UsageError('--remove takes a credential id, as the list shows it')
  return change(
    call,
    (user) => `Remove passkey ${printable(id)} of ${nameOf(user)}, and end their sessions?`,
    async ({ users }, user) => {
      if ((await users.getPasskey(user, credentialId)) === null)
        throw new CommandFailed('NOT_FOUND', 'The user has no such passkey')
      required(await users.removePasskey(user, credentialId))
      return { json: { userId: user.id, removed: id }, text: `${nameOf(user)} has the passkey no longer` }
    },
  )
}

function textOf(credentialId: Uint8Array): string {
  return Buffer.from(credentialId).toString('base64url')
}

interface Managers {
  readonly users: UserManager
  readonly sessions: SessionManager
}

const tries = 3

/**
 * Finds the user, asks the question if there is one, and makes the change; repeats it when the row was changed
 * meanwhile.
 */
async function change(
  { withRealm, argument, confirm }: Call,
  question: ((user: User) => string) | null,
  work: (managers: Managers, user: User) => Promise<Outcome>,
): Promise<Outcome> {
  return withRealm(async (managers) => {
    const found = await find(managers.users, argument)
    if (question !== null) await confirm(question(found))
    for (let attempt = 1; ; attempt++) {
      const user = await managers.users.findById(found.id)
      if (user === null) throw noSuchUser()
      try {
        return await work(managers, user)
      } catch (error) {
        if (attempt === tries || !(error instanceof CommandFailed) || error.code !== 'ConcurrencyFailure') throw error
      }
    }
  })
}

/** @throws CommandFailed when no user or more than one is found */
async function find(users: UserManager, argument: string): Promise<User> {
  const byId = await users.findById(argument)
  if (byId !== null) return byId
  const named = [await users.findByName(argument), ...(await users.findAllByEmail(argument))].filter(
    (user) => user !== null,
  )
  const found = [...new Map(named.map((user) => [user.id, user])).values()]
  const [user] = found
  if (user === undefined) throw noSuchUser()
  if (found.length > 1)
    throw new CommandFailed('AMBIGUOUS', `Several users match; name one by id: ${found.map(nameOf).join(', ')}`)
  return user
}

function noSuchUser(): CommandFailed {
  return new CommandFailed('NOT_FOUND', 'There is no such user')
}

function required(result: IdentityResult): void {
  if (result.succeeded) return
  throw new CommandFailed(
    result.errors[0]?.code ?? 'DefaultError',
    result.errors.map(({ description }) => description).join(' '),
  )
}

/** The members of a user that may be shown. */
function publicUser(user: User) {
  const {
    id,
    userName,
    email,
    emailConfirmed,
    phoneNumber,
    phoneNumberConfirmed,
    twoFactorEnabled,
    lockoutEnabled,
    lockoutEnd,
    createdAt,
    profile,
  } = user
  return {
    id,
    userName,
    email,
    emailConfirmed,
    phoneNumber,
    phoneNumberConfirmed,
    hasPassword: user.passwordHash !== null,
    twoFactorEnabled,
    lockoutEnabled,
    lockoutEnd,
    createdAt,
    profile,
  }
}

async function describe(users: UserManager, sessions: SessionManager, user: User) {
  const open = await sessions.list(user.id)
  const logins = await users.getLogins(user)
  return {
    ...publicUser(user),
    isLockedOut: await users.isLockedOut(user),
    lockedUntil: await users.getLockoutEndDate(user),
    failedSignIns: await users.getAccessFailedCount(user),
    recoveryCodesLeft: await users.countRecoveryCodes(user),
    roles: await users.getRoles(user),
    claims: await users.getClaims(user),
    logins: logins.map(({ loginProvider, providerKey }) => ({ loginProvider, providerKey })),
    sessions: open.map(({ id, createdAt, lastSeenAt, client, amr }) => ({
      id,
      createdAt: new Date(createdAt),
      lastSeenAt: new Date(lastSeenAt),
      client,
      amr,
    })),
  }
}

function plain(value: unknown): string {
  if (value === null) return '-'
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (value instanceof Date) return when(value)
  if (Array.isArray(value)) return value.length === 0 ? '-' : value.map(plain).join('; ')
  if (typeof value === 'string' || typeof value === 'number') return String(value)
  if (typeof value !== 'object') return '-'
  return (
    Object.entries(value)
      .map(([name, member]) => `${name} ${plain(member)}`)
      .join(', ') || '-'
  )
}

function nameOf({ id, userName }: User): string {
  return printable(`${userName} (${id})`)
}

/** An administrator's lock; for that of failed sign-ins see `users show`. */
function lockOf({ lockoutEnabled, lockoutEnd }: User): string {
  if (!lockoutEnabled || lockoutEnd === null || lockoutEnd.getTime() < Date.now()) return '-'
  return lockoutEnd.getUTCFullYear() >= 9999 ? 'for good' : `until ${when(lockoutEnd)}`
}

function numberOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,3}$/.test(text) || Number(text) < 1 || Number(text) > 500)
    throw new UsageError('--limit takes a number from 1 to 500')
  return Number(text)
}

function dateOf(text: string | undefined): Date | undefined {
  if (text === undefined) return undefined
  const date = new Date(text)
  if (Number.isNaN(date.getTime()) || date.getTime() <= Date.now())
    throw new UsageError('--until takes a date to come, for example 2030-01-31T12:00:00Z')
  return date
}
