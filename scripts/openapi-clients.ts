// Generates clients from the document of the example server, compiles each, and lets the one in C# log a user in:
// `npm run openapi:clients`. The generators come from npm and NuGet into a folder of their own.
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { arch, cpus, platform, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { startPostgres } from '../src/development/index.js'

const project = join(import.meta.dirname, '../..')
const exec = promisify(execFile)

// The typescript beside a generator is the newest that it takes.
const generators = [
  {
    name: 'openapi-typescript',
    version: '7.13.0',
    typescript: '5.9.3',
    bin: 'openapi-typescript openapi.json -o client/client.ts',
  },
  { name: '@hey-api/openapi-ts', version: '0.99.0', typescript: '6.0.3', bin: 'openapi-ts -i openapi.json -o client' },
  {
    name: 'orval',
    version: '8.38.0',
    typescript: '6.0.3',
    bin: 'orval --input openapi.json --output client/client.ts --client fetch',
  },
]
const kiota = { name: 'Kiota', version: '1.38.0' }

const compilerOptions = {
  strict: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  noEmit: true,
  target: 'es2022',
  module: 'esnext',
  moduleResolution: 'bundler',
  lib: ['es2023', 'dom', 'dom.iterable'],
  types: [],
}

async function run(program: string, args: readonly string[], cwd: string): Promise<string> {
  const env = { ...process.env, KIOTA_OFFLINE_ENABLED: 'true', DOTNET_CLI_TELEMETRY_OPTOUT: '1', DOTNET_NOLOGO: '1' }
  const { stdout } = await exec(program, args, { cwd, env, maxBuffer: 2 ** 26 })
  return stdout
}

async function generateTypeScript(
  { name, version, typescript, bin }: (typeof generators)[number],
  folder: string,
): Promise<string> {
  const packages = [`${name}@${version}`, `typescript@${typescript}`].flatMap((one) => ['--package', one])
  await run('npx', ['--yes', ...packages, '--', ...bin.split(' ')], folder)
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['client'] }))
  await run(process.execPath, [join(project, 'node_modules/typescript/bin/tsc'), '-p', folder], folder)
  return 'generated, compiled'
}

async function generateCSharp(origin: string, folder: string): Promise<string> {
  const install = ['tool', 'install', 'Microsoft.OpenApi.Kiota', '--version', kiota.version, '--tool-path', 'tools']
  await run('dotnet', install, folder)
  const generate =
    'generate --language CSharp --openapi openapi.json --class-name IdentityClient --namespace-name Identity'
  await run(join(folder, 'tools/kiota'), [...generate.split(' '), '--output', 'client'], folder)
  await cp(join(project, 'scripts/openapi-clients'), folder, { recursive: true })
  await run('dotnet', ['build', '--configuration', 'Release', '--output', 'built', 'Story.csproj'], folder)
  await run('dotnet', ['built/Story.dll', origin], folder)
  return 'generated, compiled; registered, logged in, refreshed and logged out'
}

async function report(name: string, version: string, work: () => Promise<string>): Promise<boolean> {
  try {
    console.log(`ok     ${name} ${version}: ${await work()}`)
    return true
  } catch (error) {
    const { stdout = '', stderr = '', message } = error as Error & { stdout?: string; stderr?: string } // of execFile
    console.log(`FAILED ${name} ${version}: ${message}\n${stdout}${stderr}`)
    return false
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // a TCP server has one of this kind
  server.close()
  await once(server, 'close')
  return port
}

/** Starts what `npm start` starts, on a database of its own, and works with it. */
async function withServer(work: (origin: string) => Promise<void>): Promise<void> {
  const postgres = await startPostgres({ persistent: false })
  const port = await freePort()
  const secret = randomBytes(32).toString('base64url')
  const server = spawn(process.execPath, [join(project, 'dist/examples/server.js')], {
    env: { ...process.env, DATABASE_URL: postgres.url, PORT: String(port), HOST: '127.0.0.1', IDENTITY_SECRET: secret },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(server, 'exit')
  try {
    const lines = createInterface(server.stdout)
    await new Promise<void>((resolve, reject) => {
      // It goes on reading, so that mail lines never fill the pipe.
      lines.on('line', (line) => {
        if (line.includes('Swagger UI')) resolve()
      })
      lines.once('close', () => reject(new Error('the example server has ended')))
    })
    await work(`http://127.0.0.1:${port}`)
  } finally {
    server.kill('SIGTERM')
    await ended
    await postgres.stop()
  }
}

const outcomes: boolean[] = []
const home = await mkdtemp(join(tmpdir(), 'fastify-identity-clients-'))
try {
  console.log(
    `Node ${process.versions.node}, ${platform()} ${arch()}, ${cpus()[0]?.model ?? 'unknown'}, ${new Date().toISOString().slice(0, 10)}`,
  )
  await withServer(async (origin) => {
    const document = await (await fetch(`${origin}/docs/json`)).text()
    const folderOf = async (name: string) => {
      const folder = join(home, name.replace(/\W/g, '-'))
      await mkdir(folder)
      await writeFile(join(folder, 'package.json'), '{ "private": true, "type": "module" }')
      await writeFile(join(folder, 'openapi.json'), document)
      return folder
    }
    for (const generator of generators) {
      const folder = await folderOf(generator.name)
      outcomes.push(await report(generator.name, generator.version, () => generateTypeScript(generator, folder)))
    }
    const dotnet = await run('dotnet', ['--version'], home).catch(() => null)
    if (dotnet === null) console.log(`skip   ${kiota.name} ${kiota.version}: there is no dotnet here`)
    else {
      const folder = await folderOf(kiota.name)
      const version = `${kiota.version} (.NET SDK ${dotnet.trim()})`
      outcomes.push(await report(kiota.name, version, () => generateCSharp(origin, folder)))
    }
  })
} finally {
  await rm(home, { recursive: true, force: true, maxRetries: 10 })
}
process.exitCode = outcomes.every(Boolean) ? 0 : 1
