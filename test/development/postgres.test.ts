import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import pg from 'pg'
import { type Postgres, startPostgres } from '../../src/development/postgres.js'

// A folder that the server's user may enter, and what is started in it; at the end everything stops before the folder
// goes.
async function place(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'postgres-test-'))
  await chmod(folder, 0o755)
  const dataDir = join(folder, 'data')
  const servers: Postgres[] = []
  t.after(async () => {
    for (const server of servers) await server.stop()
    await rm(folder, { recursive: true, force: true })
  })
  const start = async () => {
    const server = await startPostgres({ dataDir, persistent: true })
    servers.push(server)
    return server
  }
  return { dataDir, start }
}

async function query(url: string, sql: string): Promise<unknown> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows
  } finally {
    await client.end()
  }
}

// A program of its own that starts a server and never stops it.
async function starter(dataDir: string) {
  const source = `
    import { startPostgres } from ${JSON.stringify(import.meta.resolve('../../src/development/postgres.js'))}
    const { url } = await startPostgres(${JSON.stringify({ dataDir, persistent: true })})
    console.log(url)
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return { child, url: line.toString().trim() }
}

test('a second start finds the data of the first', async (t) => {
  const { start } = await place(t)
  const first = await start()
  await query(first.url, 'create table kept as select 42 as answer')
  await first.stop()
  const second = await start()
  assert.deepEqual(await query(second.url, 'select answer from kept'), [{ answer: 42 }])
})

test('a folder whose server runs is refused with its name and the process', async (t) => {
  const { start } = await place(t)
  const first = await start()
  await assert.rejects(
    start(),
    (error: Error) =>
      /^A Postgres \(process \d+\) already runs in /.test(error.message) && error.message.includes(first.dataDir),
  )
  assert.deepEqual(await query(first.url, 'select 1 as one'), [{ one: 1 }])
})

test('a server whose starter was killed makes way for the next start', async (t) => {
  const { dataDir, start } = await place(t)
  const { child, url } = await starter(dataDir)
  await query(url, 'create table kept as select 42 as answer')
  child.kill('SIGKILL')
  const next = await start()
  assert.deepEqual(await query(next.url, 'select answer from kept'), [{ answer: 42 }])
  await assert.rejects(query(url, 'select 1'))
})

test('a temporary server leaves no folder behind', async () => {
  const server = await startPostgres({ persistent: false })
  assert.ok(existsSync(server.dataDir))
  await server.stop()
  assert.ok(!existsSync(server.dataDir))
})

test('a wrong password opens nothing', async (t) => {
  const server = await startPostgres({ persistent: false })
  t.after(() => server.stop())
  const url = new URL(server.url)
  url.password = 'postgres'
  await assert.rejects(query(url.href, 'select 1'), { code: '28P01' })
})

test('in production it is refused, with the error that names what to set', async (t) => {
  const { dataDir } = await place(t)
  const before = process.env.NODE_ENV
  process.env.NODE_ENV = 'production'
  try {
    await assert.rejects(startPostgres({ dataDir }), {
      code: 'FST_IDENTITY_NOT_FOR_PRODUCTION',
      message: /DATABASE_URL/,
    })
  } finally {
    if (before === undefined) delete process.env.NODE_ENV
    else process.env.NODE_ENV = before
  }
  assert.equal(existsSync(dataDir), false)
})

test('without options the data lie in .data/postgres of the current directory, and are kept', async (t) => {
  const { dataDir } = await place(t)
  const folder = join(dataDir, '..')
  const program = async (sql: string) => {
    const source = `
      import pg from ${JSON.stringify(import.meta.resolve('pg'))}
      import { startPostgres } from ${JSON.stringify(import.meta.resolve('../../src/development/index.js'))}
      const postgres = await startPostgres()
      const client = new pg.Client(postgres.url)
      await client.connect()
      const { rows } = await client.query(${JSON.stringify(sql)})
      await client.end()
      await postgres.stop()
      console.log(JSON.stringify({ rows, dataDir: postgres.dataDir }))`
    const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let printed = ''
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString()
    })
    await once(child, 'close')
    return JSON.parse(printed) as { rows: unknown[]; dataDir: string }
  }
  await program('create table kept as select 42 as answer')
  const second = await program('select answer from kept')
  assert.deepEqual(second, { rows: [{ answer: 42 }], dataDir: join(await realpath(folder), '.data/postgres') })
})
