// Your rows and our users in one transaction of yours: a company and its owner are both created, or neither is.
import { type Static, Type } from '@sinclair/typebox'
import Fastify, { type FastifyInstance } from 'fastify'
import identity from 'fastify-identity'
import { Kysely, PostgresDialect } from 'kysely'
import { openPool } from './open-pool.js'
import { serve } from './serve.js'

interface Tables {
  companies: { name: string; owner_id: string }
}

const Founding = Type.Object({ company: Type.String({ minLength: 1 }), email: Type.String(), password: Type.String() })

export async function build(database: string): Promise<FastifyInstance> {
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: openPool(database) }) })
  await db.schema
    .createTable('companies')
    .ifNotExists()
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('owner_id', 'uuid', (column) => column.notNull())
    .execute()

  const app = Fastify()
  await app.register(identity, { prefix: '/account', database: db, endpoints: { register: false } })
  app.addHook('onClose', () => db.destroy())
  const { users } = app.identity

  app.post<{ Body: Static<typeof Founding> }>('/companies', { schema: { body: Founding } }, async (request, reply) => {
    const { company, email, password } = request.body
    const created = await db.transaction().execute(async (trx) => {
      const result = await users.withTransaction(trx).create({ userName: email, email }, password)
      if (!result.succeeded) return result
      const founded = await trx
        .insertInto('companies')
        .values({ name: company, owner_id: result.user.id })
        .onConflict((conflict) => conflict.doNothing())
        .returning('name')
        .executeTakeFirst()
      // An error rolls back the user too.
      if (founded === undefined) throw Object.assign(new Error('There is a company of this name.'), { statusCode: 409 })
      return result
    })
    return created.succeeded ? reply.code(201).send({ company }) : reply.code(400).send(created.errors)
  })
  return app
}

await serve(import.meta, build)
