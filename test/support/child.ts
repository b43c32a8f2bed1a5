// A process of its own that runs a piece of a module, for what must not share this process: its end, its memory, its
// start.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'

export interface Child {
  readonly process: ChildProcess
  /** The next line that it prints; rejects when it ends before. */
  line(): Promise<string>
  say(line: string): void
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>
}

/** Imports in `source` name files of this package's `dist` as `~/src/index.js`, packages as ever. Ended at the end of the test. */
export function startChild(t: TestContext, source: string, environment: NodeJS.ProcessEnv = {}): Child {
  const root = import.meta.resolve('../../')
  // A data: module resolves packages from nowhere, so that the module is passed as input in this package's folder.
  const child = spawn(process.execPath, ['--input-type=module', '-e', source.replaceAll("'~/", `'${root}`)], {
    cwd: new URL('../../../', import.meta.url),
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit').then(([code, signal]: (number | NodeJS.Signals | null)[]) => signal ?? code ?? 0)
  t.after(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  return {
    process: child,
    async line() {
      const next = await lines.next()
      if (next.done === true) throw new Error('The child has ended')
      return next.value
    },
    say: (line) => child.stdin.write(`${line}\n`),
    ended,
  }
}
