// A host that calls the managers itself: one application for a whole test file, and users for each test.
import { randomBytes } from 'node:crypto'
import { after } from 'node:test'
import type { Identity, IdentityError, IdentityOptions, User } from '../../src/index.js'
import { createClock, type TestClock } from '../../src/testing/index.js'
import { goodPassword, startApp, type TestApp } from './app.js'

export interface Host extends Identity {
  readonly app: TestApp
  readonly clock: TestClock
  /** A new user with a confirmed address, a password where one is given, and members of the test's own. */
  newUser(members?: Partial<User>, password?: string): Promise<User>
  /** The user as the database has them. */
  reread(user: User): Promise<User>
  /** Opens a session of a user; answers its id. */
  session(user: User): Promise<string>
  /** How many sessions a user has. */
  sessionCount(user: User): Promise<number>
}

/** Starts a host that ends with the test file. */
export async function startHost(options: IdentityOptions = {}): Promise<Host> {
  // A clock that a whole file shares; startApp's own stands behind option clock.
  const clock = createClock()
  const app = await startApp({
    identity: { password: { hasher: { memoryKiB: 8, iterations: 1, maxWaitSeconds: 60 } }, clock, ...options },
  })
  after(() => app.close())
  const { identity } = app.app

  return {
    ...identity,
    app,
    clock,
    async newUser(members = {}, password) {
      const userName = members.userName ?? uniqueName()
      const created = await identity.users.create(
        { email: `${userName}@example.com`, emailConfirmed: true, ...members, userName },
        password,
      )
      if (!created.succeeded) throw new Error(`No user: ${codesOf(created).join()}`)
      return created.user
    },
    async reread(user) {
      const found = await identity.users.findById(user.id)
      if (found === null) throw new Error('The user is gone')
      return found
    },
    async session(user) {
      const result = await identity.signIn.signIn(user)
      if (!result.succeeded) throw new Error(`No session: ${result.reason}`)
      return result.signedIn.sessionId
    },
    sessionCount: async (user) => (await identity.sessions.list(user.id)).length,
  }
}

export { goodPassword }

export function uniqueName(prefix = 'user'): string {
  return `${prefix}-${randomBytes(6).toString('hex')}`
}

/** The codes of a failure; none for a success. */
export function codesOf(
  result: { succeeded: true } | { succeeded: false; errors: readonly IdentityError[] },
): string[] {
  return result.succeeded ? [] : result.errors.map(({ code }) => code)
}
