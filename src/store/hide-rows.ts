// What Postgres says about a failed statement holds rows: addresses, hashes, stamps. Loggers write every enumerable member of an error, so
// those with content of rows are made not enumerable. Code that asks for them by name still gets them.

// `detail` and `where` quote rows and parameters, `internalQuery` and `query` statements; the others come from drivers and poolers.
const members = ['detail', 'where', 'hint', 'internalQuery', 'query', 'parameters', 'values', 'dataType'] as const

/** Hides what an error of the database, and each error that caused it, quotes. */
export function hideRows(error: unknown): void {
  for (let one = error, depth = 0; one instanceof Error && depth < 5; one = one.cause, depth++) {
    for (const member of members) {
      const found = Object.getOwnPropertyDescriptor(one, member)
      if (found?.enumerable === true && found.configurable === true) {
        Object.defineProperty(one, member, { ...found, enumerable: false })
      }
    }
    // Class 22 is data exceptions, P0001 what a trigger raises: the message itself quotes a value.
    const { code } = one as { code?: unknown }
    if (typeof code === 'string' && /^(22...|P0001)$/.test(code)) withoutText(one, code)
  }
}

function withoutText(error: Error, code: string): void {
  const { message, stack } = error
  const replacement = `The database refused a value (SQLSTATE ${code})`
  if (message === replacement) return
  error.message = replacement
  if (stack !== undefined) error.stack = stack.replace(message, () => replacement)
}
