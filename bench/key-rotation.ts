// Does key rotation disturb requests? Two instances on one database, authenticated requests at a steady rate
// alternating between them, a new key every few seconds, new tokens all the time on either: node
// dist/bench/key-rotation.js [--rate 1000 --every 20 --seconds 300]. The result is the number of requests that were
// not answered with 200; anything but 0 is a fault (security R12).
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startPostgres } from '../src/development/postgres.js'

interface Pair {
  readonly accessToken: string
  readonly refreshToken: string
}

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '1000' },
    every: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '300' },
    activate: { type: 'string', default: '10' },
  },
})
const rate = Number(values.rate)
const every = Number(values.every)
const seconds = Number(values.seconds)
const activateAfterSeconds = Number(values.activate)
const people = 20

const agent = new Agent({ keepAlive: true, maxSockets: 64 })
const postgres = process.env.DATABASE_URL === undefined ? await startPostgres({ persistent: false }) : null
const servers: ChildProcess[] = []
try {
  await measure()
} finally {
  for (const server of servers) {
    if (server.exitCode !== null) continue
    server.disconnect()
    await once(server, 'exit')
  }
  agent.destroy()
  await postgres?.stop()
}

async function start(): Promise<string> {
  const server = fork(fileURLToPath(import.meta.resolve('./key-rotation-server.js')), {
    env: { ...process.env, DATABASE_URL: postgres?.url ?? process.env.DATABASE_URL, NODE_ENV: 'development' },
  })
  servers.push(server)
  const [url] = (await once(server, 'message')) as [string] // what key-rotation-server.ts sends first
  return url
}

async function measure(): Promise<void> {
  const urls = [await start(), await start()]
  const at = (index: number) => urls[index % urls.length]!
  const pairs = await Promise.all(Array.from({ length: people }, (_, index) => newcomer(at(index), index)))

  const statuses = new Map<string, number>()
  const latencies: number[] = []
  const keys = new Set<string>()
  const pending = new Set<Promise<void>>()
  const note = (what: string) => {
    statuses.set(what, (statuses.get(what) ?? 0) + 1)
  }
  let asked = 0

  async function ask(index: number): Promise<void> {
    const began = performance.now()
    const { accessToken } = pairs[index % people]!
    keys.add(Buffer.from(accessToken, 'base64url').subarray(2, 6).toString('hex'))
    const { status } = await call('GET', `${at(index)}/bench-guarded`, accessToken)
    latencies.push(performance.now() - began)
    note(`GET ${status}`)
  }

  // Each user's tokens are made anew every 10 s, on either instance.
  async function renew(index: number): Promise<void> {
    const person = index % people
    const { status, body } = await call(
      'POST',
      `${at(index + Math.floor(index / people))}/account/refresh`,
      undefined,
      { refreshToken: pairs[person]!.refreshToken },
    )
    note(`refresh ${status}`)
    if (status === 200) pairs[person] = JSON.parse(body) as Pair // the answer of /refresh
  }

  const began = performance.now()
  let renewed = 0
  let turned = 0
  while (performance.now() - began < seconds * 1000) {
    const elapsed = (performance.now() - began) / 1000
    while (asked < elapsed * rate) follow(ask(asked++))
    while (renewed < (elapsed * people) / 10) follow(renew(renewed++))
    while (turned < Math.floor(elapsed / every) + 1)
      servers[turned++ % servers.length]!.send({ rotate: activateAfterSeconds })
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  await Promise.all(pending)
  report()

  function follow(work: Promise<void>): void {
    const kept = work
      .catch((error: unknown) => note(`failed ${(error as NodeJS.ErrnoException).code ?? String(error)}`))
      .finally(() => pending.delete(kept))
    pending.add(kept)
  }

  function report(): void {
    latencies.sort((a, b) => a - b)
    const share = (part: number) =>
      latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * part))]!.toFixed(1)
    const refused = [...statuses].filter(([what]) => !what.endsWith(' 200')).reduce((sum, [, count]) => sum + count, 0)
    console.log(
      `${asked} requests in ${seconds} s (${Math.round(asked / seconds)}/s) to 2 instances, ${turned} rotations, tokens under ${keys.size} keys`,
    )
    console.log(`answers: ${[...statuses].map(([what, count]) => `${what}: ${count}`).join(', ')}`)
    console.log(`latency p50 ${share(0.5)} ms, p99 ${share(0.99)} ms, max ${share(1)} ms`)
    console.log(`not answered with 200: ${refused}`)
    console.log(
      `${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}`,
    )
    if (refused > 0) process.exitCode = 1
  }
}

async function newcomer(url: string, index: number): Promise<Pair> {
  const credentials = { email: `bench-${Date.now()}-${index}@example.com`, password: 'Forecast-42' }
  await call('POST', `${url}/account/register`, undefined, credentials)
  const { status, body } = await call('POST', `${url}/account/login`, undefined, credentials)
  if (status !== 200) throw new Error(`/login answered ${status}`)
  return JSON.parse(body) as Pair // the answer of /login
}

function call(method: string, url: string, token?: string, json?: object): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const body = json === undefined ? undefined : JSON.stringify(json)
    const headers = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
    }
    request(url, { method, agent, headers }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() }))
      answer.on('error', reject)
    })
      .on('error', reject)
      .end(body)
  })
}
