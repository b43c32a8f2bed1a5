// A network between a test and its Postgres that can fail: refuse connections, drop every packet, cut open
// connections, lose one answer. It reads the statements that pass (Postgres protocol 3.0, messages Query, Parse and
// Bind). Does not support TLS.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export interface TcpProxy {
  /** The target's URL with the proxy's address. */
  readonly url: string
  /** Connections are passed on; those that were held go on where they stopped. */
  accept(): Promise<void>
  /** Nobody listens: connections in use are cut, new ones get ECONNREFUSED. */
  refuse(): Promise<void>
  /** Nothing passes in either direction, nothing is closed, and new connections seem to be accepted. */
  blackhole(): void
  /** Closes what is open now. */
  cut(): void
  /** Open connections stay open, and no packet passes on them any more. */
  forsake(): void
  /** The next statement that matches reaches the server; its answer never comes, the connection is cut instead. */
  loseAnswerTo(pattern: RegExp): void
  /** While it is true, each new connection dies of pg_terminate_backend in the packet that says that it is ready. */
  killsNewborn: boolean
  /** Connections that died so. */
  readonly killed: number
  /** The statements that passed since the last `forget`. */
  readonly statements: readonly string[]
  forget(): void
  close(): Promise<void>
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
}

export async function startTcpProxy(targetUrl: string): Promise<TcpProxy> {
  const target = new URL(targetUrl)
  const pairs = new Set<Pair>()
  const forsaken = new Set<Pair>()
  let statements: string[] = []
  let isHeld = false
  let losing: RegExp | null = null
  let killsNewborn = false
  let killed = 0
  let listener: Server = await listen(0)
  const { port } = listener.address() as AddressInfo // a TCP server that listens has an address of this kind

  async function listen(on: number): Promise<Server> {
    const server = createServer((client) => join(client)).listen(on, '127.0.0.1')
    await once(server, 'listening')
    return server
  }

  function join(client: Socket): void {
    const pair = { client, server: connect(Number(target.port), target.hostname) }
    pairs.add(pair)
    const end = () => {
      pairs.delete(pair)
      forsaken.delete(pair)
      client.destroy()
      pair.server.destroy()
    }
    for (const socket of [client, pair.server]) socket.setNoDelay(true).on('error', end).on('close', end)
    let isDeaf = false
    const read = statementReader((text) => {
      statements.push(text)
      if (losing?.test(text) !== true) return
      losing = null
      isDeaf = true
    })
    client.on('data', (chunk) => {
      read(chunk)
      pair.server.write(chunk)
    })
    let handshake: Buffer | null = killsNewborn ? Buffer.alloc(0) : null
    pair.server.on('data', (chunk) => {
      if (isDeaf) {
        end()
        return
      }
      if (handshake === null) {
        client.write(chunk)
        return
      }
      handshake = Buffer.concat([handshake, chunk])
      if (!handshake.subarray(-readyForQuery.length).equals(readyForQuery)) {
        // What was asked meanwhile (a password) must be seen to be answered.
        client.write(chunk)
        handshake = handshake.subarray(-readyForQuery.length)
        return
      }
      killed++
      client.end(Buffer.concat([chunk, terminated]))
    })
    if (isHeld) hold(pair)
  }

  function hold({ client, server }: Pair): void {
    client.pause()
    server.pause()
  }

  function cut(): void {
    for (const { client, server } of [...pairs, ...forsaken]) {
      client.destroy()
      server.destroy()
    }
  }

  async function stopListening(): Promise<void> {
    if (!listener.listening) return
    const closed = once(listener, 'close')
    listener.close()
    cut()
    await closed
  }

  const url = new URL(targetUrl)
  url.host = `127.0.0.1:${port}`
  return {
    url: url.href,
    async accept() {
      isHeld = false
      if (!listener.listening) listener = await listen(port)
      for (const { client, server } of pairs) {
        client.resume()
        server.resume()
      }
    },
    refuse: stopListening,
    blackhole() {
      isHeld = true
      for (const pair of pairs) hold(pair)
    },
    cut,
    forsake() {
      for (const pair of pairs) {
        hold(pair)
        forsaken.add(pair)
      }
      pairs.clear()
    },
    loseAnswerTo(pattern) {
      losing = pattern
    },
    get killsNewborn() {
      return killsNewborn
    },
    set killsNewborn(value) {
      killsNewborn = value
    },
    get killed() {
      return killed
    },
    get statements() {
      return statements
    },
    forget() {
      statements = []
    },
    close: stopListening,
  }
}

const readyForQuery = Buffer.from('Z\0\0\0\x05I', 'latin1')

// ErrorResponse: type, length, fields of a letter and a text, a zero byte.
const terminated = errorResponse({
  S: 'FATAL',
  V: 'FATAL',
  C: '57P01',
  M: 'terminating connection due to administrator command',
})

function errorResponse(fields: Readonly<Record<string, string>>): Buffer {
  const body = Buffer.from(
    Object.entries(fields)
      .map(([letter, text]) => `${letter}${text}\0`)
      .join('') + '\0',
  )
  const head = Buffer.from('E\0\0\0\0', 'latin1')
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

// A frontend's bytes: a start message (length, version, …) that asks for no TLS, then messages of type, length, body.
function statementReader(found: (text: string) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0)
  let isStarted = false
  const prepared = new Map<string, string>()
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    for (;;) {
      const head = isStarted ? 1 : 0
      if (rest.length < head + 4) return
      const end = head + rest.readInt32BE(head)
      if (rest.length < end) return
      const type = isStarted ? String.fromCharCode(rest[0]!) : ''
      const body = rest.subarray(head + 4, end)
      if (type === 'Q') found(body.toString('utf8').replace(/\0$/, ''))
      // Parse: the statement's name, its text, the types of its parameters. Bind: a portal's name, the statement's, its
      // values.
      const [first = '', second = ''] = type === 'P' || type === 'B' ? body.toString('utf8').split('\0', 2) : []
      if (type === 'P') prepared.set(first, second)
      if (type === 'B') found(prepared.get(second) ?? '')
      isStarted = true
      rest = rest.subarray(end)
    }
  }
}
