// `fastify-identity keys …`: the key ring in Postgres. Never shows a key. An application with option `keys` rotates
// its own.
import type { KeyInfo } from '../accounts/keys/key-manager.js'
import { type Command, CommandFailed } from './command.js'
import { withRealm } from './open-realm.js'
import { table, when } from './table.js'

export const keyCommands: readonly Command[] = [
  {
    name: 'keys list',
    about: 'Lists the keys of tokens and codes, oldest first',
    run: ({ target }) =>
      withRealm(target, async ({ keys }) => {
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
    run: ({ target }) =>
      withRealm(target, async ({ keys }) => {
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
    async run({ target, argument, confirm }) {
      await confirm(`Refuse everything that key ${argument} has sealed?`)
      return withRealm(target, async ({ keys }) => {
        if (!(await keys.manager.revoke(argument)))
          throw new CommandFailed('NOT_FOUND', 'There is no such key, or it was revoked before')
        return { json: { revoked: argument }, text: `Key ${argument} is revoked` }
      })
    },
  },
  {
    name: 'keys revoke-all',
    about: 'Signs everybody out: revokes every key and makes a new one. For use after a leak of keys',
    async run({ target, confirm }) {
      await confirm('Sign everybody out?')
      return withRealm(target, async ({ keys }) => {
        const before = await keys.manager.list()
        await keys.manager.revokeAll()
        const revoked = before.filter(({ revokedAt }) => revokedAt === null).map(({ id }) => id)
        return { json: { revoked }, text: `${revoked.length} keys are revoked` }
      })
    },
  },
]

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
