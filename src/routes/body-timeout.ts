// Bounds how long a request to our routes may take to arrive. Node's own limit (`requestTimeout`, 5 minutes) ends with
// `server.close()`, so that a client which sends a byte now and then would hold `app.close()` for as long as it likes.
import { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

/** A body of ours has at most 16 KiB: a line of 5 kbit/s is fast enough. */
export const bodySeconds = 30

/** Ends requests of a scope whose body has not arrived in time: 408 when nothing was answered yet (RFC 9110 §15.5.9). */
export function boundBodies(scope: FastifyInstance): void {
  scope.addHook('onRequest', function bodyTimeout({ raw }, reply, done) {
    const { 'content-length': length, 'transfer-encoding': encoding } = raw.headers
    const { socket } = raw
    // An injected request has no socket, and a stream of HTTP/2 ends with its session.
    if ((length === undefined || length === '0') && encoding === undefined) done()
    else if (!(socket instanceof Socket) || raw.httpVersionMajor > 1) done()
    else {
      // Not cleared by an answer: one that came before the body leaves the rest of it to come.
      const timer = setTimeout(() => {
        if (raw.complete) return
        if (!reply.raw.headersSent)
          socket.write('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
        socket.destroySoon()
      }, bodySeconds * 1000)
      timer.unref()
      const clear = () => clearTimeout(timer)
      raw.once('end', clear)
      socket.once('close', clear)
      done()
    }
  })
}
