// The output of --help: for the program, a group, or one command.
import type { Command, CommandOption } from './command.js'

/** The options of every command. */
export const sharedOptions = {
  database: { type: 'string', value: '<url>', about: 'connection string; default: DATABASE_URL, or the PG* variables' },
  schema: { type: 'string', value: '<name>', about: "option schema of the application; default: 'identity'" },
  decorator: { type: 'string', value: '<name>', about: "option decorator of the application; default: 'identity'" },
  json: { type: 'boolean', about: 'one line of JSON on stdout; errors and warnings likewise on stderr' },
  yes: { type: 'boolean', about: 'destroys without asking; required without a terminal' },
  help: { type: 'boolean', about: 'prints this' },
} as const satisfies Record<string, CommandOption>

const environment = `The secret is read from IDENTITY_SECRET, never from a flag: the application's newest one. Running instances refuse an ended session within a
second. Hooks and listeners of the application are not called, and its notices are not mailed.

Exit codes: 0 done, 1 failed or not found, 2 wrong usage.`

export function helpOf(commands: readonly Command[]): string {
  const [only, ...more] = commands
  return only !== undefined && more.length === 0
    ? helpOfOne(only)
    : `Usage: fastify-identity <command> [options]

${columns(commands.map((command) => [usageOf(command), command.about]))}

${columns(optionRows(sharedOptions))}

  --version  prints the version of the package

The options of a command: fastify-identity <command> --help

${environment}`
}

function helpOfOne(command: Command): string {
  return `Usage: fastify-identity ${usageOf(command)} [options]

${command.about}.

${columns(optionRows({ ...command.options, ...sharedOptions }))}

${environment}`
}

export function usageOf({ name, argument }: Command): string {
  return argument === undefined ? name : `${name} ${argument}`
}

function optionRows(options: Readonly<Record<string, CommandOption>>): [string, string][] {
  return Object.entries(options).map(([name, { value, about }]) => [
    value === undefined ? `--${name}` : `--${name} ${value}`,
    about,
  ])
}

function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n')
}
