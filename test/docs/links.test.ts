// Follows every link, anchor and path of the documents: in the repository, and among the files that npm packs, so that
// documents can be read in node_modules too. Addresses on the network are not asked.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'

const project = join(import.meta.dirname, '../../..')
const read = (name: string) => readFileSync(join(project, name), 'utf8')
const documents = ['', 'docs/', 'examples/'].flatMap((folder) =>
  readdirSync(join(project, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => folder + name),
)

interface Link {
  readonly from: string
  /** From the root of the project on. */
  readonly path: string
  readonly anchor: string | null
}

function prose(name: string): string {
  return read(name).replace(/^```[^]*?^```$/gm, '')
}

function linksOf(name: string): Link[] {
  const targets = Array.from(prose(name).matchAll(/\]\(([^)\s]+)\)/g), ([, target]) => target!)
  return targets
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [path = '', anchor] = target.split('#')
      return { from: name, path: path === '' ? name : normalize(join(dirname(name), path)), anchor: anchor ?? null }
    })
}

/** The anchors of a document's headings, as GitHub and npm make them. */
function anchorsOf(name: string): string[] {
  return Array.from(prose(name).matchAll(/^#+ (.*)$/gm), ([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}

const links = documents.flatMap(linksOf)
const shown = ({ from, path, anchor }: Link) => `${from}: ${path}${anchor === null ? '' : `#${anchor}`}`

test('every link of a document leads to a file, and to a heading where it names one', () => {
  assert.ok(links.length > 100)
  const broken = links.filter(({ path, anchor }) => {
    const file = join(project, path)
    if (!existsSync(file)) return true
    return anchor !== null && (!statSync(file).isFile() || !anchorsOf(path).includes(anchor))
  })
  assert.deepEqual(broken.map(shown), [])
})

test('every file that a document links to is in the package', () => {
  // Without its scripts: they would build anew under the running tests.
  const [packed] = JSON.parse(
    execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts', '--silent'], {
      cwd: project,
      encoding: 'utf8',
    }),
  ) as [{ files: { path: string }[] }] // what npm prints
  const files = new Set(packed.files.map(({ path }) => path))
  assert.deepEqual(
    documents.filter((name) => !files.has(name)),
    [],
  )
  assert.deepEqual(links.filter(({ path }) => !files.has(path)).map(shown), [])
})

test('every path of the repository that a document names exists', () => {
  const missing = documents.flatMap((name) => {
    const paths = Array.from(
      prose(name).matchAll(/`((?:src|test|migrations|examples|bench|docs)\/[\w./-]*)`/g),
      ([, path]) => path!,
    )
    return paths.filter((path) => !existsSync(join(project, path))).map((path) => `${name}: ${path}`)
  })
  assert.deepEqual(missing, [])
})
