// `fastify-identity keys …`: the key ring in Postgres. Never shows a key. An application with option `keys` rotates
// its own.
import type { KeyInfo } from '../accounts/keys/key-manager.js'
import type { SealedCounts } from '../store/sealed.js'
import { type Command, CommandFailed, UsageError } from './command.js'
import { adoptKeys, unwrappedKeys } from '../accounts/keys/adopt-keys.js'
import { countLosses, resetKeys } from '../accounts/keys/reset-keys.js'
import { readSecrets } from '../tokens/options.js'
import { requireMigrated } from '../store/migrate.js'
import { table, when } from './table.js'

export const keyCommands: readonly Command[] = [
  {
    name: 'keys list',
    about: 'Lists the keys of tokens and codes, oldest first',
    run: ({ withRealm }) =>
      withRealm(async ({ keys }) => {
        const all = await keys.manager.list()
        const now = Date.now()
        const sealing = all.filter((key) => stateOf(key, now) === 'opens').at(-1)
        return {
          json: { keys: all.map((key) => publicKeyInfo(key, key === sealing ? 'seals' : stateOf(key, now))) },
          text: table(
            ['id', 'state', 'created', 'seals from', 'retires', 'revoked'],
            all.map((key) => [
              key.id,
              key === sealing ? 'seals' : stateOf(key, now),
              when(key.createdAt),
              when(key.activatesAt),
              when(key.retiresAt),
              when(key.revokedAt),
            ]),
          ),
        }
      }),
  },
  {
    name: 'keys rotate',
    about: 'Makes a new key, which seals after 15 s. Tokens of older keys stay good until they expire',
    run: ({ withRealm }) =>
      withRealm(async ({ keys }) => {
        const key = await keys.manager.rotate()
        return {
          json: { key: publicKeyInfo(key, stateOf(key, Date.now())) },
          text: `Key ${key.id} seals from ${when(key.activatesAt)}`,
        }
      }),
  },
  {
    name: 'keys revoke',
    argument: '<id>',
    about: 'Refuses every token, cookie and code that this key has sealed, on every instance within 2 s',
    async run({ withRealm, argument, confirm }) {
      await confirm(`Refuse everything that key ${argument} has sealed?`)
      return withRealm(async ({ keys }) => {
        if (!(await keys.manager.revoke(argument)))
          throw new CommandFailed('NOT_FOUND', 'There is no such key, or it was revoked before')
        return { json: { revoked: argument }, text: `Key ${argument} is revoked` }
      })
    },
  },
  {
    name: 'keys revoke-all',
    about: 'Signs everybody out: revokes every key and makes a new one. For use after a leak of keys',
    async run({ withRealm, confirm }) {
      await confirm('Sign everybody out?')
      return withRealm(async ({ keys }) => {
        const before = await keys.manager.list()
        await keys.manager.revokeAll()
        const revoked = before.filter(({ revokedAt }) => revokedAt === null).map(({ id }) => id)
        return { json: { revoked }, text: `${revoked.length} keys are revoked` }
      })
    },
  },
  {
    name: 'keys adopt',
    about: 'Wraps keys that were made without a secret under IDENTITY_SECRET. Tokens stay valid',
    run: ({ env, withConnection, confirm }) =>
      withConnection(async (connection) => {
        await requireMigrated(connection)
        const secret = requiredSecret(env)
        const keys = await unwrappedKeys(connection)
        if (keys.length === 0) return { json: { adopted: [] }, text: 'Every key is wrapped' }
        const named = keys.map(({ id, createdAt }) => `${id} of ${when(createdAt)}`).join(', ')
        await confirm(
          `Keys that are not wrapped: ${named}. Did this application make them, before it had a secret? One of them is enough to make tokens`,
        )
        const adopted = keys.map(({ id }) => id)
        await adoptKeys(connection, secret, adopted)
        return { json: { adopted }, text: `${adopted.length} keys are wrapped under IDENTITY_SECRET` }
      }),
  },
  {
    name: 'keys reset',
    about:
      'For when the root secret is lost: new keys under IDENTITY_SECRET. Ends everything that was sealed under the old ones',
    run: ({ env, withConnection, confirm }) =>
      withConnection(async (connection) => {
        await requireMigrated(connection)
        const secret = requiredSecret(env)
        const losses = await countLosses(connection)
        await confirm(
          `${lossesOf(losses)} Passwords, addresses, roles and claims stay. Are all instances stopped, and shall this be done?`,
        )
        const lost = await connection.withoutTimeLimits((db) => resetKeys(db, secret, Date.now))
        return { json: { lost }, text: `The keys are new. ${lossesOf(lost)}` }
      }),
  },
]

function requiredSecret(env: NodeJS.ProcessEnv): string {
  const [secret] = readSecrets(undefined, env, true)
  if (secret === undefined)
    throw new UsageError('No secret is set. Set IDENTITY_SECRET to the one that the application will have')
  return secret
}

function lossesOf({ sessions, waitingMails, secondFactors, externalTokens }: SealedCounts): string {
  return (
    `Lost: all sign-ins (${sessions} sessions, every token and cookie), every mailed link and code, ${waitingMails} mails that wait, ` +
    `the second factors of ${secondFactors} users with their recovery codes, all remembered machines, ` +
    `${externalTokens} tokens of other systems, and the counts of failed sign-ins.`
  )
}

function stateOf(
  { activatesAt, retiresAt, revokedAt }: KeyInfo,
  now: number,
): 'revoked' | 'retired' | 'waits' | 'opens' {
  if (revokedAt !== null) return 'revoked'
  if (retiresAt !== null && retiresAt <= now) return 'retired'
  return activatesAt > now ? 'waits' : 'opens'
}

function publicKeyInfo({ id, createdAt, activatesAt, retiresAt, revokedAt }: KeyInfo, state: string) {
  const time = (at: number | null) => (at === null ? null : new Date(at).toISOString())
  return {
    id,
    state,
    createdAt: time(createdAt),
    activatesAt: time(activatesAt),
    retiresAt: time(retiresAt),
    revokedAt: time(revokedAt),
  }
}
