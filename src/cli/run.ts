// Reads the arguments, runs one command, prints its result and returns the exit code: 0 done, 1 failed or not found,
// 2 wrong usage. Never prints a connection string or a secret, not even one that was typed in the wrong place.
import { readFileSync } from 'node:fs'
import { parseArgs, type ParseArgsConfig } from 'node:util'
import { DatabaseMissing, InvalidOption, SecretMissing, SecretWrong } from '../errors.js'
import { confirm } from './confirm.js'
import { type Call, type Command, type Outcome, type Shell, UsageError } from './command.js'
import { helpOf, sharedOptions, usageOf } from './help.js'
import { keyCommands } from './keys.js'
import { migrateCommand } from './migrate.js'
import type { withConnection, withRealm } from './open-realm.js'
import { nearest } from './suggest.js'
import { jsonLine, printable } from './table.js'
import { userCommands } from './users.js'

export const commands: readonly Command[] = [migrateCommand, ...keyCommands, ...userCommands]

/** Opens what a command works on: the functions of open-realm.ts. */
export interface Opener {
  readonly withConnection: typeof withConnection
  readonly withRealm: typeof withRealm
}

/** @returns the exit code */
export async function run(args: readonly string[], shell: Shell, opener: Opener): Promise<0 | 1 | 2> {
  const isJson = args.includes('--json')
  const say = (stream: NodeJS.WritableStream, text: string) =>
    new Promise<void>((resolve) => {
      // A reader that stops early, such as head(1), has seen enough.
      stream.once('error', () => resolve())
      stream.write(`${text}\n`, () => resolve())
    })
  const warn = (message: string) =>
    void say(shell.stderr, isJson ? jsonLine({ warning: message }) : `fastify-identity: ${message}`)
  try {
    const { json, text, exitCode = 0 } = await answer(args, shell, opener, warn)
    await say(shell.stdout, isJson ? jsonLine(json) : text)
    return exitCode
  } catch (error) {
    const { code, message } = failureOf(error, shell.env)
    await say(shell.stderr, isJson ? jsonLine({ error: { code, message } }) : `fastify-identity: ${printable(message)}`)
    return isMisuse(error) ? 2 : 1
  }
}

async function answer(
  args: readonly string[],
  shell: Shell,
  opener: Opener,
  warn: (message: string) => void,
): Promise<Outcome> {
  if (args.length > 0 && args.every((word) => ['--version', '-v', '--json'].includes(word))) {
    const version = packageVersion()
    return { json: { version }, text: version }
  }
  const firstFlag = args.findIndex((word) => word.startsWith('-'))
  const words = args.slice(0, firstFlag === -1 ? 2 : Math.min(firstFlag, 2))
  const command =
    commands.find(({ name }) => name === words.join(' ')) ?? commands.find(({ name }) => name === words[0])
  if (command === undefined) {
    const group = commands.filter(({ name }) => words.length === 0 || name.startsWith(`${words.join(' ')} `))
    if (group.length > 0 && args.slice(words.length).some((word) => word === '--help' || word === '-h')) {
      const text = helpOf(group)
      return { json: { help: text }, text }
    }
    throw new UsageError(
      `${group.length > 0 ? 'Name a command.' : `There is no such command.${suggestion(words.join(' '))}`} 'fastify-identity --help' lists all commands`,
    )
  }
  const { values, positionals } = parse(command, args.slice(command.name.split(' ').length))
  if (values.help === true) {
    const text = helpOf([command])
    return { json: { help: text }, text }
  }
  if (positionals.length !== (command.argument === undefined ? 0 : 1))
    throw new UsageError(`Usage: fastify-identity ${usageOf(command)}`)
  const text = (option: string) => textOf(values[option])
  const { env } = shell
  const target = { env, database: text('database'), schema: text('schema'), decorator: text('decorator'), warn }
  const call: Call = {
    env,
    withConnection: (work) => opener.withConnection(target, work),
    withRealm: (work) => opener.withRealm(target, work),
    argument: positionals[0] ?? '',
    text,
    flag: (option) => values[option] === true,
    confirm: async (question) => {
      if (values.yes !== true) await confirm(shell, question)
    },
  }
  return command.run(call)
}

function parse(command: Command, args: string[]) {
  const options: NonNullable<ParseArgsConfig['options']> = { help: { type: 'boolean', short: 'h' } }
  for (const [name, { type }] of Object.entries({ ...sharedOptions, ...command.options })) options[name] ??= { type }
  try {
    return parseArgs({ args, options, allowPositionals: true })
  } catch (error) {
    // The first sentence of Node's message; the rest is advice about positionals.
    const [reason = 'The arguments cannot be read'] = error instanceof Error ? error.message.split(/(?<=')\. |\n/) : []
    // The name of the flag without its value, which may be a secret.
    const unknown = /^Unknown option '--([^'=]*)/.exec(reason)?.[1]
    const known = unknown === undefined ? null : nearest(unknown, Object.keys(options))
    throw new UsageError(
      `${reason}${known === null ? '' : `. Did you mean --${known}?`}: fastify-identity ${command.name} --help lists its arguments`,
    )
  }
}

function suggestion(typed: string): string {
  const names = commands.map(({ name }) => name)
  const name = nearest(typed, names) ?? nearest(typed.split(' ')[0] ?? '', names)
  return name === null ? '' : ` Did you mean '${name}'?`
}

function packageVersion(): string {
  // The package's own file, which npm gives a version.
  return (JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string })
    .version
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function isMisuse(error: unknown): boolean {
  return (
    error instanceof UsageError ||
    error instanceof InvalidOption ||
    error instanceof DatabaseMissing ||
    error instanceof SecretMissing
  )
}

function failureOf(error: unknown, env: NodeJS.ProcessEnv): { code: string; message: string } {
  if (!(error instanceof Error)) return { code: 'UNKNOWN', message: String(error) }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'UNKNOWN'
  if (!(error instanceof SecretWrong)) return { code, message: error.message }
  const reason =
    (env.IDENTITY_SECRET ?? '') === ''
      ? "No secret is set: the keys of this database are wrapped under the application's"
      : 'IDENTITY_SECRET cannot open the key ring of this database'
  return {
    code,
    message: `${reason}. Set IDENTITY_SECRET to the application's newest secret. If that is lost: fastify-identity keys reset`,
  }
}
