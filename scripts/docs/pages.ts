// The pages of docs/ with tables that are generated, and how each looks now.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { memberTable } from './app-identity.js'
import { endpointTable } from './endpoints.js'
import { codeTable, thrownTable } from './errors.js'
import { eventTable, hookTable } from './events.js'
import { optionTable } from './options.js'
import { openPackage, type Package, project } from './program.js'
import { type Table, withTables } from './tables.js'

const pages: Readonly<Record<string, Readonly<Record<string, (opened: Package) => Table>>>> = {
  'docs/options.md': { options: optionTable },
  'docs/errors.md': { thrown: thrownTable, codes: codeTable },
  'docs/endpoints.md': { endpoints: endpointTable },
  'docs/events.md': { events: eventTable, hooks: hookTable },
  'docs/app-identity.md': { members: memberTable },
}

/** Each page with its generated tables, by its path. */
export function generatedPages(opened: Package = openPackage()): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(pages).map(([path, makers]) => {
      const tables = Object.entries(makers).map(([name, make]) => [name, make(opened)] as const)
      return [path, withTables(readFileSync(join(project, path), 'utf8'), Object.fromEntries(tables))]
    }),
  )
}
