// The walks of `npm run walks`: how many files and folders a reader meets who follows a request.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { promisify } from 'node:util'
import type { Walk } from '../../scripts/walks.js'
import { freshDatabase } from '../support/postgres.js'

const script = join(import.meta.dirname, '../../scripts/walks.js')
let walks: readonly Walk[]

before(async () => {
  const env = { PATH: process.env.PATH, DATABASE_URL: await freshDatabase() }
  const { stdout } = await promisify(execFile)(process.execPath, [script, '--json'], { env })
  walks = JSON.parse(stdout) as Walk[] // as the script prints them
})

interface Limits {
  readonly files: number
  readonly folders?: number
  readonly upward?: number
}

function expectAtMost(name: string, limits: Limits): void {
  const walk = walks.find((one) => one.name === name)
  assert.ok(walk, `scripts/walks.ts follows no ${name}`)
  for (const part of ['files', 'folders', 'upward'] as const) {
    const most = limits[part] ?? Infinity
    const list = walk[part].map((one) => (typeof one === 'string' ? one : `${one.from ?? ''} calls ${one.to}`))
    assert.ok(
      list.length <= most,
      `A ${name} meets ${list.length} ${part}, at most ${most} are allowed. Join files that are always read together, or call the function itself instead of a wrapper. \`npm run walks\` shows the way:\n${list.join('\n')}`,
    )
  }
}

test('a login by password meets at most 28 files in 6 folders, and at most 5 calls go up', () =>
  expectAtMost('password login', { files: 28, folders: 6, upward: 5 }))

test('a bearer token from the cache meets at most 8 files in 4 folders', () =>
  expectAtMost('bearer from the cache', { files: 8, folders: 4 }))

test('a refresh meets at most 18 files', () => expectAtMost('refresh', { files: 18 }))

test('each walk begins where the application is entered, and comes to the files that do the work', () => {
  const meets = (name: string) => walks.find((one) => one.name === name)?.files ?? []
  const expected = {
    'password login': ['src/routes/login.ts', 'src/accounts/sign-in/sign-in-manager.ts', 'src/passwords/argon2.ts'],
    'bearer from the cache': ['src/http/authorize.ts', 'src/tokens/ticket-cache.ts', 'src/revocation/deny-list.ts'],
    refresh: ['src/routes/refresh.ts', 'src/store/sessions.ts', 'src/tokens/xaes.ts'],
  }
  for (const [name, files] of Object.entries(expected)) {
    assert.deepEqual(
      files.filter((file) => !meets(name).includes(file)),
      [],
    )
  }
})
