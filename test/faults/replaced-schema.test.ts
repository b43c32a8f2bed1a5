// A schema that is dropped, renamed, or restored from a backup under a running instance: 503 meanwhile, never 500 and
// never a refused token, and everything as before afterwards.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import pg from 'pg'
import { password, until } from '../support/instances.js'
import { isOfTheRing } from '../support/background.js'
import { report } from '../support/experiment.js'
import { freshDatabase } from '../support/postgres.js'
import { type InstanceProcess, startProcess } from '../support/processes.js'
import { startTcpProxy } from '../support/tcp-proxy.js'

async function place(t: TestContext, ownPool: boolean) {
  const url = await freshDatabase()
  const proxy = await startTcpProxy(url)
  t.after(() => proxy.close())
  const instance = await startProcess(t, { database: proxy.url, schema: 'identity' }, { ownPool })
  const client = new pg.Client(url)
  await client.connect()
  t.after(() => client.end())
  const person = { email: 'alice@example.com', password }
  assert.equal((await instance.call('POST', '/register', {}, person)).status, 200)
  const { body } = await instance.call('POST', '/login', {}, person)
  const { accessToken, refreshToken } = body as { accessToken: string; refreshToken: string } // a sign-in by bearer
  return { proxy, instance, person, accessToken, refreshToken, sql: (text: string) => client.query(text) }
}

/** What asks the database, by every route. */
function requests(instance: InstanceProcess, person: object, token: string, refreshToken: string) {
  const code = 'bm90LWEtY29kZQ'
  const email = 'alice@example.com'
  return {
    register: () => instance.call('POST', '/register', {}, { email: 'bob@example.com', password }),
    login: () => instance.call('POST', '/login', {}, person),
    cookie: () => instance.call('POST', '/login?useCookies=true', {}, person),
    refresh: () => instance.call('POST', '/refresh', {}, { refreshToken }),
    confirmEmail: () => instance.call('GET', `/confirmEmail?userId=00000000-0000-7000-8000-000000000000&code=${code}`),
    resetPassword: () =>
      instance.call('POST', '/resetPassword', {}, { email, resetCode: code, newPassword: 'Better-horse-2' }),
    info: () => instance.call('GET', '/manage/info', { token }),
    changeInfo: () => instance.call('POST', '/manage/info', { token }, { newEmail: 'carol@example.com' }),
    twoFactor: () => instance.call('POST', '/manage/2fa', { token }, {}),
    sessions: () => instance.call('GET', '/manage/sessions', { token }),
    logout: () => instance.call('POST', '/logout', { token }, {}),
  }
}

const replacements: Record<string, { readonly away: string; readonly back: string }> = {
  'a schema that was renamed (3F000)': {
    away: 'alter schema identity rename to elsewhere',
    back: 'alter schema elsewhere rename to identity',
  },
  'a schema that is there and empty (42P01)': {
    away: 'alter schema identity rename to elsewhere; create schema identity',
    back: 'drop schema identity; alter schema elsewhere rename to identity',
  },
  'tables whose columns have other names (42703)': {
    away: 'alter table identity.users rename security_stamp to stamp; alter table identity.sessions rename id to key',
    back: 'alter table identity.users rename stamp to security_stamp; alter table identity.sessions rename key to id',
  },
}

for (const [what, { away, back }] of Object.entries(replacements)) {
  for (const ownPool of [false, true]) {
    test(`${what} is answered with 503 by every route, and forgotten afterwards, on ${ownPool ? "a host's pool" : 'our own pool'}`, async (t) => {
      const { instance, person, accessToken, refreshToken, sql } = await place(t, ownPool)
      const asked = requests(instance, person, accessToken, refreshToken)
      await sql(away)
      const statuses: Record<string, number> = {}
      for (const [name, ask] of Object.entries(asked)) statuses[name] = (await ask()).status
      await sql(back)
      // What a request does not touch is answered as ever.
      const others = Object.entries(statuses).filter(([, status]) => status !== 503)
      assert.deepEqual(
        others.filter(([, status]) => status >= 500 || status === 401),
        [],
      )
      for (const name of ['register', 'login', 'cookie', 'refresh', 'info', 'sessions', 'logout'])
        assert.equal(statuses[name], 503, name)
      await until(async () => (await instance.call('POST', '/login', {}, person)).status === 200)
      assert.equal((await instance.call('GET', '/guarded', { token: accessToken })).status, 200)
      assert.equal((await instance.call('POST', '/refresh', {}, { refreshToken })).status, 200)
      report(t, {
        'routes asked': Object.keys(statuses).length,
        'answers 503': Object.keys(statuses).length - others.length,
        'answers 500': 0,
      })
    })
  }
}

test('while unique indexes are missing, as in the middle of a restore, a login is answered with 503', async (t) => {
  const { instance, person, sql } = await place(t, false)
  await sql('alter table identity.attempts drop constraint attempts_pkey')
  assert.equal((await instance.call('POST', '/login', {}, person)).status, 503)
  await sql('alter table identity.attempts add primary key (key)')
  assert.equal((await instance.call('POST', '/login', {}, person)).status, 200)
})

test('tables that are filled again after they were made anew get no second ring of keys meanwhile', async (t) => {
  const { proxy, instance, person, accessToken, refreshToken, sql } = await place(t, false)
  // What pg_restore does without --single-transaction: tables first, then rows.
  await sql('create table kept as select * from identity.keys')
  await sql('delete from identity.keys')
  // A token of an unknown key makes an instance read its ring at once.
  const forged = accessToken.slice(0, 4) + (accessToken[4] === 'A' ? 'B' : 'A') + accessToken.slice(5)
  proxy.forget()
  await until(async () => {
    await instance.call('GET', '/guarded', { token: forged })
    return proxy.statements.filter(isOfTheRing).length >= 5
  })
  assert.deepEqual((await sql('select id from identity.keys')).rows, [])
  assert.equal((await instance.call('GET', '/guarded', { token: accessToken })).status, 200)
  await sql('insert into identity.keys select * from kept')
  assert.equal((await instance.call('POST', '/refresh', {}, { refreshToken })).status, 200)
  assert.equal((await instance.call('POST', '/login', {}, person)).status, 200)
})
