// Starts a host once and reports how long that took. Started by start-up.ts.
import Fastify from 'fastify'
import identity from 'fastify-identity'
import { answering } from './child.js'

const app = Fastify()
const begin = performance.now()
await app.register(identity, { prefix: '/account' })
await app.ready()
const took = performance.now() - begin

answering({ took: () => took }, () => app.close())
