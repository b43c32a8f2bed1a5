import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { chooseBackend, nobleWorker, nodeCrypto, nodeRs, type Argon2Backend } from '../../src/passwords/argon2.js'

const argon2Module = new URL('../../src/passwords/argon2.js', import.meta.url)

/** Every backend this process can have; node:crypto knows argon2 from Node 24.7 on. */
const backends = [await nodeRs(), nodeCrypto(), nobleWorker()].filter((backend) => backend !== null)

// test.c of the argon2 reference implementation, version 19: memory, passes, lanes, password, salt, tag.
type Published = readonly [m: number, t: number, p: number, password: string, salt: string, tag: string]
const published: readonly [Published, Published] = [
  [256, 2, 1, 'password', 'somesalt', '9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe'],
  [256, 2, 2, 'password', 'somesalt', '6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037'],
]

test('the native backend and the worker are available here', () => {
  const names = backends.map(({ name }) => name)
  assert.ok(names.includes('@node-rs/argon2'))
  assert.ok(names.includes('@noble/hashes'))
  assert.equal(names.includes('node:crypto'), 'argon2' in process.getBuiltinModule('node:crypto'))
})

for (const backend of backends) {
  test(`${backend.name} knows the published answers`, async () => {
    for (const [memoryKiB, iterations, parallelism, password, salt, tag] of published) {
      const derived = await backend.derive(
        Buffer.from(password),
        Buffer.from(salt),
        { memoryKiB, iterations, parallelism },
        32,
      )
      assert.equal(Buffer.from(derived).toString('hex'), tag)
    }
  })

  test(`${backend.name} derives the same bytes as the others, whatever the password, salt, lanes and tag`, async () => {
    for (const password of ['', 'a', 'a\0b', '😀'.repeat(1024)]) {
      for (const [saltLength, tagLength, parallelism] of [
        [8, 16, 1],
        [16, 32, 1],
        [64, 64, 4],
        [17, 33, 3],
      ] as const) {
        const derive = async (by: Argon2Backend) =>
          Buffer.from(
            await by.derive(
              Buffer.from(password),
              Buffer.alloc(saltLength, 7),
              { memoryKiB: 64, iterations: 2, parallelism },
              tagLength,
            ),
          ).toString('hex')
        assert.equal(await derive(backend), await derive(backends[0]!))
      }
    }
  })
}

/** A backend that answers something else, and remembers being closed. */
function wrong(derive: Argon2Backend['derive']) {
  const seen = { closed: false }
  const backend: Argon2Backend = {
    name: 'wrong',
    derive,
    close() {
      seen.closed = true
      return Promise.resolve()
    },
  }
  return { backend, seen }
}

test('the native backend is chosen where it loads', async () => {
  assert.equal((await chooseBackend()).name, '@node-rs/argon2')
})

test('the first available backend is chosen, in the order given', async () => {
  const native = (await nodeRs())!
  assert.equal(
    await chooseBackend([() => null, () => native, () => wrong(() => Promise.reject(new Error('not asked'))).backend]),
    native,
  )
})

test('a backend that fails the known-answer test is skipped and closed', async () => {
  const lying = wrong((_password, _salt, _cost, tagBytes) => Promise.resolve(new Uint8Array(tagBytes)))
  const failing = wrong(() => Promise.reject(new Error('no argon2 here')))
  const native = (await nodeRs())!
  assert.equal(await chooseBackend([() => lying.backend, () => failing.backend, () => native]), native)
  assert.ok(lying.seen.closed)
  assert.ok(failing.seen.closed)
})

test('the worker is the last resort', async () => {
  assert.equal((await chooseBackend([() => null, () => null])).name, '@noble/hashes')
})

test('the worker does not block the event loop', async () => {
  const worker = nobleWorker()
  let turns = 0
  const turning = setInterval(() => turns++)
  const derived = await worker.derive(
    Buffer.from('password'),
    Buffer.alloc(16),
    { memoryKiB: 19_456, iterations: 10, parallelism: 1 },
    32,
  )
  clearInterval(turning)
  assert.equal(derived.length, 32)
  // Computed on this thread, none would have come in between.
  assert.ok(turns > 10, `${turns} turns`)
  await worker.close()
})

test('the worker answers each of many jobs at once with its own tag', async () => {
  const worker = nobleWorker()
  const native = (await nodeRs())!
  const cost = { memoryKiB: 16, iterations: 1, parallelism: 1 }
  const salts = Array.from({ length: 20 }, (_, index) => Buffer.alloc(16, index))
  const deriveAll = (by: Argon2Backend) =>
    Promise.all(
      salts.map(async (salt) => Buffer.from(await by.derive(Buffer.from('password'), salt, cost, 32)).toString('hex')),
    )
  assert.deepEqual(await deriveAll(worker), await deriveAll(native))
  await worker.close()
})

test('a worker that dies fails its jobs and is replaced by the next', async () => {
  const worker = nobleWorker()
  const derive = (iterations: number) =>
    worker.derive(Buffer.from('a'), Buffer.alloc(16), { memoryKiB: 16, iterations, parallelism: 1 }, 32)
  // No pass at all is refused by @noble/hashes, which ends the thread.
  await assert.rejects(Promise.all([derive(0)]), /"t"/)
  assert.equal((await derive(1)).length, 32)
  await worker.close()
})

test('closing the worker fails what it has not finished', async () => {
  const worker = nobleWorker()
  const unfinished = assert.rejects(
    worker.derive(Buffer.from('a'), Buffer.alloc(16), { memoryKiB: 65_536, iterations: 10, parallelism: 1 }, 32),
    /has ended/,
  )
  await worker.close()
  await unfinished
  await nobleWorker().close()
})

/** What a process of its own prints. */
async function printed(script: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'argon2-'))
  const file = join(folder, 'script.mjs')
  await writeFile(file, script)
  const { stdout } = await promisify(execFile)(process.execPath, [file])
  await rm(folder, { recursive: true })
  return stdout
}

test('a worker that was not closed lets the process finish its jobs and end', async () => {
  const [[memoryKiB, iterations, parallelism, password, salt, tag]] = published
  const stdout = await printed(`
    import { nobleWorker } from '${argon2Module.href}'
    const backend = nobleWorker()
    for (const _ of [1, 2]) {
      const cost = ${JSON.stringify({ memoryKiB, iterations, parallelism })}
      const tag = await backend.derive(Buffer.from('${password}'), Buffer.from('${salt}'), cost, 32)
      process.stdout.write(Buffer.from(tag).toString('hex') + ' ')
    }`)
  assert.equal(stdout, `${tag} ${tag} `)
})

test('without the native package another backend is chosen', async () => {
  const hooks = `
    export async function resolve(specifier, context, next) {
      if (specifier === '@node-rs/argon2') throw new Error('not installed')
      return next(specifier, context)
    }`
  const stdout = await printed(`
    import { register } from 'node:module'
    register('data:text/javascript,${encodeURIComponent(hooks).replaceAll("'", '%27')}')
    const { chooseBackend, nodeRs } = await import('${argon2Module.href}')
    process.stdout.write(String(await nodeRs()) + ' ' + (await chooseBackend()).name)`)
  assert.equal(stdout, `null ${nodeCrypto()?.name ?? '@noble/hashes'}`)
})
