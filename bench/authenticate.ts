// The cost of authentication: a guarded GET beside the same route without a guard, and beside other packages.
// Seen before: as many tokens as connections, sent again and again. New: no token comes twice.
import type { Credential } from './support/contender.js'
import { type Measured, credentialFiles, measure, type Tool } from './support/loads.js'
import { type Chart, type Finding, median, type Report, spread } from './support/report.js'
import { beside, inRounds, type Runner, type Settings } from './support/rounds.js'
import { contenderOf, proveGuard, rivalOf, type Server, startServer } from './support/servers.js'
import { hasWrk } from './support/wrk.js'

const connections = 50
const serverCore = 0
const loadCore = 1
// More than a server answers in one measurement, so that a token has left the cache when it comes again.
const distinct = 120_000

interface Entry {
  readonly name: string
  readonly module: string
  readonly variant?: string
  readonly tokens?: 'new'
}

const bare = 'bare route'
const seen = 'fastify-identity, bearer, seen before'
const fresh = 'fastify-identity, bearer, each new'
const jwtCached = '@fastify/jwt HS256, its cache hits'
const secureSession = '@fastify/secure-session'
const betterAuthCached = 'better-auth, its cookie cache'

const entries: readonly Entry[] = [
  { name: bare, module: contenderOf('bare') },
  { name: seen, module: contenderOf('identity') },
  { name: 'fastify-identity, cookie, seen before', module: contenderOf('identity'), variant: 'cookie' },
  { name: fresh, module: contenderOf('identity'), tokens: 'new' },
  { name: 'fastify-identity, cookie, each new', module: contenderOf('identity'), variant: 'cookie', tokens: 'new' },
  { name: secureSession, module: rivalOf('secure-session') },
  { name: jwtCached, module: rivalOf('fastify-jwt'), variant: 'cached' },
  { name: '@fastify/jwt HS256', module: rivalOf('fastify-jwt') },
  { name: 'jose JWE A256GCM', module: rivalOf('jose') },
  { name: '@fastify/session, in memory', module: rivalOf('session') },
  { name: betterAuthCached, module: rivalOf('better-auth'), variant: 'cached' },
  { name: 'better-auth', module: rivalOf('better-auth') },
]

export async function authenticate(settings: Settings): Promise<Report> {
  const files = await credentialFiles()
  const servers: Server[] = []
  const started: { name: string; server: Server; file: string }[] = []
  try {
    const ours = await startServer(contenderOf('identity'), settings)
    servers.push(ours)
    // The bare route is sent a header of the same length and ignores it.
    const ignored = await files.write(await ours.credentials(connections))
    for (const { name, module, variant, tokens } of entries) {
      const server = await startServer(
        module,
        { ...settings, ...(variant === undefined ? {} : { variant }) },
        serverCore,
      )
      servers.push(server)
      const credentials = await server.credentials(connections)
      for (const credential of credentials.slice(0, 2)) await proveGuard(name, server, credential)
      const file =
        tokens === 'new'
          ? await files.write(await mint(module, { ...settings, ...(variant === undefined ? {} : { variant }) }))
          : credentials.length === 0
            ? ignored
            : await files.write(credentials)
      started.push({ name, server, file })
    }
    const reports = new Map<Tool, Map<string, Measured[]>>()
    for (const tool of hasWrk ? (['wrk', 'autocannon'] as const) : (['autocannon'] as const)) {
      const runners = started.map(({ name, server, file }): Runner<Measured> => ({
        name,
        run: (seconds) =>
          measure(server, { kind: 'get', url: `${server.url}/guarded`, connections, seconds, file }, tool, loadCore),
      }))
      reports.set(tool, await inRounds(runners, settings))
    }
    return report(reports)
  } finally {
    await Promise.all(servers.map((server) => server.stop()))
    await files.remove()
  }
}

/** So many that none comes twice, made by another instance: one that seals a token has its key warm and its objects in memory. */
async function mint(module: string, options: Settings & { variant?: string }): Promise<readonly Credential[]> {
  const minter = await startServer(module, options)
  try {
    return await minter.credentials(options.isQuick ? distinct / 4 : distinct)
  } finally {
    await minter.stop()
  }
}

function report(reports: Map<Tool, Map<string, Measured[]>>): Report {
  const [main] = reports.values()
  const results = main!
  const added = (name: string) => beside(results, name, bare, (one, other) => one.cpuMicros - other.cpuMicros)
  const share = (tool: Tool, name: string) =>
    beside(reports.get(tool)!, name, bare, (one, other) => one.perSecond / other.perSecond)
  const figure = (name: string, key: 'perSecond' | 'p50' | 'p99' | 'cpuMicros', digits: number) =>
    median(results.get(name)!.map((one) => one[key])).toFixed(digits)
  const tools = [...reports.keys()]
  const table = [
    [
      `GET, ${connections} connections`,
      'req/s',
      'p50 ms',
      'p99 ms',
      'CPU µs',
      'CPU µs above bare',
      ...tools.map((tool) => `of bare, ${tool}`),
    ],
    ...entries.map(({ name }) => [
      name,
      figure(name, 'perSecond', 0),
      figure(name, 'p50', 2),
      figure(name, 'p99', 2),
      figure(name, 'cpuMicros', 1),
      spread(added(name), 1),
      ...tools.map((tool) => median(share(tool, name)).toFixed(2)),
    ]),
  ]
  // The other contender's cost above the bare route, as a multiple of ours, round by round.
  const times = (name: string, other: string) => added(other).map((cost, round) => cost / added(name)[round]!)
  const findings: Finding[] = [
    {
      what: 'authenticated GET, token seen before: server CPU above the bare route',
      target: '≤ 4 µs',
      measured: spread(added(seen), 1, ' µs'),
      isMet: median(added(seen)) <= 4,
    },
    ...tools.map((tool) => {
      const least = tool === 'wrk' ? 0.9 : 0.83
      return {
        what: `… its throughput under ${tool}, of the bare route's`,
        target: `≥ ${least.toFixed(2)}`,
        measured: spread(share(tool, seen), 2),
        isMet: median(share(tool, seen)) >= least,
      }
    }),
    ...[
      [jwtCached, ''],
      [secureSession, ' (stretch)'],
    ].map(([name = '', note = '']) => ({
      what: `authenticated GET, every token new: CPU above bare, beside ${name}${note}`,
      target: `< ${spread(added(name), 1, ' µs')}`,
      measured: spread(added(fresh), 1, ' µs'),
      isMet: median(added(fresh)) < median(added(name)),
    })),
    ...[
      [fresh, 15],
      [seen, 100],
    ].map(([name, least]) => ({
      what: `${name as string}: times less CPU above bare than ${betterAuthCached}`,
      target: `≥ ${least as number}`,
      measured: spread(times(name as string, betterAuthCached), 0),
      isMet: median(times(name as string, betterAuthCached)) >= (least as number),
    })),
  ]
  const chart: Chart = {
    title: 'Server CPU that authenticating a request adds, µs (shorter is better)',
    unit: 'µs',
    bars: entries
      .slice(1)
      .map(({ name }) => ({ name, value: median(added(name)), isOurs: name.startsWith('fastify-identity') })),
  }
  return { title: 'Authenticating a request', table, findings, charts: [chart] }
}
