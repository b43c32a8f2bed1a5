// Kysely 0.28 and 0.29 keep their Migrator in different places. The installed one is real; the other is a package of that shape.
import assert from 'node:assert/strict'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { Migrator } from 'kysely'
import { loadMigrator } from '../../src/store/migrator.js'

const compiled = join(import.meta.dirname, '../../src/store/migrator.js')

async function besideKysely(files: Readonly<Record<string, string>>): Promise<{ load: () => Promise<unknown>, folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'migrator-'))
  const kysely = join(folder, 'node_modules/kysely')
  await mkdir(kysely, { recursive: true })
  for (const [name, text] of Object.entries(files)) await writeFile(join(kysely, name), text)
  await cp(compiled, join(folder, 'migrator.mjs'))
  const { loadMigrator: load } = await import(pathToFileURL(join(folder, 'migrator.mjs')).href) as { loadMigrator: () => Promise<unknown> }
  return { load, folder }
}

const packageJson = (exports: unknown) => JSON.stringify({ name: 'kysely', type: 'module', exports })

test('the migrator of the installed Kysely is found', async () => {
  assert.equal(await loadMigrator(), Migrator)
})

test('the migrator is found in kysely/migration, where 0.29 has moved it', async (t) => {
  const { load, folder } = await besideKysely({
    'package.json': packageJson({ '.': './index.js', './migration': './migration.js' }),
    'index.js': 'export const Kysely = null',
    'migration.js': "export const Migrator = 'moved'",
  })
  t.after(() => rm(folder, { recursive: true }))
  assert.equal(await load(), 'moved')
})

test('a Kysely that is broken is not taken for an older one', async (t) => {
  const { load, folder } = await besideKysely({
    'package.json': packageJson({ '.': './index.js', './migration': './migration.js' }),
    'index.js': "export const Migrator = 'old'",
    'migration.js': "throw new Error('broken')",
  })
  t.after(() => rm(folder, { recursive: true }))
  await assert.rejects(load(), /broken/)
})
