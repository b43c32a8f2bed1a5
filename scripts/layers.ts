// The layers of ARCHITECTURE.md, by folder of src/. test/architecture.test.ts holds the imports against them,
// scripts/walks.ts the calls.

/** From bottom to top. A file that lies in src/ itself is listed by its name. */
export const layers: Readonly<Record<string, number>> = {
  cli: 6,
  client: 6,
  testing: 6,
  development: 6,
  'index.ts': 5,
  'plugin.ts': 5,
  'compose.ts': 5,
  'setup-warnings.ts': 5,
  'health.ts': 5,
  'options.ts': 5,
  routes: 4,
  http: 3,
  accounts: 2,
  tokens: 1,
  passwords: 1,
  'two-factor': 1,
  email: 1,
  store: 1,
  revocation: 1,
  'option-schema.ts': 0,
  'errors.ts': 0,
  'clock.ts': 0,
  'ids.ts': 0,
  'absent.ts': 0,
  'blanks.ts': 0,
  'page.ts': 0,
}

/** The folder of a source below src/, or its own name: `src/accounts/keys/key-manager.ts` lies in `accounts`. */
export function folderOf(file: string): string {
  return file.split('/')[1] ?? file
}

/** Whether a file lies in a higher layer than another one. */
export function isAbove(file: string, other: string): boolean {
  return (layers[folderOf(file)] ?? 0) > (layers[folderOf(other)] ?? 0)
}
