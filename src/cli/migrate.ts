// `fastify-identity migrate`: for a deployment that runs migrations before its instances start (option migrate: 'check'). Needs no secret.
import { migrate, pendingMigrations } from '../store/migrate.js'
import type { Command } from './command.js'

export const migrateCommand: Command = {
  name: 'migrate',
  about: 'Runs the migrations that are pending. Of any number of processes at once, each migration is run by one',
  options: { check: { type: 'boolean', about: 'runs nothing, and says what is pending: exit code 1 if anything is' } },
  run: ({ withConnection, flag }) =>
    withConnection(async (connection) => {
      if (flag('check')) {
        const pending = await pendingMigrations(connection)
        return {
          json: { pending },
          text: lines('pending', pending, 'Nothing is pending'),
          exitCode: pending.length === 0 ? 0 : 1,
        }
      }
      const executed = await migrate(connection)
      return { json: { executed }, text: lines('done', executed, 'Nothing was pending') }
    }),
}

function lines(state: string, names: readonly string[], nothing: string): string {
  return names.length === 0 ? nothing : names.map((name) => `${state}  ${name}`).join('\n')
}
