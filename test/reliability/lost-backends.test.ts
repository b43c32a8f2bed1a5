// A backend of Postgres that dies at any moment of any change takes neither the process along nor half of the change.
import assert from 'node:assert/strict'
import type { FastifyInstance } from 'fastify'
import { Kysely, PostgresDialect } from 'kysely'
import { test } from 'node:test'
import pg from 'pg'
import { DatabaseUnavailable } from '../../src/errors.js'
import type { DatabaseOption, User } from '../../src/index.js'
import { mapDatabaseError } from '../../src/store/sql-errors.js'
import { login, logout, newcomer, refresh, register, startApp } from '../support/instances.js'
import { isBackground } from '../support/background.js'
import { clientThat } from '../support/faulty-pool.js'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'

/** Ends the backend of a client that is about to send a certain statement, and waits until it is gone. */
function assassin(url: string) {
  let count = 0
  let target = -1
  const Client = clientThat(async (text, client) => {
    if (isBackground(text) || count++ !== target) return
    const other = new pg.Client(url)
    await other.connect()
    const { processID } = client as pg.Client & { processID: number } // a member that the type lacks
    await other.query('select pg_terminate_backend($1, 5000)', [processID])
    await other.end()
  })
  return {
    Client,
    /** The statement with this number, from now on, finds no backend. */
    arm(at: number) {
      count = 0
      target = at
    },
    hasStruck: () => target < count,
  }
}

// A host's Kysely throws what its driver does.
const isUnavailable = (error: unknown) => mapDatabaseError(error) instanceof DatabaseUnavailable

// Each answers whether it was done; not done must be clean.
const changes: Record<string, (app: FastifyInstance, name: string) => Promise<() => Promise<boolean>>> = {
  register: (app, name) => Promise.resolve(async () => isDone((await register(app, name)).status)),
  async login(app, name) {
    await register(app, name)
    return async () => isDone((await login(app, name)).status)
  },
  async refresh(app, name) {
    const { refreshToken } = await newcomer(app, name)
    return async () => isDone((await refresh(app, refreshToken)).status)
  },
  async logout(app, name) {
    const { accessToken } = await newcomer(app, name)
    return async () => isDone((await logout(app, accessToken)).status)
  },
  async update(app, name) {
    const user = await userOf(app, name)
    user.phoneNumber = '123'
    return () => succeeds(app.identity.users.update(user))
  },
  async delete(app, name) {
    const user = await userOf(app, name)
    return () => succeeds(app.identity.users.delete(user))
  },
}

function isDone(status: number): boolean {
  assert.ok(status === 200 || status === 503, String(status))
  return status === 200
}

async function succeeds(result: Promise<{ readonly succeeded: boolean }>): Promise<boolean> {
  return result.then(
    ({ succeeded }) => succeeded,
    (error: unknown) => {
      assert.ok(isUnavailable(error), String(error))
      return false
    },
  )
}

async function userOf(app: FastifyInstance, name: string): Promise<User> {
  await newcomer(app, name)
  const user = await app.identity.users.findByName(name)
  assert.ok(user)
  return user
}

const databases: Record<
  string,
  (url: string, Client: new () => pg.Client) => { option: DatabaseOption; end: () => Promise<void> }
> = {
  'our own pool': (connectionString, Client) => ({
    option: { connectionString, Client },
    end: () => Promise.resolve(),
  }),
  "a host's pool": (connectionString, Client) => {
    const pool = new pg.Pool({ connectionString, Client })
    return { option: pool, end: () => pool.end() }
  },
  "a host's Kysely whose pool listens": (connectionString, Client) => {
    const pool = new pg.Pool({ connectionString, Client })
    pool.on('error', () => undefined).on('connect', (client) => client.on('error', () => undefined))
    const kysely = new Kysely({ dialect: new PostgresDialect({ pool }) })
    return { option: kysely, end: () => kysely.destroy() }
  },
}

for (const [kind, open] of Object.entries(databases)) {
  test(`a backend that dies before any statement of any change fails that change whole and nothing else, on ${kind}`, async (t) => {
    const url = await databaseUrl()
    const killer = assassin(url)
    const { option, end } = open(url, killer.Client)
    const app = await startApp(t, { database: option, schema: uniqueSchema() })
    t.after(end)
    // The deletion is the one with a transaction; the others are the same on every pool.
    for (const [name, prepare] of Object.entries(changes).filter(
      ([name]) => kind === 'our own pool' || name === 'delete',
    )) {
      for (let statement = 0; ; statement++) {
        const change = await prepare(app, `${name}${statement}@example.com`)
        killer.arm(statement)
        const done = await change()
        const struck = killer.hasStruck()
        killer.arm(-1)
        if (!struck) {
          assert.equal(done, true)
          assert.ok(statement > 0, `${name} has statements`)
          break
        }
        assert.equal(done, false, `${name}, statement ${statement}`)
        assert.equal(await change(), true, `${name} after statement ${statement} was lost`)
      }
    }
  })
}
