// One of the instances of key-rotation.ts, in a process of its own. A message `{ rotate: seconds }` makes a new key.
import Fastify from 'fastify'
import identity, { requireAuthorization } from 'fastify-identity'

const app = Fastify({ forceCloseConnections: true })
await app.register(identity, {
  prefix: '/account',
  database: process.env.DATABASE_URL!,
  schema: process.env.BENCH_SCHEMA ?? 'bench_key_rotation',
})
app.get('/bench-guarded', { onRequest: requireAuthorization() }, (request) => ({ userId: request.identity?.userId }))

process.on(
  'message',
  ({ rotate }: { rotate: number }) => void app.identity.keys.rotate({ activateAfterSeconds: rotate }),
)
process.on('disconnect', () => void app.close().then(() => process.exit(0)))
process.send?.(await app.listen({ host: '127.0.0.1', port: 0 }))
