// What a host writes, and what the compiler says to it: nothing of this file runs. `@ts-expect-error` fails where the
// error is missing.
import type { FastifyInstance, FastifyPluginAsync, FastifyPluginCallback, FastifyRequest } from 'fastify'
import { type Kysely, sql } from 'kysely'
import pg from 'pg'
import plugin, {
  allowAnonymous,
  type FastifyIdentityErrorCode,
  type HookEvent,
  identity,
  type Identity,
  type IdentityError,
  type IdentityErrorCode,
  type IdentityOptions,
  type IdentityResult,
  identityRoutes,
  type IdentityRoutesOptions,
  type Principal,
  type Profile,
  requireAuthorization,
  type SignedIn,
  type User,
} from '../../src/index.js'
import type { Equal, Expect } from './equal.js'

declare module '../../src/index.js' {
  interface Profile {
    shoeSize?: number
  }
}

export type Values = [
  Expect<
    typeof plugin extends FastifyPluginAsync<IdentityOptions> | FastifyPluginCallback<IdentityOptions> ? true : false
  >,
  Expect<Equal<typeof plugin, typeof identity>>,
  Expect<Equal<FastifyInstance['identity'], Identity>>,
  Expect<Equal<FastifyRequest['identity'], Principal | null>>,
  Expect<'DuplicateUserName' extends IdentityErrorCode ? true : false>,
  Expect<string extends IdentityErrorCode ? false : true>,
  Expect<'FST_IDENTITY_INVALID_OPTION' extends FastifyIdentityErrorCode ? true : false>,
  Expect<FastifyIdentityErrorCode extends `FST_IDENTITY_${string}` ? true : false>,
  Expect<`FST_IDENTITY_${string}` extends FastifyIdentityErrorCode ? false : true>,
  Expect<Equal<Profile['shoeSize'], number | undefined>>,
  Expect<Equal<User['profile']['shoeSize'], number | undefined>>,
  Expect<Equal<User['profile'][string], unknown>>,
  Expect<string[] extends NonNullable<IdentityOptions['secret']> ? true : false>,
]

export async function registers(app: FastifyInstance, db: Kysely<{ companies: { name: string } }>): Promise<void> {
  await app.register(plugin)
  await app.register(identity, { prefix: '/account', logLevel: 'warn' })
  await app.register(plugin, { database: 'postgres://localhost/x' })
  await app.register(plugin, { database: new pg.Pool() })
  await app.register(plugin, { database: { host: 'localhost', max: 5 } })
  await app.register(plugin, { database: db })
  const routes: IdentityRoutesOptions = { prefix: '/v2', endpoints: { register: false } }
  await app.register(identityRoutes, routes)
  // @ts-expect-error -- a connection is no port
  await app.register(plugin, { database: 5432 })
  // @ts-expect-error -- misspelled
  await app.register(plugin, { endpoints: { registre: false } })
  // @ts-expect-error -- not one of the three
  await app.register(plugin, { migrate: 'always' })
  // @ts-expect-error -- a second is not a text
  await app.register(plugin, { bearer: { accessTokenSeconds: '3600' } })
  // @ts-expect-error -- a sender sends
  await app.register(plugin, { email: {} })
  const misnamed = { userRenamed: () => undefined }
  // @ts-expect-error -- there is no such hook
  await app.register(plugin, { hooks: { ...misnamed, userRenamed: () => undefined } })
}

export function guards(app: FastifyInstance): void {
  app.get('/a', { onRequest: requireAuthorization() }, (request) => request.identity?.userName)
  app.get('/b', { onRequest: [requireAuthorization('policy'), allowAnonymous({ decorator: 'staff' })] }, () => 'in')
  app.addHook(
    'onRequest',
    requireAuthorization({
      roles: ['clerk'],
      claims: { a: true, b: 'one', c: ['one', 'two'] },
      amr: ['mfa'],
      maxAgeSeconds: 60,
    }),
  )
  // @ts-expect-error -- misspelled: it would ask for nothing
  requireAuthorization({ role: 'clerk' })
  // @ts-expect-error -- a list, since it means any of
  requireAuthorization({ roles: 'clerk' })
  // @ts-expect-error -- false would ask for the absence
  requireAuthorization({ claims: { a: false } })
  // @ts-expect-error -- it is null where nobody is signed in
  app.get('/c', (request) => request.identity.userName)
  app.get('/d', (request) => {
    // @ts-expect-error -- the property is read-only
    request.identity = null
  })
}

export const hooks: IdentityOptions['hooks'] = {
  userCreating: ({ user, trx }: HookEvent) => {
    const { userName }: User = user
    return sql`select ${userName}`.execute(trx).then(() => undefined)
  },
  userDeleting: ({ user }) => {
    void user.email?.length
  },
  // @ts-expect-error -- a hook has no answer
  userUpdated: () => 'done',
}

export function listens({ events }: Identity): void {
  events.on('signInSucceeded', ({ userId, sessionId, method }) =>
    [userId, sessionId, method].map((text) => text.length),
  )
  events.on('signInFailed', ({ userId, reason }) => [userId?.length, reason.length])
  events.on('sessionsEnded', ({ sessionIds }) => sessionIds.map((id) => id.length))
  events.on('userDeleted', ({ userId }) => userId.length)
  // @ts-expect-error -- sessions end without saying whose
  events.on('sessionsEnded', ({ userId }) => userId)
}

export async function narrows(
  { users, signIn, roles }: Identity,
  user: User,
): Promise<readonly IdentityError[] | User | SignedIn | string> {
  const result: IdentityResult = await users.update(user)
  // @ts-expect-error -- only a failure has errors
  void result.errors
  if (!result.succeeded) return result.errors
  const created = await users.create({ userName: 'ann', profile: { shoeSize: 38 } }, 'secret')
  // @ts-expect-error -- only a success has a user
  void created.user
  if (!created.succeeded) return created.errors
  const role = await roles.create({ name: 'clerk' })
  if (!role.succeeded) return role.errors
  const entered = await signIn.passwordSignIn('ann', 'secret', { client: null })
  if (!entered.succeeded) {
    const reason: 'Failed' | 'LockedOut' | 'NotAllowed' | 'RequiresTwoFactor' = entered.reason
    return reason
  }
  // @ts-expect-error -- a name is needed
  await users.create({ email: 'ann@example.com' })
  // @ts-expect-error -- tickets are our own affair
  await signIn.refresh()
  // @ts-expect-error -- a shoe size is a number
  created.user.profile.shoeSize = '38'
  return entered.signedIn
}

export async function together({ users, roles }: Identity, db: Kysely<{ companies: { name: string } }>): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await users.withTransaction(trx).create({ userName: 'ann' })
    await roles.withTransaction(trx).create('clerk')
    await trx.insertInto('companies').values({ name: 'Acme' }).execute()
  })
  // @ts-expect-error -- a connection is no transaction
  users.withTransaction(db)
}
