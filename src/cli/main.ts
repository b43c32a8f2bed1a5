#!/usr/bin/env node
// The program `fastify-identity`.
import { withConnection, withRealm } from './open-realm.js'
import { run } from './run.js'

process.exitCode = await run(process.argv.slice(2), process, { withConnection, withRealm })
