// Two Authorization fields in one request: a proxy may read one of them and the server the other.
import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { newcomer, startApp } from '../support/instances.js'
import { report } from '../support/experiment.js'
import { speak } from '../support/raw-http.js'

test('a request with two Authorization fields is 401 whichever is good, also beside a good cookie', async (t) => {
  const app = await startApp(t)
  const { accessToken } = await newcomer(app, 'alice@example.com')
  const signedIn = await app.inject({
    method: 'POST',
    url: '/login?useCookies=true',
    payload: { email: 'alice@example.com', password: 'Correct-horse-1' },
  })
  const cookie = `Cookie: ${String(signedIn.headers['set-cookie']).split(';')[0]!}`
  await app.listen({ host: '127.0.0.1', port: 0 })
  const origin = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}` // a TCP socket has a port
  const ask = (path: string, ...fields: string[]) =>
    speak(origin, ['GET ' + path + ' HTTP/1.1', 'Host: localhost', 'Connection: close', ...fields, '', ''].join('\r\n'))
  const good = `Authorization: Bearer ${accessToken}`
  const pairs = [
    [good, 'Authorization: Bearer nonsense'],
    ['Authorization: Bearer nonsense', good],
    [good, good],
    [good, 'AUTHORIZATION: Basic YTpi'],
    ['authorization: Basic YTpi', good],
    [good, 'Authorization:'],
    ['Authorization: Basic YTpi', 'Authorization: Basic YTpi', cookie],
    [good, 'Authorization: Bearer nonsense', cookie],
  ]
  for (const fields of pairs) {
    for (const path of ['/guarded', '/manage/info']) {
      assert.equal((await ask(path, ...fields)).status, 401, fields.join(' | ').slice(0, 60))
    }
    assert.equal((await ask('/open', ...fields)).body, '{"userId":null}')
  }
  for (const fields of [[good], [cookie], [good, cookie]]) assert.equal((await ask('/guarded', ...fields)).status, 200)
  report(t, { 'pairs of fields': pairs.length, accepted: 0 })
})
