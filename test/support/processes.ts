// Several instances of one realm, each in a process of its own, spoken to over real sockets.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { TestContext } from 'node:test'
import type { IdentityOptions } from '../../src/index.js'
import type { HostSettings, Order } from './instance-process.js'

export interface Credential {
  readonly token?: string
  /** The whole Cookie header. */
  readonly cookie?: string
}

export interface ProcessAnswer {
  readonly status: number
  readonly text: string
  /** The body parsed; null when it is empty. */
  readonly body: unknown
  /** What a browser would send back. */
  readonly cookie: string
  /** The header, or null. */
  readonly retryAfter: string | null
}

export interface InstanceProcess {
  readonly url: string
  call(method: string, path: string, by?: Credential, json?: object): Promise<ProcessAnswer>
  /** Has the host's administrator do something; see instance-process.ts. */
  order(name: Order['name'], about?: string): Promise<unknown>
  /** Its exit code, or the signal that ended it; null while it runs. */
  ended(): number | NodeJS.Signals | null
}

/** @param options of the plugin, as far as JSON can say them */
export async function startProcesses(
  t: TestContext,
  count: number,
  options: IdentityOptions,
): Promise<InstanceProcess[]> {
  // The first one migrates; the others start as its peers do in production.
  const processes = [await startProcess(t, options)]
  processes.push(...(await Promise.all(Array.from({ length: count - 1 }, () => startProcess(t, options)))))
  return processes
}

export async function startProcess(
  t: TestContext,
  options: IdentityOptions,
  host: HostSettings = {},
): Promise<InstanceProcess> {
  const child = fork(fileURLToPath(import.meta.resolve('./instance-process.js')), {
    env: { PATH: process.env.PATH, IDENTITY_OPTIONS: JSON.stringify(options), HOST_SETTINGS: JSON.stringify(host) },
  })
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.disconnect()
    await exit
  })
  const { url } = await firstMessage(child)
  const asked = new Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>()
  child.on('message', ({ id, answer, error }: { id: number; answer?: unknown; error?: string }) => {
    if (error === undefined) asked.get(id)?.resolve(answer)
    else asked.get(id)?.reject(new Error(error))
    asked.delete(id)
  })
  let last = 0
  return {
    url,
    ended: () => child.exitCode ?? child.signalCode,
    async call(method, path, { token, cookie } = {}, json) {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(cookie === undefined ? {} : { cookie }),
          ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      })
      const text = await response.text()
      return {
        status: response.status,
        text,
        body: text === '' ? null : (JSON.parse(text) as unknown),
        retryAfter: response.headers.get('retry-after'),
        cookie: response.headers
          .getSetCookie()
          .map((line) => line.slice(0, line.indexOf(';')))
          .join('; '),
      }
    },
    order: (name, about = '') =>
      new Promise((resolve, reject) => {
        const order: Order = { id: ++last, name, about }
        asked.set(order.id, { resolve, reject })
        child.send(order)
      }),
  }
}

async function firstMessage(child: ChildProcess): Promise<{ url: string }> {
  const settled = new AbortController()
  const { signal } = settled
  const message = once(child, 'message', { signal })
  const death = once(child, 'exit', { signal }).then(() => {
    throw new Error('The instance ended before it answered')
  })
  try {
    // The first message of instance-process.ts.
    const [answer] = (await Promise.race([message, death])) as [{ url: string }]
    return answer
  } finally {
    settled.abort()
    await Promise.allSettled([message, death])
  }
}
