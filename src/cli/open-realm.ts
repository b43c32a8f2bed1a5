// Opens the realm of a command as the application opens it, except for what a shell cannot know: the application's
// rules for names and addresses leave stored values alone, its hooks and listeners are not called, and no key retires
// early.
import { type Accounts, closingOnFailure, openAccounts } from '../compose.js'
import { resolveOptions } from '../options.js'
import { connect, type Connection } from '../store/connect.js'
import { isMissing, requireMigrated } from '../store/migrate.js'

export interface Target {
  readonly env: NodeJS.ProcessEnv
  readonly database: string | undefined
  readonly schema: string | undefined
  readonly decorator: string | undefined
  readonly warn: (message: string) => void
}

/**
 * Works on the database alone. @throws FST_IDENTITY_DATABASE_MISSING, FST_IDENTITY_DATABASE_UNREACHABLE,
 * FST_IDENTITY_INVALID_OPTION
 */
export async function withConnection<T>(
  { env, database, ...target }: Target,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const { schema } = resolveOptions(given(target), {})
  // A lost connection is reported by the statement that it interrupts.
  const connection = connect(database, schema, undefined, env, () => undefined)
  const result = await closingOnFailure(connection, () => work(connection))
  await connection.close()
  return result
}

/**
 * Works on users, sessions and keys, under IDENTITY_SECRET.
 *
 * @throws FST_IDENTITY_SECRET_MISSING in production, FST_IDENTITY_SECRET_WRONG, FST_IDENTITY_MIGRATIONS_PENDING
 */
export async function withRealm<T>(target: Target, work: (accounts: Accounts) => Promise<T>): Promise<T> {
  const options = resolveOptions(given(target), target.env)
  return withConnection(target, async (connection) => {
    try {
      const accounts = await openAccounts(
        connection,
        {
          ...options,
          openForSeconds: null,
          idleSeconds: null,
          user: { ...options.user, allowedUserNameCharacters: null, requireUniqueEmail: 'as stored' },
        },
        null,
        {
          warn: (about, message) => target.warn(typeof about === 'string' ? about : (message ?? '')),
          error: () => undefined,
        },
      )
      if (accounts.keys.isUnwrapped)
        target.warn("option 'secret' (IDENTITY_SECRET) is not set: keys lie unwrapped in the database")
      try {
        return await work(accounts)
      } finally {
        accounts.keys.close()
        await accounts.mail.close()
        await accounts.hasher.close()
      }
    } catch (error) {
      // An application with its own migrator has no table of our migrations, so that this is checked only after
      // something is missing.
      if (isMissing(error)) await requireMigrated(connection)
      throw error
    }
  })
}

function given({ schema, decorator }: Pick<Target, 'schema' | 'decorator'>) {
  return { ...(schema === undefined ? {} : { schema }), ...(decorator === undefined ? {} : { decorator }) }
}
