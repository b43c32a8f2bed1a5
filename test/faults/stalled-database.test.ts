// A database that answers nothing for a while, and then everything at once: what it did meanwhile for sign-ins that
// were given up does not keep their name out afterwards.
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { startPostgres } from '../../src/development/postgres.js'
import { password, tally, until } from '../support/instances.js'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'
import { type InstanceProcess, startProcess } from '../support/processes.js'
import { startTcpProxy } from '../support/tcp-proxy.js'

const alice = { email: 'alice@example.com', password }

/** The server's main process and all that it has started. */
async function processesOf(dataDir: string): Promise<number[]> {
  const [first] = (await readFile(join(dataDir, 'cluster', 'postmaster.pid'), 'utf8')).split('\n')
  const main = Number(first)
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const children = await Promise.all(
    ids.map(async (id) => {
      const stat = await readFile(`/proc/${id}/stat`, 'utf8').catch(() => '')
      // proc(5): the second field stands in parentheses, the fourth is the parent.
      return Number(stat.slice(stat.lastIndexOf(')')).split(' ')[2]) === main ? Number(id) : null
    }),
  )
  return [main, ...children.filter((id) => id !== null)]
}

async function start(t: TestContext, database: string): Promise<InstanceProcess> {
  const timeouts = { connectSeconds: 3, statementSeconds: 1 }
  // Nothing expires by itself: only what is given back is free again.
  const instance = await startProcess(
    t,
    { database, schema: uniqueSchema(), databaseTimeouts: timeouts },
    { frozenClock: true },
  )
  await until(async () => (await instance.call('POST', '/register', {}, alice)).status !== 503)
  // Eight connections lie in the pool.
  await until(async () => (await signIns(instance)).every((status) => status === 200))
  return instance
}

const signIns = (instance: InstanceProcess) =>
  Promise.all(Array.from({ length: 8 }, async () => (await instance.call('POST', '/login', {}, alice)).status))

interface Stall {
  readonly begin: () => Promise<void> | void
  readonly end: () => Promise<void> | void
}

async function assertFreeAfter(t: TestContext, instance: InstanceProcess, { begin, end }: Stall): Promise<void> {
  const running = { on: true }
  const seen: number[] = []
  const clients = Array.from({ length: 8 }, async () => {
    while (running.on) seen.push((await instance.call('POST', '/login', {}, alice)).status)
  })
  await until(() => seen.length >= 40)
  await begin()
  const before = seen.length
  // Each of the eight was given up.
  await until(() => seen.slice(before).filter((status) => status === 503).length >= 16)
  running.on = false
  await Promise.all(clients)
  await end()
  const took = await until(async () => (await instance.call('POST', '/login', {}, alice)).status === 200)
  const all = await signIns(instance)
  t.diagnostic(
    `answers until then ${JSON.stringify(tally(seen))}; the first 200 came ${Math.round(took)} ms after the stall`,
  )
  assert.deepEqual(tally(all), { 200: 8 })
}

test('a name with eight sign-ins under way is let in again when a stopped Postgres goes on', async (t) => {
  const server = await startPostgres({ persistent: false })
  t.after(() => server.stop())
  const instance = await start(t, server.url)
  let stopped: number[] = []
  const signal = (name: NodeJS.Signals) => {
    for (const id of stopped) process.kill(id, name)
  }
  t.after(() => signal('SIGCONT'))
  await assertFreeAfter(t, instance, {
    async begin() {
      stopped = await processesOf(server.dataDir)
      signal('SIGSTOP')
    },
    end() {
      signal('SIGCONT')
      stopped = []
    },
  })
})

test('a name with eight sign-ins under way is let in again when a network passes on what it held', async (t) => {
  const proxy = await startTcpProxy(await databaseUrl())
  t.after(() => proxy.close())
  const instance = await start(t, proxy.url)
  await assertFreeAfter(t, instance, { begin: () => proxy.blackhole(), end: () => proxy.accept() })
})

test('a sign-in whose answer from the database is lost takes no place of its name', async (t) => {
  const proxy = await startTcpProxy(await databaseUrl())
  t.after(() => proxy.close())
  const instance = await start(t, proxy.url)
  for (let lost = 0; lost < 6; lost++) {
    proxy.loseAnswerTo(/insert into [^ ]*"attempts"/)
    await until(async () => (await instance.call('POST', '/login', {}, alice)).status === 503)
  }
  const took = await until(async () => (await instance.call('POST', '/login', {}, alice)).status === 200)
  t.diagnostic(`6 answers lost; the first 200 came ${Math.round(took)} ms later`)
  await until(async () => (await signIns(instance)).every((status) => status === 200))
})
