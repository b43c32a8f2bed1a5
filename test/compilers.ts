// Compiles the consumer project against the packed package with the TypeScript of three majors and each module resolution that it has, without
// skipLibCheck: npm run compilers. The compilers are installed into a folder of their own, so that none of them is this project's.
import { execFile } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { compile, makeConsumer, resolutions } from './support/packed.js'

const run = promisify(execFile)

/** By major: the version, and the resolutions that it takes, with the flags they need. */
const compilers: readonly { readonly version: string; readonly node10: readonly string[] | null }[] = [
  { version: '5.9.3', node10: [] },
  { version: '6.0.3', node10: ['--ignoreDeprecations', '6.0'] },
  // TypeScript 7 has removed node10 (TS5108).
  { version: '7.0.2', node10: null },
]

const folder = await makeConsumer()
let failed = 0
try {
  for (const { version, node10 } of compilers) {
    const home = join(folder, `typescript-${version}`)
    await mkdir(home)
    await writeFile(join(home, 'package.json'), '{ "private": true }')
    await run('npm', ['install', '--no-audit', '--no-fund', '--silent', `typescript@${version}`], { cwd: home })
    for (const [name, flags] of Object.entries(resolutions)) {
      if (name === 'node10' && node10 === null) continue
      const all = [...flags, ...(name === 'node10' ? (node10 ?? []) : []), '--noEmit']
      const complaints = await compile(folder, all, join(home, 'node_modules/typescript'))
      console.log(`${complaints === '' ? 'ok    ' : 'FAILED'} TypeScript ${version}, ${name}\n${complaints}`.trimEnd())
      if (complaints !== '') failed++
    }
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
process.exitCode = failed === 0 ? 0 : 1
