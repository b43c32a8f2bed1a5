// Statements of the paths that everybody waits for. Their text is made once, not with each call, and where the pool is known Postgres
// parses and plans them once for each connection (`over` in database.ts). Not for statements whose text depends on what is asked.
import { CompiledQuery, type RawBuilder, sql } from 'kysely'
import type { Db } from './transaction.js'

/** A place in a statement's text for a value that each call brings. It has no value yet, so nothing can be reckoned from it. */
export type Slot = RawBuilder<never>

/**
 * A statement to be run many times.
 *
 * @param label what it does; part of the name by which Postgres knows it
 * @param slots the names of the values that `write` puts into the text
 * @returns a function that runs it and answers its rows
 */
export function prepared<const Name extends string, Row>(
  label: string,
  slots: readonly Name[],
  write: (db: Db, given: Readonly<Record<Name, Slot>>) => RawBuilder<Row>,
): (db: Db, given: Readonly<Record<NoInfer<Name>, unknown>>) => Promise<Row[]> {
  return async (db, given) => {
    const { clock } = db
    const { text, places } = db.texts.of(write, label, () => {
      const timeless: Db =
        clock === undefined ? db : { ...db, now: () => sql<Date>`to_timestamp(${now}::double precision)` }
      const marked = Object.fromEntries(slots.map((name) => [name, sql<never>`${new Place(name)}`])) as Record<
        Name,
        Slot
      > // each name is there
      return write(timeless, marked).compile(db.kysely)
    })
    const values = places.map((place) => {
      if (!(place instanceof Place)) return place
      return place === now && clock !== undefined ? clock() / 1000 : given[place.name as Name] // a name among `slots`
    })
    const { rows } = await db.kysely.executeQuery<Row>(CompiledQuery.raw(text, values))
    return rows
  }
}

class Place {
  constructor(readonly name: string) {}
}

/** The current time, where the host has a clock of its own. */
const now = new Place('now')
