// The tables of events and hooks, from the doc comments of their types.
import { commentOf, type Package, textOf, typeOf } from './program.js'
import { code, type Table } from './tables.js'

export function eventTable(opened: Package): Table {
  const { checker } = opened
  return {
    headings: ['event', 'when', 'listener gets'],
    rows: typeOf(opened, 'src/index.ts', 'IdentityEvents')
      .getProperties()
      .map((event) => [
        code(event.name),
        commentOf(event, opened),
        code(textOf(checker.getTypeOfSymbol(event), opened).replaceAll('readonly ', '').replace('; }', ' }')),
      ]),
  }
}

export function hookTable(opened: Package): Table {
  return {
    headings: ['hook', 'called'],
    rows: typeOf(opened, 'src/index.ts', 'Hooks')
      .getProperties()
      .map((hook) => [code(hook.name), commentOf(hook, opened)]),
  }
}
