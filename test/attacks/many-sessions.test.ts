// A script that signs in and never out: the list of its owner's sessions stays short, and shows what can still be used.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Answer, startApp, type TestApp } from '../support/app.js'
import { isLong, report } from '../support/experiment.js'

interface Listed {
  readonly id: string
  readonly createdAt: string
  readonly current: boolean
}

const listed = (answer: Answer) => answer.json() as Listed[]

/** Sessions as sign-ins leave them, seen last so many seconds ago by the clock of the test. */
async function plant(app: TestApp, userId: string, count: number, secondsAgo: number): Promise<void> {
  await app.sql(
    String.raw`insert into sessions (id, user_id, created_at, last_seen_at, expires_at, amr, client)
     select overlay(gen_random_uuid()::text placing regexp_replace(lpad(to_hex($3::bigint * 1000 + n), 12, '0'), '(.{8})', '\1-') from 1 for 13)::uuid, $1,
       to_timestamp($3::bigint), to_timestamp($3::bigint), to_timestamp($3::bigint + 2592000), '{pwd}', repeat('agent ', 42)
     from generate_series(1, $2::int) n`,
    [userId, count, Math.floor(app.clock() / 1000) - secondsAgo],
  )
}

test('5,000 sessions are answered page by page, newest first, each once, within 25 kB a page', async (t) => {
  const app = await startApp()
  t.after(() => app.close())
  const person = await app.signIn()
  const user = (await app.app.identity.users.findByName(person.email))!
  const count = isLong ? 5000 : 620
  await plant(app, user.id, count, 86_400)
  const pages: Listed[][] = []
  let largest = 0
  for (let next: string | null = ''; next !== null;) {
    const answer = await app.call('GET', `/account/manage/sessions${next}`, { token: person.accessToken })
    assert.equal(answer.status, 200)
    pages.push(listed(answer))
    largest = Math.max(largest, answer.body.length)
    const { link } = answer.headers
    next = link === undefined ? null : /^<(\?[^>]+)>; rel="next"$/.exec(String(link))![1]!
  }
  const ids = pages.flat().map(({ id }) => id)
  assert.deepEqual(ids, Array.from(new Set(ids)).sort().reverse())
  assert.equal(ids.length, count + 1)
  assert.ok(pages.every((page, index) => page.length === (index === pages.length - 1 ? (count + 1) % 50 : 50)))
  assert.ok(largest < 25_000, `${largest} bytes`)
  assert.deepEqual(
    pages.flat().filter(({ current }) => current),
    [pages[0]![0]],
  )
  report(t, { sessions: count + 1, pages: pages.length, 'largest page, bytes': largest })
})

test('the host reads the same pages through app.identity.sessions', async (t) => {
  const app = await startApp()
  t.after(() => app.close())
  const { email } = await app.signIn()
  const { id } = (await app.app.identity.users.findByName(email))!
  await plant(app, id, 120, 86_400)
  const { sessions } = app.app.identity
  const first = await sessions.list(id)
  assert.equal(first.length, 50)
  const rest = await sessions.list(id, { after: first.at(-1)!.id.toUpperCase(), limit: 500 })
  assert.equal(rest.length, 71)
  assert.ok(first.at(-1)!.id > rest[0]!.id)
  assert.equal((await sessions.list(id, { limit: 7 })).length, 7)
  assert.deepEqual(await sessions.list(id, { after: rest.at(-1)!.id }), [])
  assert.deepEqual(await sessions.list(id, { after: 'nonsense' }), [])
})

test('a page is no longer than 100 sessions, and what is no page is 400', async (t) => {
  const app = await startApp()
  t.after(() => app.close())
  const { email, accessToken: token } = await app.signIn()
  await plant(app, (await app.app.identity.users.findByName(email))!.id, 120, 86_400)
  const ask = (query: string) => app.call('GET', `/account/manage/sessions?${query}`, { token })
  assert.equal(listed(await ask('limit=1')).length, 1)
  assert.equal(listed(await ask('LIMIT=100')).length, 100)
  assert.equal(listed(await ask('limit=999999999')).length, 100)
  for (const query of ['limit=0', 'limit=-1', 'limit=1e3', 'limit=%31%00', 'limit=1;', 'after=x', "after='--"]) {
    const { status, body } = await ask(query)
    assert.deepEqual([query, status, body], [query, 400, ''])
  }
})

test('a session whose last token has expired is listed no more, one tick before it still is', async (t) => {
  const app = await startApp({ identity: { securityStamp: { validationSeconds: 1800 } } })
  t.after(() => app.close())
  const person = await app.register()
  const bearer = await app.signIn(person)
  const { cookie } = await app.signInWithCookie(person)
  const { id } = (await app.app.identity.users.findByName(person.email))!
  const count = async () => (await app.app.identity.sessions.list(id)).length
  app.clock.advance(86_400)
  const { refreshToken } = (
    await app.call('POST', '/account/refresh', { json: { refreshToken: bearer.refreshToken } })
  ).json() as { refreshToken: string }
  app.clock.advance(13 * 86_400 - 1)
  assert.equal(await count(), 2)
  assert.equal((await app.call('GET', '/account/manage/info', { cookie })).status, 200)
  app.clock.advance(86_400)
  assert.equal(await count(), 2)
  app.clock.advance(1)
  assert.equal((await app.call('POST', '/account/refresh', { json: { refreshToken } })).status, 401)
  assert.equal(await count(), 1)
  app.clock.advance(13 * 86_400)
  assert.equal(await count(), 0)
})

test('a cookie that slides without the database keeps its session listed', async (t) => {
  const app = await startApp({ identity: { securityStamp: { validationSeconds: 2_000_000 } } })
  t.after(() => app.close())
  const person = await app.register()
  const { cookie } = await app.signInWithCookie(person)
  app.clock.advance(8 * 86_400)
  const slid = await app.call('GET', '/account/manage/sessions', { cookie })
  assert.equal(slid.setCookies.length, 1)
  app.clock.advance(13 * 86_400)
  const again = await app.call('GET', '/account/manage/sessions', { cookie: slid.setCookies[0]!.split(';')[0]! })
  assert.deepEqual([again.status, listed(again).length], [200, 1])
})
