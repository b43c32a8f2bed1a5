#!/usr/bin/env node
// The program `fastify-identity`.
import { run } from './run.js'

process.exitCode = await run(process.argv.slice(2), process)
