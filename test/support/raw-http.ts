// Bytes on a socket, for requests that no client library would send. One request, then the server's whole answer until
// it closes.
import { connect } from 'node:net'

export interface RawAnswer {
  readonly status: number
  /** Names in lower case, with every value in the order of arrival. */
  readonly headers: ReadonlyMap<string, readonly string[]>
  readonly body: string
}

/** Sends `request` as it is to `http://host:port`; the request must ask for `Connection: close`. */
export async function speak(origin: string, request: string | Buffer): Promise<RawAnswer> {
  const { hostname, port } = new URL(origin)
  const chunks: Buffer[] = []
  await new Promise<void>((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) }, () => {
      socket.write(request)
    })
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('close', () => {
      resolve()
    })
    // A server that answers early and closes may reset the rest of the request; its answer still counts.
    socket.on('error', (error) => {
      if (chunks.length === 0) reject(error)
    })
  })
  return parsed(Buffer.concat(chunks).toString('latin1'))
}

function parsed(text: string): RawAnswer {
  const end = text.indexOf('\r\n\r\n')
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n')
  const headers = new Map<string, string[]>()
  for (const line of lines) {
    const name = line.slice(0, line.indexOf(':')).toLowerCase()
    headers.set(name, [...(headers.get(name) ?? []), line.slice(line.indexOf(':') + 1).trim()])
  }
  return { status: Number(statusLine.split(' ')[1]), headers, body: text.slice(end + 4) }
}
