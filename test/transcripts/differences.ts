// The table of accepted differences from ASP.NET Core, and the page that is made of it: npm run transcripts:page.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { WrittenAnswer } from './talk.js'

export interface Difference {
  readonly point: string
  readonly reference: string
  readonly here: string
  readonly reason: string
  /** How to be like the reference. */
  readonly option?: string
  /** Our answer to each transcript that differs because of it, by story and label. */
  readonly answers?: Readonly<Record<string, WrittenAnswer>>
}

const root = join(import.meta.dirname, '../../..')

export async function readDifferences(): Promise<readonly Difference[]> {
  return JSON.parse(await readFile(join(root, 'test/transcripts/differences.json'), 'utf8')) as Difference[]
}

export const page = join(root, 'docs/aspnet-differences.md')

/** The page, with the number of transcripts. */
export function write(differences: readonly Difference[], transcripts: number): string {
  const rows = differences.map(
    ({ point, reference, here, reason, option }) =>
      `| ${point} | ${reference} | ${here} | ${reason} | ${option ?? '–'} |`,
  )
  const differing = differences.reduce((sum, { answers }) => sum + Object.keys(answers ?? {}).length, 0)
  return `# Differences from ASP.NET Core Identity

The wire is that of \`MapIdentityApi\` in ASP.NET Core 10: paths, members, statuses, codes and messages. \`POST /logout\` and \`/manage/sessions\` are added.
The tests replay ${transcripts} answers that were recorded from ASP.NET Core; ${transcripts - differing} are the same in status, headers and body, and
${differing} differ on purpose. These are all the points in which they differ, and some that no single answer shows:

| point | reference | here | why | to be like the reference |
|---|---|---|---|---|
${rows.join('\n')}

Preset [\`hardened\`](hardened-preset.md) changes more. This page is generated from \`test/transcripts/differences.json\`; \`npm run transcripts:record\` records anew.
`
}

export async function countTranscripts(): Promise<number> {
  const recorded = JSON.parse(await readFile(join(root, 'test/transcripts/recorded.json'), 'utf8')) as Record<
    string,
    unknown[]
  >
  return Object.values(recorded).reduce((sum, exchanges) => sum + exchanges.length, 0)
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await writeFile(page, write(await readDifferences(), await countTranscripts()))
