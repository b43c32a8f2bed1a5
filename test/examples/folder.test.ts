// The folder examples/ as a whole: what is in it is listed, tested, and runs by itself.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { freshDatabase } from '../support/postgres.js'

const project = join(import.meta.dirname, '../../..')
const read = (path: string) => readFileSync(join(project, path), 'utf8')
const namesIn = (folder: string) => readdirSync(join(project, folder)).filter((name) => name.endsWith('.ts'))
const files = namesIn('examples')
const bendings = files.filter((file) => read(`examples/${file}`).includes('await serve(import.meta,'))

test('every file of examples/ is run by a test, or imported by one that is', () => {
  const importedIn = (text: string) =>
    Array.from(text.matchAll(/(?:\.|examples)\/([\w-]+)\.js'/g), ([, name]) => `${name!}.ts`)
  const reached = new Set(namesIn('test/examples').flatMap((file) => importedIn(read(`test/examples/${file}`))))
  // A set also visits what is added while it is walked.
  for (const file of reached)
    if (files.includes(file)) importedIn(read(`examples/${file}`)).forEach((name) => reached.add(name))
  assert.deepEqual(
    files.filter((file) => !reached.has(file)),
    [],
  )
})

test('every bending has a line in examples/README.md, and a test that is called like it', () => {
  const readme = read('examples/README.md')
  const titles = namesIn('test/examples')
    .map((file) => read(`test/examples/${file}`))
    .join('\n')
  assert.ok(bendings.length > 15)
  assert.deepEqual(
    bendings.filter((file) => !readme.includes(`| [${file}](${file}) |`)),
    [],
  )
  assert.deepEqual(
    bendings.filter((file) => !titles.includes(`test('${file}: `)),
    [],
  )
})

test('every bending runs by itself, and ends on a signal', async () => {
  const env = { ...process.env, DATABASE_URL: await freshDatabase(), PORT: '0', NODE_ENV: 'development' }
  const faults: string[] = []
  const left = bendings.map((file) => file.replace(/ts$/, 'js'))
  const worker = async () => {
    for (let file = left.pop(); file !== undefined; file = left.pop()) {
      const { said, code } = await runUntilListening(join(project, 'dist/examples', file), env)
      if (code !== 0 || !/http:\/\/127\.0\.0\.1:\d+/.test(said)) faults.push(`${file} ended with ${code}: ${said}`)
    }
  }
  await Promise.all([worker(), worker(), worker()])
  assert.deepEqual(faults, [])
})

function runUntilListening(program: string, env: NodeJS.ProcessEnv): Promise<{ said: string; code: number | null }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    const hear = (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes('Ctrl-C') && !child.killed) child.kill('SIGTERM')
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    child.once('close', (code) => resolve({ said, code }))
  })
}
