// Processes of the benches, controlled over IPC: servers, loads, and everything else that must not share a process
// with a measurement.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'

export interface Child {
  /** Answers what `answering` in the child answers; rejects with its error, or when it ends before. */
  ask(what: string, input?: unknown): Promise<unknown>
  /** Lets it close what it has open, and waits for its end. */
  stop(): Promise<void>
}

interface Question {
  readonly id: number
  readonly what: string
  readonly input: unknown
}

interface Answer {
  readonly id: number
  readonly result?: unknown
  readonly error?: string
}

/** A core of its own for each side keeps them from taking turns on one. Without taskset, or with one core, the system decides. */
export const canPin =
  process.platform === 'linux' && availableParallelism() > 1 && spawnSync('taskset', ['--version']).status === 0

/**
 * Runs a module of the benches in a process of its own.
 * @param core the only core it may use, counted from 0; null: any
 */
export function startChild(module: string, core: number | null = null, environment: NodeJS.ProcessEnv = {}): Child {
  const pinned = core !== null && canPin ? ['taskset', '-c', String(core)] : []
  const [command, ...rest] = [...pinned, process.execPath, ...process.execArgv, fileURLToPath(module)]
  const child = spawn(command, rest, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, ...environment },
  })
  const waiting = new Map<number, (answer: Answer) => void>()
  const ended = once(child, 'exit').then(() => {
    for (const [id, settle] of waiting) settle({ id, error: `${module} ended before it answered` })
  })
  let lastId = 0
  child.on('message', (answer: Answer) => {
    waiting.get(answer.id)?.(answer)
    waiting.delete(answer.id)
  })
  return {
    ask(what, input) {
      const id = ++lastId
      return new Promise((resolve, reject) => {
        waiting.set(id, ({ result, error }) => (error === undefined ? resolve(result) : reject(new Error(error))))
        child.send({ id, what, input } satisfies Question, (error) => {
          if (error) reject(error)
        })
      })
    },
    async stop() {
      if (child.connected) child.disconnect()
      await ended
    },
  }
}

/** The child's side: what it answers by name, and how it ends when its parent lets go of it. */
export function answering(
  answers: Readonly<Record<string, (input: never) => unknown>>,
  close: () => Promise<unknown>,
): void {
  process.on('message', ({ id, what, input }: Question) => {
    const answer =
      answers[what] ??
      (() => {
        throw new Error(`Nobody answers ${what}`)
      })
    Promise.resolve()
      .then(() => answer(input as never))
      .then(
        // parent and child are of one version
        (result) => process.send?.({ id, result } satisfies Answer),
        (error: unknown) => process.send?.({ id, error: String(error) } satisfies Answer),
      )
  })
  process.on(
    'disconnect',
    () =>
      void close().then(
        () => process.exit(0),
        () => process.exit(1),
      ),
  )
}
