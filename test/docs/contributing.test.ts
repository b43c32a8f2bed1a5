// CONTRIBUTING.md names what there is: paths in the repository, and commands in package.json.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const project = join(import.meta.dirname, '../../..')
const read = (name: string) => readFileSync(join(project, name), 'utf8')
const text = read('CONTRIBUTING.md')
const quoted = Array.from(text.matchAll(/`([^`\n]+)`/g), ([, code]) => code!)

test('every path in CONTRIBUTING.md exists: name the new one where a file has moved', () => {
  const paths = quoted.filter((code) => /^[\w./-]+\/[\w./-]*$|^[\w-]+\.(?:json|md|js|ts)$/.test(code))
  // Two are named by their end, an argument and a file of each folder.
  const known = paths.filter((path) => !['routes/login', 'options.ts'].includes(path))
  assert.ok(known.length > 20, `only ${known.length} paths were found`)
  assert.deepEqual(
    known.filter((path) => !existsSync(join(project, path))),
    [],
  )
})

test('every command in CONTRIBUTING.md is a script of package.json', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Readonly<Record<string, string>> } // our own file
  const commands = Array.from(
    text.matchAll(/\bnpm (?:run ([\w:]+)|(test|start)\b)/g),
    ([, run, short]) => run ?? short!,
  )
  assert.ok(new Set(commands).size > 8, `only ${commands.join(', ')} were found`)
  assert.deepEqual(
    commands.filter((name) => !(name in scripts)),
    [],
  )
})

test('the table of recipes has a row for each recipe, and an endpoint takes at most 5 files by hand, an option at most 3', () => {
  const rows = Array.from(text.matchAll(/^\| (an? \w+) \| (\d+) \| \d+ \|$/gm), ([, name, count]) => ({
    name: name!,
    count: Number(count),
  }))
  const recipes = Array.from(text.matchAll(/^### (An? \w+)\n([^#]+)/gm), ([, name, steps]) => ({
    name: name!.toLowerCase(),
    count: Array.from(steps!.matchAll(/^\d\. /gm)).length,
  }))
  // A step is a file.
  assert.deepEqual(rows, recipes)
  const most: Readonly<Record<string, number>> = { 'an endpoint': 5, 'an option': 3 }
  for (const { name, count } of rows) assert.ok(count <= (most[name] ?? 6), `${name} takes ${count} files`)
  assert.equal(rows.length, 4)
})
