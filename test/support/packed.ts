// The package as npm would publish it, unpacked beside its peers, with the consumer project of test/consumer/ around it.
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
export const project = join(import.meta.dirname, '../../..')

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
}

/** Only what package.json names as a dependency or peer is there, so that a forgotten one is missed. @returns the folder, to be removed */
export async function makeConsumer(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fastify-identity-consumer-'))
  // Without its scripts: they would build anew under the running tests.
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], {
    cwd: project,
  })
  const installed = join(folder, 'node_modules/fastify-identity')
  await mkdir(installed, { recursive: true })
  await run('tar', ['-xzf', join(folder, stdout.trim()), '--strip-components=1', '-C', installed])
  await cp(join(project, 'test/consumer'), folder, { recursive: true })
  const { dependencies, peerDependencies } = JSON.parse(
    await readFile(join(installed, 'package.json'), 'utf8'),
  ) as Manifest // our own
  for (const name of [...Object.keys(dependencies), ...Object.keys(peerDependencies), '@types/node']) {
    await mkdir(dirname(join(folder, 'node_modules', name)), { recursive: true })
    await symlink(join(project, 'node_modules', name), join(folder, 'node_modules', name))
  }
  return folder
}

/** What a TypeScript has to say about a project; empty where it compiles. @param typescript the folder of its package */
export async function compile(where: string, flags: readonly string[] = [], typescript?: string): Promise<string> {
  const tsc = join(typescript ?? join(project, 'node_modules/typescript'), 'bin/tsc')
  const { stdout } = await run(process.execPath, [tsc, '-p', where, ...flags]).catch(
    (error: unknown) => error as { stdout: string }, // an error of execFile
  )
  return stdout
}

/** Ways in which a consumer's compiler finds modules, with the flags for each. */
export const resolutions: Readonly<Record<string, readonly string[]>> = {
  nodenext: ['--module', 'nodenext'],
  node16: ['--module', 'node16'],
  bundler: ['--module', 'esnext', '--moduleResolution', 'bundler'],
  node10: ['--module', 'esnext', '--moduleResolution', 'node10', '--esModuleInterop'],
}
