// A client that sends its body byte by byte is waited for, and not for ever: neither by a request nor by the end of the
// application.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { test, type TestContext } from 'node:test'
import { report } from '../support/experiment.js'
import { login, password, register, startApp } from '../support/instances.js'

const head = (url: string, length: number) =>
  `POST ${url} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`

/** Sends a body, one byte every `milliseconds`. */
function drip(t: TestContext, port: number, url: string, body: string, milliseconds: number) {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  let sent = 0
  socket.on('data', (chunk) => (text += chunk.toString())).on('error', () => undefined)
  socket.write(head(url, body.length))
  const timer = setInterval(() => socket.write(body[sent++] ?? ''), milliseconds)
  const closed = once(socket, 'close')
  const stop = () => {
    clearInterval(timer)
    socket.destroy()
  }
  void closed.then(stop)
  t.after(stop)
  return { closed, text: () => text, sent: () => sent, socket }
}

test('a slow but honest client is answered, and app.close() ends those that never finish, whatever they were answered', async (t) => {
  const app = await startApp(t)
  await register(app, 'alice@example.com')
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo // a TCP server has an address of this kind
  const honest = drip(t, port, '/login', JSON.stringify({ email: 'alice@example.com', password }), 100)
  await once(honest.socket, 'data')
  assert.match(honest.text(), /^HTTP\/1\.1 200 /)
  // Without an end: one that waits for its answer, and one that was refused before its body was read.
  const endless = [
    drip(t, port, '/login', ' '.repeat(10_000), 500),
    drip(t, port, '/manage/info', ' '.repeat(10_000), 500),
  ]
  await once(endless[1]!.socket, 'data')
  assert.match(endless[1]!.text(), /^HTTP\/1\.1 401 /)
  assert.equal((await login(app, 'alice@example.com')).status, 200)
  const start = performance.now()
  await app.close()
  await Promise.all(endless.map(({ closed }) => closed))
  assert.match(endless[0]!.text(), /^HTTP\/1\.1 408 /)
  report(t, {
    'closed after s': Math.round((performance.now() - start) / 100) / 10,
    'slow and answered': 1,
    'endless and ended': endless.length,
  })
})
