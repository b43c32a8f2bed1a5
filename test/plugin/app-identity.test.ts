// What app.identity has at run time, compared with its type: a member that the type hides would be used all the same.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openPackage, typeOf } from '../../scripts/docs/program.js'
import { withApp } from '../support/app.js'

test('app.identity and each of its managers have the members that their types declare, and no others', () =>
  withApp({}, ({ app }) => {
    const opened = openPackage()
    const { identity } = app
    const declared = typeOf(opened, 'src/index.ts', 'Identity').getProperties()
    const namesOf = (object: object) => Object.keys(object).sort()
    assert.deepEqual(namesOf(identity), declared.map(({ name }) => name).sort())
    const managers = declared.filter(({ name }) => !['events', 'migrate', 'healthCheck'].includes(name))
    assert.ok(managers.length > 5)
    for (const manager of managers) {
      const members = opened.checker.getTypeOfSymbol(manager).getProperties()
      assert.deepEqual(
        namesOf(Reflect.get(identity, manager.name) as object),
        members.map(({ name }) => name).sort(),
        `app.identity.${manager.name}`,
      )
    }
    return Promise.resolve()
  }))
