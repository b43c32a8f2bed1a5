// The client side, in a process of its own: autocannon under one of a few loads. Started by loads.ts.
import { readFileSync } from 'node:fs'
import autocannon from 'autocannon'
import { answering } from './child.js'
import type { Load, Loaded } from './wrk.js'

answering({ run }, () => Promise.resolve())

async function run(load: Load): Promise<Loaded> {
  const { url, connections, seconds, amount } = load
  const clients = clientsOf(load)
  const latencies: number[] = []
  const statuses: Record<string, number> = {}
  // autocannon's own percentiles are whole milliseconds.
  const setupClient = (client: autocannon.Client) => {
    clients(client)
    client.on('response', (status: number, _bytes: number, milliseconds: number) => {
      statuses[status] = (statuses[status] ?? 0) + 1
      latencies.push(milliseconds)
    })
  }
  const result = await autocannon({
    url,
    connections,
    ...(amount === undefined ? { duration: seconds } : { amount }),
    timeout: 30,
    setupClient,
  })
  latencies.sort((a, b) => a - b)
  return {
    requests: latencies.length,
    perSecond: latencies.length / result.duration,
    p50: latencies[latencies.length >> 1] ?? 0,
    p99: latencies[Math.floor(latencies.length * 0.99)] ?? 0,
    statuses,
    unanswered: result.errors + result.timeouts,
  }
}

/** What each connection sends. */
function clientsOf(load: Load): (client: autocannon.Client) => void {
  let next = 0
  switch (load.kind) {
    case 'get': {
      const [header = '', ...values] = readFileSync(load.file, 'utf8').split('\n')
      const turn = () => ({ [header]: values[next++ % values.length]! })
      // As many credentials as connections: each keeps its own, and nothing is built anew for each request.
      if (values.length <= load.connections) return (client) => client.setHeaders(turn())
      return (client) => client.setRequests([{ setupRequest: (request) => ({ ...request, headers: turn() }) }])
    }
    case 'post': {
      const turn = () => JSON.stringify(load.bodies[next++ % load.bodies.length])
      return (client) =>
        client.setRequests([
          { method: 'POST', headers: json, setupRequest: (request) => ({ ...request, body: turn() }) },
        ])
    }
    case 'refresh':
      return (client) => {
        let body = JSON.stringify(load.bodies[next++ % load.bodies.length])
        client.setRequests([
          {
            method: 'POST',
            headers: json,
            setupRequest: (request) => ({ ...request, body }),
            // Each answer is the next request: a refresh token is good for one exchange.
            onResponse: (_status, answer) => {
              const { refreshToken } = JSON.parse(answer) as { refreshToken: string } // anything but 200 ends the bench
              body = JSON.stringify({ refreshToken })
            },
          },
        ])
      }
  }
}

const json = { 'content-type': 'application/json' }
