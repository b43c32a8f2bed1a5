// What a test waits for a database on a machine that is busy with other tests: longer than any of them should take.
import type { IdentityOptions } from '../../src/index.js'

export const patientTimeouts = {
  connectSeconds: 120,
  statementSeconds: 60,
  idleTransactionSeconds: 120,
} satisfies IdentityOptions['databaseTimeouts']
