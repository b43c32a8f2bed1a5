// Follows three requests through the sources: a login by password, a request with a bearer token that the ticket cache
// has, a refresh. Counts the files whose functions run, the folders they lie in, and the calls from one folder to
// another, upward ones by themselves. The application is a real one, on a real Postgres: that of DATABASE_URL, or one
// of its own. `npm run walks`, or with `--json` for a program.
import { randomUUID } from 'node:crypto'
import { register } from 'node:module'
import { folderOf, isAbove } from './layers.js'

/** A call from a file to another one; `from` is null where Fastify or Node calls. */
export interface Step {
  readonly from: string | null
  readonly to: string
}

export interface Walk {
  readonly name: string
  /** In the order in which they are entered first. */
  readonly files: readonly string[]
  readonly folders: readonly string[]
  /** Calls between files, each pair once. */
  readonly steps: readonly Step[]
  /** Calls into another folder. */
  readonly moves: readonly Step[]
  /** Those into a folder of a higher layer. */
  readonly upward: readonly Step[]
}

declare global {
  /** What the inserted calls call while a request is followed. */
  var entered: ((file: string) => void) | undefined
}

const rounds = 5

/** Follows the requests. The package must not have been loaded before. @param database a connection string */
async function walk(database: string): Promise<readonly Walk[]> {
  const { default: Fastify } = await import('fastify')
  const { default: identity, requireAuthorization } = await import('../src/index.js')
  const app = Fastify()
  // A poll in each round of a slow machine would count as part of the requests.
  const revocation = { pollSeconds: 3600 }
  await app.register(identity, {
    prefix: '/account',
    database,
    schema: 'walks',
    secret: 'walks '.repeat(6),
    revocation,
  })
  app.get('/orders', { onRequest: requireAuthorization() }, () => [])
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  try {
    return await followAll(origin)
  } finally {
    await app.close()
  }
}

async function followAll(origin: string): Promise<readonly Walk[]> {
  const json = { email: `${randomUUID()}@example.com`, password: 'Correct-Horse-7' }
  const post = async (path: string, body: object) => {
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(`${origin}/account/${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    if (answer.status !== 200) throw new Error(`${path} is answered with ${answer.status}`)
    const text = await answer.text()
    return (text === '' ? {} : JSON.parse(text)) as { accessToken: string; refreshToken: string } // our own server's
  }
  await post('register', json)
  let tokens = await post('login', json)
  const call = async () => {
    const answer = await fetch(`${origin}/orders`, { headers: { authorization: `Bearer ${tokens.accessToken}` } })
    if (answer.status !== 200) throw new Error(`/orders is answered with ${answer.status}`)
    await answer.text()
  }
  const login = await follow('password login', () => post('login', json))
  // A ticket is kept from its second use on.
  await call()
  await call()
  const bearer = await follow('bearer from the cache', call)
  const refresh = await follow('refresh', async () => {
    tokens = await post('refresh', { refreshToken: tokens.refreshToken })
  })
  return [login, bearer, refresh]
}

/** Follows a request several times: what did not run each time, a timer's function for example, is none of its own. */
async function follow(name: string, request: () => Promise<unknown>): Promise<Walk> {
  const traces: Step[][] = []
  for (let round = 0; round < rounds; round++) traces.push(await traced(request))
  const [first = [], ...others] = traces.map(distinct)
  const steps = first.filter((step) => others.every((other) => other.some((one) => isSame(one, step))))
  const files = Array.from(new Set(steps.map(({ to }) => to)))
  const between = steps.filter(({ from, to }) => from !== null && folderOf(from) !== folderOf(to))
  return {
    name,
    files,
    folders: Array.from(new Set(files.map(folderOf))),
    steps,
    moves: between,
    upward: between.filter(({ from, to }) => from !== null && isAbove(to, from)),
  }
}

function isSame(a: Step, b: Step): boolean {
  return a.from === b.from && a.to === b.to
}

function distinct(steps: readonly Step[]): Step[] {
  return steps.filter((step, index) => steps.findIndex((one) => isSame(one, step)) === index)
}

async function traced(request: () => Promise<unknown>): Promise<Step[]> {
  const steps: Step[] = []
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 30
  globalThis.entered = (to) => {
    const from = callerOf()
    if (from !== to) steps.push({ from, to })
  }
  try {
    await request()
  } finally {
    globalThis.entered = undefined
    Error.stackTraceLimit = stackTraceLimit
    Reflect.deleteProperty(Error, 'prepareStackTrace')
  }
  return steps
}

/** The file that has called the function which is being entered, awaiting ones included; null where none of ours has. */
function callerOf(): string | null {
  const asked: { stack?: unknown } = {}
  Error.prepareStackTrace = (_error, sites) => sites.map((site) => site.getFileName() ?? '')
  Error.captureStackTrace(asked, callerOf)
  const frames = asked.stack as string[] // as prepareStackTrace returns them
  // The first is `entered`, the second the function itself.
  const found = frames.slice(2).map((file) => /\/dist\/(src\/.*)\.js$/.exec(file)?.[1])
  const caller = found.find((file) => file !== undefined)
  return caller === undefined ? null : `${caller}.ts`
}

function reportOf({ name, files, folders, moves, upward }: Walk): string {
  return [
    `${name}: ${files.length} files in ${folders.length} folders; ${moves.length} calls into another folder, ${upward.length} of them upward`,
    `  folders: ${folders.join(', ')}`,
    ...files.map((file) => `  ${file}`),
    ...upward.map(({ from, to }) => `  upward: ${from ?? ''} calls ${to}`),
    '',
  ].join('\n')
}

async function main(): Promise<void> {
  // Before anything of the package is loaded.
  register('./instrument.js', import.meta.url)
  const { startPostgres } = await import('../src/development/postgres.js')
  const own = process.env.DATABASE_URL === undefined ? await startPostgres({ persistent: false }) : null
  try {
    const walks = await walk(own?.url ?? process.env.DATABASE_URL ?? '')
    console.log(process.argv.includes('--json') ? JSON.stringify(walks) : walks.map(reportOf).join('\n'))
  } finally {
    await own?.stop()
  }
}

await main()
