// A user or session that is deleted by SQL, which leaves no revocation, is refused within a minute, and no request asks
// the database.
import assert from 'node:assert/strict'
import pg from 'pg'
import { test } from 'node:test'
import { report } from '../support/experiment.js'
import { until } from '../support/instances.js'
import { freshDatabase } from '../support/postgres.js'
import { startProcesses } from '../support/processes.js'
import { startTcpProxy } from '../support/tcp-proxy.js'
import { password } from '../support/instances.js'

test('a user or session that is deleted by SQL is refused within a minute on every instance, at no query per request', async (t) => {
  const url = await freshDatabase()
  const proxy = await startTcpProxy(url)
  t.after(() => proxy.close())
  const instances = await startProcesses(t, 2, { database: proxy.url, schema: 'identity' })
  const [instance] = instances
  assert.ok(instance)
  const client = new pg.Client(url)
  await client.connect()
  t.after(() => client.end())
  const tokenOf = async (name: string) => {
    const person = { email: `${name}@example.com`, password }
    assert.equal((await instance.call('POST', '/register', {}, person)).status, 200)
    const { body } = await instance.call('POST', '/login', {}, person)
    return { token: (body as { accessToken: string }).accessToken } // a sign-in by bearer
  }
  const cookieOf = async (name: string) => {
    const person = { email: `${name}@example.com`, password }
    const { cookie } = await instance.call('POST', '/login?useCookies=true', {}, person)
    return { cookie }
  }
  const kept = await tokenOf('kept')
  const credentials = { user: await tokenOf('user'), session: await tokenOf('session'), cookie: await cookieOf('user') }
  const all = [kept, ...Object.values(credentials)]
  for (const one of instances)
    for (const credential of all) assert.equal((await one.call('GET', '/guarded', credential)).status, 200)
  await client.query("delete from identity.users where email = 'user@example.com'")
  await client.query(
    "delete from identity.sessions where user_id = (select id from identity.users where email = 'session@example.com')",
  )
  proxy.forget()
  let requests = 0
  const refused = async () => {
    const answers = await Promise.all(
      instances.flatMap((one) => Object.values(credentials).map((by) => one.call('GET', '/guarded', by))),
    )
    requests += answers.length
    return answers.every(({ status }) => status === 401)
  }
  // The minute is what is promised.
  const milliseconds = await until(refused, 60_000)
  const queries = proxy.statements.filter((text) => /^\s*select 1 from .*sessions/.test(text)).length
  assert.equal(queries, 0)
  for (const one of instances) assert.equal((await one.call('GET', '/guarded', kept)).status, 200)
  report(t, {
    'refused after s': Math.round(milliseconds / 100) / 10,
    'requests meanwhile': requests,
    'queries of requests': queries,
  })
})
