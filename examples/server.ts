// npm start: the example with a Postgres of its own, whose data lie in .data/postgres. DATABASE_URL names another
// one, PORT and HOST the address to listen on. Ctrl-C stops the server, then the database; a second Ctrl-C does not
// wait.
import { join, relative } from 'node:path'
import { buildApp } from './app.js'
import { startPostgres } from 'fastify-identity/development'
import { story } from './story.js'

const project = join(import.meta.dirname, '../..')
const host = process.env.HOST ?? '127.0.0.1'
const port = Number(process.env.PORT ?? 3000)
// Last opened, first closed.
const open: (() => Promise<unknown>)[] = []
let stopping = 0

process.on('SIGINT', onSignal)
process.on('SIGTERM', onSignal)
const started = start()
started.catch(async (error: unknown) => {
  // An operation that a signal interrupted is no failure.
  if (stopping > 0) return
  console.error(explain(error))
  await closeAll()
  process.exit(1)
})

async function start(): Promise<void> {
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new Error(`PORT is ${process.env.PORT ?? ''}, which is no port: PORT=3001 npm start`)
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`
  const { database, place } = await openDatabase()
  const app = await buildApp({ database, publicUrl: url, logger: { level: 'warn', stream: { write: printLogLine } } })
  open.push(() => app.close())
  await app.listen({ host, port })
  console.log(`
fastify-identity example
  Swagger UI  ${url}/docs
  accounts    ${url}/account
  guarded     ${url}/weatherforecast
  data        ${place}
  Ctrl-C stops it. In another terminal:
${story(url)}`)
}

async function openDatabase(): Promise<{ database: string; place: string }> {
  if (process.env.DATABASE_URL !== undefined)
    return { database: process.env.DATABASE_URL, place: 'where DATABASE_URL points' }
  console.log('Starting Postgres …')
  const postgres = await startPostgres({ dataDir: join(project, '.data/postgres'), persistent: true })
  open.push(() => postgres.stop())
  const inside = relative(project, postgres.dataDir)
  return {
    database: postgres.url,
    place: inside.startsWith('..')
      ? `${postgres.dataDir} (Postgres does not run as root and may not enter the project)`
      : inside,
  }
}

// A terminal sends Ctrl-C to npm and to this process, and npm passes it on: two signals for one key.
function onSignal(): void {
  if (stopping > 0 && Date.now() - stopping < 300) return
  if (stopping > 0) process.exit(1)
  stopping = Date.now()
  console.log('\nStopping …')
  void started
    .catch(() => undefined)
    .then(closeAll)
    .then(() => process.exit(0))
}

async function closeAll(): Promise<void> {
  for (let close = open.pop(); close; close = open.pop()) await close()
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if ('code' in error && error.code === 'EADDRINUSE')
    return `Port ${port} is taken. Choose another: PORT=${port + 1} npm start`
  return error.message
}

// The log is for machines; this output is for a person.
function printLogLine(line: string): void {
  const { msg, err } = JSON.parse(line) as { msg?: string; err?: { stack?: string } }
  console.warn([msg, err?.stack].filter(Boolean).join('\n'))
}
