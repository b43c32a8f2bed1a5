import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import pg from 'pg'
import { databaseUrl } from './postgres.js'
import { startTcpProxy } from './tcp-proxy.js'

async function place(t: TestContext) {
  const proxy = await startTcpProxy(await databaseUrl())
  t.after(() => proxy.close())
  const client = new pg.Client({ connectionString: proxy.url })
  client.on('error', () => undefined)
  await client.connect()
  t.after(() => void client.end())
  return { proxy, client }
}

const codeOf = (error: unknown) => (error as { code?: string }).code ?? (error as Error).message

test('the proxy passes statements on and knows their texts', async (t) => {
  const { proxy, client } = await place(t)
  assert.deepEqual((await client.query('select 1 as one')).rows, [{ one: 1 }])
  assert.deepEqual((await client.query('select $1::text as word', ['two'])).rows, [{ word: 'two' }])
  for (const value of [3, 4])
    await client.query({ name: 'numbers', text: 'select $1::integer as number', values: [value] })
  assert.deepEqual(proxy.statements, [
    'select 1 as one',
    'select $1::text as word',
    'select $1::integer as number',
    'select $1::integer as number',
  ])
  proxy.forget()
  assert.deepEqual(proxy.statements, [])
})

test('a refusing proxy cuts what is open, refuses what is new, and listens again on the same port', async (t) => {
  const { proxy, client } = await place(t)
  await proxy.refuse()
  await assert.rejects(client.query('select 1'))
  await assert.rejects(new pg.Client(proxy.url).connect(), (error) => codeOf(error) === 'ECONNREFUSED')
  await proxy.accept()
  const second = new pg.Client(proxy.url)
  await second.connect()
  await second.end()
})

test('a black hole answers nothing, and what it held goes on afterwards', async (t) => {
  const { proxy, client } = await place(t)
  proxy.blackhole()
  const patient = client.query({ text: 'select 1 as one', query_timeout: 60_000 } as pg.QueryConfig)
  const hurried = new pg.Client({ connectionString: proxy.url, connectionTimeoutMillis: 100 })
  await assert.rejects(hurried.connect(), /timeout/)
  await proxy.accept()
  assert.deepEqual((await patient).rows, [{ one: 1 }])
})

test('a statement whose answer is lost has happened', async (t) => {
  const { proxy, client } = await place(t)
  const name = `lost_${String(process.pid)}`
  proxy.loseAnswerTo(/create table lost/)
  await assert.rejects(client.query({ text: `create table ${name} ()`, query_timeout: 60_000 } as pg.QueryConfig))
  const second = new pg.Client(proxy.url)
  await second.connect()
  await second.query(`drop table ${name}`)
  await second.end()
})
