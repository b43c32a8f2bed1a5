// The words of the documents: those that words.json lists are replaced by the field's terms. The linter applies the
// same list to the code (eslint-words.js); generated pages are covered twice.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

interface Word {
  readonly pattern: string
  readonly instead: string
}

const project = join(import.meta.dirname, '../../..')
const read = (name: string) => readFileSync(join(project, name), 'utf8')
const words = JSON.parse(read('words.json')) as readonly Word[] // our own file
const documents = ['', 'docs/', 'examples/'].flatMap((folder) =>
  readdirSync(join(project, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => folder + name),
)

/** Each word in a text that the list has, with its replacement. */
function listedIn(text: string): string[] {
  return words.flatMap(({ pattern, instead }) =>
    Array.from(text.matchAll(new RegExp(pattern, 'gi')), ([found]) => `${found}: write ${instead}`),
  )
}

test('every document uses the terms of the field', () => {
  const found = documents.flatMap((name) =>
    read(name)
      .split('\n')
      .flatMap((line, index) => listedIn(line).map((word) => `${name}:${index + 1}: ${word}`)),
  )
  assert.deepEqual(found, [])
})

test('the list finds a word in any case, and leaves similar ones alone', () => {
  // eslint-disable-next-line identity/words -- examples
  assert.equal(listedIn('Whoever asks is told at the door').length, 3)
  assert.deepEqual(listedIn('indoor plants, a storyteller, told apart, one line of JSON, returns and turns off'), [])
})
