// The transcripts of ASP.NET Core, replayed against us: the same stories, the same answers. What differs is in the
// table of differences with its reason, with the very answer that we give instead, and what is in the table does
// differ.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { countTranscripts, type Difference, page, readDifferences, write } from './differences.js'
import { stories } from './stories/index.js'
import { replay } from './replay.js'
import type { Exchange } from './talk.js'

const source = join(import.meta.dirname, '../../../test/transcripts')
const recorded = JSON.parse(await readFile(join(source, 'recorded.json'), 'utf8')) as Record<string, Exchange[]>
const differences = await readDifferences()

function differenceOf(name: string): [Difference, unknown] | null {
  for (const difference of differences) {
    const answer = difference.answers?.[name]
    if (answer !== undefined) return [difference, answer]
  }
  return null
}

test('there are more than 300 transcripts, each of a story that is played', () => {
  const count = Object.values(recorded).reduce((sum, exchanges) => sum + exchanges.length, 0)
  assert.ok(count >= 300, String(count))
  assert.deepEqual(
    Object.keys(recorded),
    stories.map(({ name }) => name),
  )
})

test('every answer in the table of differences belongs to a transcript', () => {
  const names = new Set(
    Object.entries(recorded).flatMap(([story, all]) => all.map(({ label }) => `${story} / ${label}`)),
  )
  const answered = differences.flatMap(({ answers }) => Object.keys(answers ?? {}))
  assert.deepEqual(
    answered.filter((name) => !names.has(name)),
    [],
  )
  assert.equal(new Set(answered).size, answered.length)
})

test('the page of differences is the table', async () => {
  assert.equal(await readFile(page, 'utf8'), write(differences, await countTranscripts()))
})

for (const story of stories) {
  test(`${story.name}: the answers are those of ASP.NET Core, or in the table of differences`, async () => {
    const heard = await replay(story)
    const expected = recorded[story.name] ?? []
    assert.deepEqual(
      heard.map(({ label, request }) => ({ label, request })),
      expected.map(({ label, request }) => ({ label, request })),
    )
    const ours: Record<string, unknown> = {}
    const wanted: Record<string, unknown> = {}
    for (const [index, { label, answer }] of heard.entries()) {
      const name = `${story.name} / ${label}`
      const reference = expected[index]!.answer
      const accepted = differenceOf(name)
      ours[name] = answer
      wanted[name] = accepted === null ? reference : accepted[1]
      if (accepted !== null) assert.notDeepEqual(answer, reference, `${name} does not differ`)
    }
    assert.deepEqual(ours, wanted)
  })
}
