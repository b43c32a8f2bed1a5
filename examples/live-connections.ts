// Connections that outlive their request: a WebSocket and a stream of server-sent events. Both end with their session,
// within a second of a logout on any instance: request.identity.signal aborts then.
import { PassThrough } from 'node:stream'
import websocket from '@fastify/websocket'
import Fastify, { type FastifyInstance } from 'fastify'
import identity, { requireAuthorization } from 'fastify-identity'
import { serve } from './serve.js'

export async function build(database: string): Promise<FastifyInstance> {
  const app = Fastify({ forceCloseConnections: true })
  await app.register(websocket)
  await app.register(identity, { prefix: '/account', database })

  // The guard runs before the upgrade. A page of another site cannot open a socket with the cookie: it gets 403.
  app.get('/chat', { websocket: true, onRequest: requireAuthorization() }, (socket, request) => {
    const { userName, signal } = request.identity!
    socket.send(`hello ${userName}`)
    socket.on('message', (message: Buffer) => socket.send(`${userName}: ${message.toString()}`))
    const forget = atEnd(signal, () => socket.close(4401, 'The session has ended'))
    socket.on('close', forget)
  })

  app.get('/ticker', { onRequest: requireAuthorization() }, (request, reply) => {
    const stream = new PassThrough()
    const write = () => stream.write(`data: ${new Date().toISOString()}\n\n`)
    const timer = setInterval(write, 1000)
    const forget = atEnd(request.identity!.signal, () => stream.end('event: sessionEnded\ndata:\n\n'))
    stream.on('close', () => {
      clearInterval(timer)
      forget()
    })
    write()
    return reply.type('text/event-stream').header('cache-control', 'no-store').send(stream)
  })
  return app
}

/** Calls `end` once the signal aborts. All connections of a session share its signal, so that one that closes earlier is forgotten. */
function atEnd(signal: AbortSignal, end: () => void): () => void {
  if (signal.aborted) end()
  else signal.addEventListener('abort', end, { once: true })
  return () => signal.removeEventListener('abort', end)
}

await serve(import.meta, build)
