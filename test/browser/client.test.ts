// The client where it is meant to run: loaded by a page as it was built, with the browser's own cookies, storage and
// locks.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { requireAuthorization } from '../../src/index.js'
import { goodPassword as password, withApp } from '../support/app.js'
import { openPage, withoutChromium } from '../support/chromium.js'

const built = join(import.meta.dirname, '../../src/client')

// Two tabs: a page, and the same page in a frame. Both have a client of their own on one localStorage.
const page = `<!doctype html><script type="module">
import { createIdentityClient } from '/client/index.js'
const storage = {
  get: () => JSON.parse(localStorage.getItem('tokens')),
  set: (tokens) => localStorage.setItem('tokens', JSON.stringify(tokens)),
}
window.client = createIdentityClient({ baseUrl: '/account', storage })
const person = { email: 'ann@example.com', password: '${password}' }

async function otherTab() {
  const frame = document.createElement('iframe')
  frame.src = '/page?frame'
  const loaded = new Promise((resolve) => { frame.onload = resolve })
  document.body.append(frame)
  await loaded
  return frame.contentWindow.client
}

async function story() {
  await client.register(person)
  const login = await client.login(person)
  const other = await otherTab()
  storage.set({ ...storage.get(), renewAt: 0 })
  const texts = await Promise.all([client, other, client, other].map(async (one) => (await one.fetch('/hello')).text()))
  await other.logout()
  const after = [(await client.fetch('/hello')).status, await client.isSignedIn()]

  const byCookie = createIdentityClient({ baseUrl: '/account', cookies: true })
  await byCookie.login(person)
  const cookie = [(await byCookie.info()).email, await (await byCookie.fetch('/hello')).text(), document.cookie, storage.get()]
  await byCookie.logout()
  const gone = await byCookie.info().catch((error) => [error.name, error.status])
  return { login, texts, after, cookie, gone, hasLocks: 'locks' in navigator }
}

if (location.search === '') {
  const result = await story().catch((error) => ({ error: String(error.stack) }))
  await fetch('/result', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(result) })
}
</script><body>`

test(
  'a page signs in by tokens that two tabs share, then by a cookie that no script reads',
  { skip: withoutChromium },
  async (t) => {
    let report: (answer: unknown) => void
    const result = new Promise((resolve) => {
      report = resolve
    })
    let refreshes = 0
    await withApp(
      {
        before: (app) =>
          app.addHook('onRequest', (request, _reply, done) => {
            if (request.url === '/account/refresh') refreshes++
            done()
          }),
        after: (app) => {
          app.get('/page', (_request, reply) => reply.type('text/html').send(page))
          app.get<{ Params: { file: string } }>('/client/:file', ({ params }, reply) =>
            reply.type('text/javascript').send(readFileSync(join(built, params.file))),
          )
          app.get('/hello', { onRequest: requireAuthorization() }, (request) => request.identity?.userName)
          app.post('/result', (request, reply) => {
            report(request.body)
            return reply.send({})
          })
        },
      },
      async (server) => {
        assert.deepEqual(await openPage(t, `${await server.listen()}/page`, result), {
          login: { succeeded: true },
          texts: Array(4).fill('ann@example.com'),
          after: [401, false],
          cookie: ['ann@example.com', 'ann@example.com', '', null],
          gone: ['IdentityClientError', 401],
          hasLocks: true,
        })
        assert.equal(refreshes, 1)
      },
    )
  },
)
