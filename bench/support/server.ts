// One contender behind Fastify, in a process of its own. Started by startServer in servers.ts; asked over IPC for its
// CPU time and memory.
import Fastify from 'fastify'
import { answering } from './child.js'
import type { ContenderOptions, Mount } from './contender.js'

const app = Fastify()
const { mount } = (await import(process.env.BENCH_CONTENDER!)) as { mount: Mount } // named by startServer
const { guard, userOf, credentials, refreshTokens } = await mount(
  app,
  JSON.parse(process.env.BENCH_OPTIONS!) as ContenderOptions,
)

const schema = { response: { 200: { type: 'object', properties: { userId: { type: 'string' } } } } }
app.get('/guarded', { schema, ...(guard === undefined ? {} : { onRequest: guard }) }, (request) => ({
  userId: userOf?.(request) ?? 'nobody-asked',
}))
const url = await app.listen({ host: '127.0.0.1', port: 0 })

answering(
  {
    url: () => url,
    usage() {
      const { user, system } = process.cpuUsage()
      return { cpuMicros: user + system, rss: process.memoryUsage.rss() }
    },
    credentials: (count: number) => credentials?.(count) ?? [],
    refreshTokens: (count: number) => refreshTokens?.(count) ?? [],
  },
  () => app.close(),
)
