// A library of a consumer on top of the package. Nearly nothing says its type, so that the compiler must write every
// one into a declaration.
import { Type } from '@sinclair/typebox'
import fp from 'fastify-plugin'
import identity, {
  allowAnonymous,
  describeError,
  errorCodes,
  identityRoutes,
  type Identity,
  type IdentityOptions,
  type Principal,
  requireAuthorization,
} from 'fastify-identity'
import { migrations } from 'fastify-identity/migrations'
import type { FastifyInstance } from 'fastify'

declare module 'fastify-identity' {
  interface Profile {
    nickname?: string
  }
}

declare module 'fastify' {
  interface FastifyInstance {
    staff: Identity
  }
  interface FastifyRequest {
    readonly staff: Principal | null
  }
}

export const ours = migrations('identity')
export const clerksOnly = requireAuthorization({ roles: ['clerk'], maxAgeSeconds: 600 })
export const everybody = allowAnonymous()
export const describe = { describeError, errorCodes }
export const hooks = {
  userCreated: ({ user }) => {
    user.profile.nickname?.toUpperCase()
  },
} satisfies IdentityOptions['hooks']

export const accounts = fp(async (app: FastifyInstance, { database, schema }: { database: string; schema: string }) => {
  await app.register(identity, {
    prefix: '/account',
    database,
    schema,
    hooks,
    profile: Type.Object({ nickname: Type.String() }),
  })
  await app.register(identityRoutes, { prefix: '/v2' })
  await app.register(identity, {
    prefix: '/staff',
    database,
    schema: `${schema}_staff`,
    decorator: 'staff',
    endpoints: { register: false },
  })
})

export const managers = ({ identity: { users, roles, sessions, keys, mail, events, signIn } }: FastifyInstance) => ({
  users,
  roles,
  sessions,
  keys,
  mail,
  events,
  signIn,
})

// Spread, so that the type of every method is written out, with the name of everything it takes and answers.
export const methods = ({ users, roles, sessions, keys, mail, signIn }: Identity) => ({
  users: { ...users },
  roles: { ...roles },
  sessions: { ...sessions },
  keys: { ...keys },
  mail: { ...mail },
  signIn: { ...signIn },
})

export const directory = ({ identity: { users, roles, sessions, signIn } }: FastifyInstance) => ({
  find: (name: string) => users.findByName(name),
  nickname: async (name: string) => (await users.findByName(name))?.profile.nickname,
  add: (name: string, nickname: string) =>
    users.create({ userName: name, email: name, profile: { nickname } }, 'Correct-Horse-7'),
  page: (after: string | null) => users.list({ after }),
  promote: async (name: string) => {
    const user = await users.findByName(name)
    return user === null ? null : users.addToRole(user, 'clerk')
  },
  role: (name: string) => roles.create(name),
  devices: (userId: string) => sessions.list(userId),
  passkeys: async (name: string) => {
    const user = await users.findByName(name)
    return user === null ? [] : users.getPasskeys(user)
  },
  enter: (name: string, password: string) => signIn.passwordSignIn(name, password),
})

export class Desk {
  constructor(readonly app: FastifyInstance) {}
  find = (name: string) => this.app.identity.users.findByName(name)
  roles = () => this.app.identity.roles.list()
}
