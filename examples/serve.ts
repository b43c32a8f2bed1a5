// Runs an example by itself: npm run build && node dist/examples/profile.js. Without DATABASE_URL it starts a
// Postgres whose data are removed afterwards; PORT is the port to listen on. A test imports only its build function.
import { realpathSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import { startPostgres } from 'fastify-identity/development'

export async function serve(meta: ImportMeta, build: (database: string) => Promise<FastifyInstance>): Promise<void> {
  const [, program] = process.argv
  if (program === undefined || realpathSync(program) !== meta.filename) return
  const postgres = process.env.DATABASE_URL === undefined ? await startPostgres({ persistent: false }) : null
  const app = await build(process.env.DATABASE_URL ?? postgres!.url)
  const address = await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT ?? 3000) })
  const stop = () =>
    void app
      .close()
      .then(() => postgres?.stop())
      .then(() => process.exit(0))
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  console.log(`${address}  (Ctrl-C stops it)`)
}
