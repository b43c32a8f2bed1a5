// What a command of the shell is: a name, what it takes, and what it answers. A command prints nothing: what it answers is printed by run.ts,
// for people or for scripts.
import type { Target } from './open-realm.js'

/** The streams and the environment of a process. */
export interface Shell {
  readonly env: NodeJS.ProcessEnv
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean }
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean }
}

export interface CommandOption {
  readonly type: 'string' | 'boolean'
  /** What stands for the value in the help; of strings only. */
  readonly value?: string
  readonly about: string
}

export interface Command {
  /** As it is typed, for example `users lock`. */
  readonly name: string
  /** The one argument behind the name, if there is one, as it stands in the help. */
  readonly argument?: string
  readonly about: string
  readonly options?: Readonly<Record<string, CommandOption>>
  readonly run: (call: Call) => Promise<Outcome>
}

export interface Call {
  readonly target: Target
  /** Empty where the command takes none. */
  readonly argument: string
  /** The value of one of the command's own options. */
  readonly text: (option: string) => string | undefined
  readonly flag: (option: string) => boolean
  /** Asks before something is destroyed. @throws CommandFailed where the answer is no, UsageError where nobody can be asked */
  readonly confirm: (question: string) => Promise<void>
}

export interface Outcome {
  /** For --json. */
  readonly json: unknown
  /** For people. */
  readonly text: string
  /** Default 0. */
  readonly exitCode?: 0 | 1
}

/** The command was called wrongly: exit code 2. */
export class UsageError extends Error {
  readonly code = 'USAGE'
}

/** The command was understood and could not be carried out: exit code 1. */
export class CommandFailed extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message)
  }
}
