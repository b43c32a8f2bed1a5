// The statement cache, for hot paths: the text of a statement is compiled once, and where the pool is known Postgres
// parses and plans it once per connection (`over` in transaction.ts). Not for statements whose text depends on their
// parameters.
import { CompiledQuery, type RawBuilder, sql } from 'kysely'
import type { Db, StatementText, StatementTexts } from './db.js'

/** A parameter in a statement's text. It has no value yet, so nothing can be computed from it. */
export type Parameter = RawBuilder<never>

/**
 * A statement that is compiled once and run many times.
 * @param label its purpose; part of its name in Postgres
 * @param parameters the names of the values that `write` puts into the text
 * @returns runs it with values and returns its rows
 */
export function cachedStatement<const Name extends string, Row>(
  label: string,
  parameters: readonly Name[],
  write: (db: Db, given: Readonly<Record<Name, Parameter>>) => RawBuilder<Row>,
): (db: Db, given: Readonly<Record<NoInfer<Name>, unknown>>) => Promise<Row[]> {
  return async (db, given) => {
    const { clock } = db
    const { text, values } = db.statements.of(write, label, () => {
      const timeless: Db =
        clock === undefined ? db : { ...db, now: () => sql<Date>`to_timestamp(${now}::double precision)` }
      const marked = Object.fromEntries(
        parameters.map((name) => [name, sql<never>`${new Placeholder(name)}`]),
      ) as Record<Name, Parameter> // each name is there
      return write(timeless, marked).compile(db.kysely)
    })
    const bound = values.map((value) => {
      if (!(value instanceof Placeholder)) return value
      return value === now && clock !== undefined ? clock() / 1000 : given[value.name as Name] // a name among `parameters`
    })
    const { rows } = await db.kysely.executeQuery<Row>(CompiledQuery.raw(text, bound))
    return rows
  }
}

class Placeholder {
  constructor(readonly name: string) {}
}

/** The current time, where the host has a clock of its own. */
const now = new Placeholder('now')

/** An empty cache for one connection. */
export function createStatementTexts(): StatementTexts {
  const written = new Map<unknown, StatementText>()
  const names = new Map<string, string>()
  return {
    of(writer, label, compile) {
      const known = written.get(writer)
      if (known !== undefined) return known
      const { sql: compiled, parameters: values } = compile()
      const text = compiled.trim()
      written.set(writer, { text, values })
      names.set(text, `identity ${label} ${fingerprint(text)}`)
      return { text, values }
    },
    nameOf: (text) => names.get(text),
  }
}

/**
 * FNV-1a, 64 bits. Behind a pooler two releases or two realms may share a connection, on which a name must not mean
 * two statements. All texts are from this package, so a collision cannot be provoked.
 */
function fingerprint(text: string): string {
  let hash = 0xcbf29ce484222325n
  for (const byte of Buffer.from(text)) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn
  return hash.toString(16).padStart(16, '0')
}
