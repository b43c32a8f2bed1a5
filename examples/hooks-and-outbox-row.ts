// Rows of your own in the transaction of a change: a new user gets a seat, and a welcome letter is stored for them.
// All three rows are written, or none. A hook that throws undoes the registration; with a statusCode below 500 its
// message reaches the client.
import Fastify, { type FastifyInstance } from 'fastify'
import identity, { type User } from 'fastify-identity'
import { Kysely, PostgresDialect, type Transaction } from 'kysely'
import { openPool } from './open-pool.js'
import { serve } from './serve.js'

interface Tables {
  seats: { room: string; free: number }
  letters: { user_id: string; content: string }
}

export async function build(database: string, seats = 100): Promise<FastifyInstance> {
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: openPool(database) }) })
  await db.schema
    .createTable('seats')
    .ifNotExists()
    .addColumn('room', 'text', (column) => column.primaryKey())
    .addColumn('free', 'integer', (column) => column.notNull())
    .execute()
  await db.schema
    .createTable('letters')
    .ifNotExists()
    .addColumn('user_id', 'uuid', (column) => column.primaryKey())
    .addColumn('content', 'text', (column) => column.notNull())
    .execute()
  await db
    .insertInto('seats')
    .values({ room: 'main', free: seats })
    .onConflict((conflict) => conflict.doNothing())
    .execute()

  const app = Fastify()
  await app.register(identity, {
    prefix: '/account',
    // Your own Kysely instance: you close it.
    database: db,
    hooks: {
      async userCreating({ trx }: { trx: Transaction<Tables> }) {
        // One conditional statement: parallel registrations cannot take a seat that does not exist.
        const taken = await trx
          .updateTable('seats')
          .set(({ eb }) => ({ free: eb('free', '-', 1) }))
          .where('room', '=', 'main')
          .where('free', '>', 0)
          .returning('free')
          .executeTakeFirst()
        if (taken === undefined) throw Object.assign(new Error('All seats are taken.'), { statusCode: 409 })
      },
      async userCreated({ user, trx }: { user: User; trx: Transaction<Tables> }) {
        await trx.insertInto('letters').values({ user_id: user.id, content: 'Welcome' }).execute()
      },
    },
  })
  app.addHook('onClose', () => db.destroy())
  app.get('/letters', () => db.selectFrom('letters').selectAll().execute())
  return app
}

await serve(import.meta, (database) => build(database))
