// The layers of ARCHITECTURE.md held by a test: a file imports from its own folder or from a lower layer. Type imports
// count too.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { folderOf, layers } from '../scripts/layers.js'
import { circlesOf, computed, filesBelow, type Import, importsOf } from '../scripts/sources.js'

// The folders of src/accounts/ from top to bottom: one imports from itself and from those below it.
const subjects = [
  'managers',
  'sign-in',
  'credentials',
  'second-factor',
  'roles',
  'throttle',
  'users',
  'keys',
  'mail',
  'sessions',
]

const sources = filesBelow('src')
const imports = sources.flatMap(importsOf)
const packageOf = (name: string) =>
  name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/')
const layerOf = (file: string) => layers[folderOf(file)]!
const shown = (list: readonly Import[]) => list.map(({ from, to }) => `${from} imports ${to}`)
const outside = (folders: readonly string[], isMeant: (target: string) => boolean) =>
  shown(imports.filter(({ from, to }) => isMeant(to) && !folders.includes(folderOf(from))))

test('every source lies in a folder that has a layer, and every layer has sources', () => {
  assert.deepEqual(
    sources.filter((file) => layers[folderOf(file)] === undefined),
    [],
  )
  assert.deepEqual(
    Object.keys(layers).filter((folder) => !sources.some((file) => folderOf(file) === folder)),
    [],
  )
})

test('every import names its target, and a relative one finds it', () => {
  const files = new Set([...sources, ...filesBelow('migrations')])
  assert.deepEqual(
    shown(imports.filter(({ to }) => to === computed || (/^(\.|src\/|migrations\/)/.test(to) && !files.has(to)))),
    [],
  )
})

test('a file imports from its own folder or from a lower layer', () => {
  // The entry points are one layer of four files.
  const isAllowed = ({ from, to }: Import) =>
    folderOf(from) === folderOf(to) || layerOf(to) < layerOf(from) || (layerOf(from) === 5 && layerOf(to) === 5)
  assert.deepEqual(shown(imports.filter((one) => one.to.startsWith('src/') && !isAllowed(one))), [])
})

test('a folder of accounts/ imports from itself or from one below it', () => {
  const subjectOf = (file: string) => subjects.indexOf(file.split('/')[2]!)
  const within = sources.filter((file) => folderOf(file) === 'accounts')
  assert.deepEqual(
    within.filter((file) => subjectOf(file) === -1),
    [],
  )
  assert.deepEqual(
    shown(
      imports.filter(
        ({ from, to }) =>
          folderOf(from) === 'accounts' && to.startsWith('src/accounts/') && subjectOf(to) < subjectOf(from),
      ),
    ),
    [],
  )
})

test('the client imports nothing but its own files, so that a browser can load it as it is', () => {
  assert.deepEqual(
    shown(imports.filter(({ from, to }) => folderOf(from) === 'client' && !to.startsWith('src/client/'))),
    [],
  )
})

test('nothing imports in a circle', () => {
  assert.deepEqual(shown(circlesOf(imports.filter(({ to }) => to.startsWith('src/')))), [])
})

test('Fastify is imported by entry points, routes and http only', () => {
  const isFastify = (target: string) => /^(fastify|@fastify)(\/|-|$)/.test(target) && target !== '@fastify/error'
  assert.deepEqual(
    outside(['index.ts', 'plugin.ts', 'options.ts', 'setup-warnings.ts', 'testing', 'routes', 'http'], isFastify),
    [],
  )
})

test('the database is known to the store only', () => {
  assert.deepEqual(
    outside(['store'], (target) => ['kysely', 'pg'].includes(packageOf(target)) || target.startsWith('migrations/')),
    [],
  )
})

test('a migration imports Kysely and other migrations only', () => {
  const targets = filesBelow('migrations').flatMap(importsOf)
  assert.deepEqual(shown(targets.filter(({ to }) => packageOf(to) !== 'kysely' && !to.startsWith('migrations/'))), [])
})

test('cryptography stays in tokens, passwords and two-factor, and in the tools of tests and development', () => {
  assert.deepEqual(
    outside(['tokens', 'passwords', 'two-factor', 'development', 'testing'], (target) =>
      ['crypto', 'node:crypto', '@noble/hashes', '@node-rs/argon2'].includes(packageOf(target)),
    ),
    [],
  )
})

test('no file or folder is a drawer for odds and ends, and no folder but routes and an entry point has an index', () => {
  assert.deepEqual(
    sources.filter((file) => /(^|\/)(utils?|helpers?|common|types?|shared|lib)\b/.test(file.slice('src/'.length))),
    [],
  )
  const entries = ['src/index.ts', 'src/client/index.ts', 'src/development/index.ts', 'src/testing/index.ts']
  assert.deepEqual(
    sources.filter((file) => file.endsWith('/index.ts') && ![...entries, 'src/routes/index.ts'].includes(file)),
    [],
  )
})
