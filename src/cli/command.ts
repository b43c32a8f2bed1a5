// A command of the shell: its name, its arguments and its result. A command prints nothing: run.ts prints the result,
// as text or JSON.
import type { Accounts } from '../compose.js'
import type { Connection } from '../store/connect.js'

/** The streams and the environment of a process. */
export interface Shell {
  readonly env: NodeJS.ProcessEnv
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean }
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean }
}

export interface CommandOption {
  readonly type: 'string' | 'boolean'
  /** The placeholder of the value in the help; for strings only. */
  readonly value?: string
  readonly about: string
}

export interface Command {
  /** The name as typed, for example `users lock`. */
  readonly name: string
  /** The one argument after the name, if there is one, as shown in the help. */
  readonly argument?: string
  readonly about: string
  readonly options?: Readonly<Record<string, CommandOption>>
  readonly run: (call: Call) => Promise<Outcome>
}

export interface Call {
  readonly env: NodeJS.ProcessEnv
  /** Works on the database alone. */
  readonly withConnection: <T>(work: (connection: Connection) => Promise<T>) => Promise<T>
  /** Works on users, sessions and keys, under IDENTITY_SECRET. */
  readonly withRealm: <T>(work: (accounts: Accounts) => Promise<T>) => Promise<T>
  /** Empty when the command takes none. */
  readonly argument: string
  /** The value of one of the command's own options. */
  readonly text: (option: string) => string | undefined
  readonly flag: (option: string) => boolean
  /**
   * Asks before something is destroyed. @throws CommandFailed when the answer is no, UsageError when there is no
   * terminal
   */
  readonly confirm: (question: string) => Promise<void>
}

export interface Outcome {
  /** The result for --json. */
  readonly json: unknown
  /** The result as text. */
  readonly text: string
  /** Default 0. */
  readonly exitCode?: 0 | 1
}

/** Wrong usage: exit code 2. */
export class UsageError extends Error {
  readonly code = 'USAGE'
}

/** The command was understood and failed: exit code 1. */
export class CommandFailed extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message)
  }
}
