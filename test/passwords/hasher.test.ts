import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { HasherBusy, InvalidOption } from '../../src/errors.js'
import { nobleWorker, nodeCrypto, nodeRs, type Argon2Backend } from '../../src/passwords/argon2.js'
import type { Argon2Cost } from '../../src/passwords/formats.js'
import { createHasher, queueHasher, type PasswordHasher } from '../../src/passwords/hasher.js'

interface Vectors {
  readonly password: string
  readonly valid: readonly { readonly hash: string; readonly format: string }[]
  readonly invalid: readonly string[]
}

// A parse border: the file is ours.
const vectors = JSON.parse(readFileSync('test/vectors/aspnet-password-hashes.json', 'utf8')) as Vectors

/** As cheap as argon2id can be, for tests that ask about something else. */
const cheap = { memoryKiB: 8, iterations: 1, parallelism: 1 }

const native = (await nodeRs())!

interface Derivation {
  readonly text: string
  readonly cost: Argon2Cost
  readonly salt: string
  readonly tagBytes: number
}

/** The native backend, with a record of what it was asked. */
function recorded(): { backend: Argon2Backend; derivations: Derivation[]; closed: () => number } {
  const derivations: Derivation[] = []
  let closed = 0
  return {
    derivations,
    closed: () => closed,
    backend: {
      name: 'recorded',
      derive(password, salt, cost, tagBytes) {
        derivations.push({
          text: Buffer.from(password).toString(),
          cost,
          salt: Buffer.from(salt).toString('hex'),
          tagBytes,
        })
        return native.derive(password, salt, cost, tagBytes)
      },
      close() {
        closed++
        return Promise.resolve()
      },
    },
  }
}

test('a hash is argon2id of 19 MiB, two passes, one lane, a salt of 16 and a tag of 32 bytes, and verifies', async () => {
  const hasher = createHasher()
  const hash = await hasher.hash('Passw0rd!')
  assert.match(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
  assert.equal(await hasher.verify(hash, 'Passw0rd!'), 'yes')
  assert.equal(await hasher.verify(hash, 'passw0rd!'), 'no')
  assert.equal(await hasher.verify(hash, ''), 'no')
  await hasher.close()
})

test('one password hashed twice has two salts', async () => {
  const hasher = createHasher(cheap)
  assert.notEqual(await hasher.hash('Passw0rd!'), await hasher.hash('Passw0rd!'))
})

// test.c of the argon2 reference implementation: password "password", salt "somesalt".
const foreign = '$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc'

for (const backend of [native, nodeCrypto(), nobleWorker()]) {
  if (backend === null) continue
  test(`through ${backend.name} a published hash verifies, and so does one made by another backend`, async () => {
    const hasher = createHasher(cheap, backend)
    assert.equal(await hasher.verify(foreign, 'password'), 'yes-rehash')
    assert.equal(await hasher.verify(foreign, 'Password'), 'no')
    assert.equal(await hasher.verify(await createHasher(cheap, native).hash('Passw0rd!'), 'Passw0rd!'), 'yes')
    assert.equal(await createHasher(cheap, native).verify(await hasher.hash('Passw0rd!'), 'Passw0rd!'), 'yes')
    await hasher.close()
  })
}

for (const { hash, format } of vectors.valid) {
  test(`a hash of the reference verifies and asks to be rehashed: ${format}`, async () => {
    const hasher = createHasher(cheap)
    assert.equal(await hasher.verify(hash, vectors.password), 'yes-rehash')
    assert.equal(await hasher.verify(hash, `${vectors.password} `), 'no')
  })
}

const unusable = [
  ...vectors.invalid,
  '$',
  '$argon2id$',
  '$argon2id$v=19$m=4194304,t=2,p=1$AQEBAQEBAQEBAQEBAQEBAQ$AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI',
  '$2b$10$abcdefghijklmnopqrstuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu',
  'A'.repeat(1_048_576),
]

for (const hash of unusable) {
  test(`no password belongs to ${JSON.stringify(hash.slice(0, 60))}`, async () => {
    const hasher = createHasher(cheap)
    assert.equal(await hasher.verify(hash, vectors.password), 'no')
    assert.equal(await hasher.verify(hash, ''), 'no')
  })
}

test('a hash of other parameters asks to be rehashed, weaker or stronger', async () => {
  const current = { memoryKiB: 64, iterations: 2, parallelism: 2 }
  const hasher = createHasher(current)
  assert.equal(await hasher.verify(await createHasher(current).hash('a'), 'a'), 'yes')
  for (const other of [
    { memoryKiB: 63 },
    { memoryKiB: 65 },
    { iterations: 1 },
    { iterations: 3 },
    { parallelism: 1 },
    { parallelism: 3 },
  ]) {
    const hash = await createHasher({ ...current, ...other }).hash('a')
    assert.equal(await hasher.verify(hash, 'a'), 'yes-rehash', JSON.stringify(other))
    assert.equal(await hasher.verify(hash, 'b'), 'no')
  }
})

for (const password of ['Passw0rd!', 'e\u0301', '\ufb01\uff11', '']) {
  test(`an unknown name and an unusable hash cost exactly what a wrong password costs: ${JSON.stringify(password)}`, async () => {
    const { backend, derivations } = recorded()
    const hasher = createHasher(cheap, backend)
    const spent = async (hash: string | null) => {
      derivations.length = 0
      assert.equal(await hasher.verify(hash, password), 'no')
      return derivations.map(({ text, cost, tagBytes, salt }) => ({ text, cost, tagBytes, saltLength: salt.length }))
    }
    const real = await spent(await hasher.hash('another password'))
    assert.ok(real.length > 0)
    assert.deepEqual(await spent(null), real)
    for (const hash of unusable) {
      // One of the invalid blobs is well-formed: it has a subkey, which no password matches.
      if (hash !== vectors.invalid[3]) assert.deepEqual(await spent(hash), real, hash.slice(0, 60))
    }
  })
}

test('each hasher has its own dummy hash', async () => {
  const { backend, derivations } = recorded()
  await createHasher(cheap, backend).verify(null, 'a')
  await createHasher(cheap, backend).verify(null, 'a')
  assert.notEqual(derivations[0]!.salt, derivations[1]!.salt)
})

const hasher = createHasher(cheap)

test('a password is the same however its characters are composed', async () => {
  for (const [one, other] of [
    ['é', 'e\u0301'],
    ['12345', '１２３４５'],
    ['fi', 'ﬁ'],
    ['\u212b', '\u00c5'],
    ['a b', 'a\u00a0b'],
  ] as const) {
    assert.equal(await hasher.verify(await hasher.hash(one), other), 'yes', one)
    assert.equal(await hasher.verify(await hasher.hash(other), one), 'yes', other)
  }
})

test('an imported argon2id hash of a password as typed verifies, and asks to be rehashed', async () => {
  const salt = Buffer.alloc(16, 1)
  const typed = 'e\u0301'
  const tag = Buffer.from(await native.derive(Buffer.from(typed), salt, cheap, 32))
  const imported = `$argon2id$v=19$m=8,t=1,p=1$AQEBAQEBAQEBAQEBAQEBAQ$${tag.toString('base64').replace('=', '')}`
  assert.equal(await hasher.verify(imported, typed), 'yes-rehash')
  assert.equal(await hasher.verify(imported, 'é'), 'no')
})

test('a hash of the reference is compared with the password as typed', async () => {
  const { pbkdf2Sync } = await import('node:crypto')
  const salt = Buffer.alloc(16, 1)
  const blob = Buffer.concat([Buffer.from([0]), salt, pbkdf2Sync('e\u0301', salt, 1000, 32, 'sha1')]).toString('base64')
  assert.equal(await hasher.verify(blob, 'e\u0301'), 'yes-rehash')
  assert.equal(await hasher.verify(blob, 'é'), 'no')
})

test('no byte of a password is left out', async () => {
  const pairs: [string, string][] = [
    [`${'a'.repeat(72)}X`, `${'a'.repeat(72)}Y`],
    [`${'a'.repeat(4095)}X`, `${'a'.repeat(4095)}Y`],
    ['abc\0XXXXXXXXXXXX', 'abc\0YYYYYYYYYYYY'],
    ['abc', 'abc\0'],
    ['\0', ''],
    [' abc', 'abc'],
    ['abc ', 'abc'],
    ['😀'.repeat(128), '😀'.repeat(127) + '😁'],
    ['Пароль1', 'пароль1'],
  ]
  for (const [one, other] of pairs) {
    const hash = await hasher.hash(one)
    assert.equal(await hasher.verify(hash, one), 'yes', one.slice(-20))
    assert.equal(await hasher.verify(hash, other), 'no', one.slice(-20))
  }
})

test('no byte of a password is left out of a hash of the reference', async () => {
  const { pbkdf2Sync } = await import('node:crypto')
  const salt = Buffer.alloc(16, 1)
  for (const [one, other] of [
    [`${'a'.repeat(512)}X`, `${'a'.repeat(512)}Y`],
    ['abc\0X', 'abc\0Y'],
    ['abc', 'abc\0'],
  ] as const) {
    const blob = Buffer.concat([Buffer.from([0]), salt, pbkdf2Sync(one, salt, 1000, 32, 'sha1')]).toString('base64')
    assert.equal(await hasher.verify(blob, one), 'yes-rehash')
    // HMAC pads a short key with zeros, so that PBKDF2 itself ignores a NUL at the end. So does the reference.
    assert.equal(await hasher.verify(blob, other), other === 'abc\0' ? 'yes-rehash' : 'no')
  }
})

test('a lone surrogate cannot be hashed and belongs to no hash', async () => {
  const replaced = await hasher.hash('\ufffdaaaaaaaa')
  for (const text of ['\ud800aaaaaaaa', 'aaaa\udbff', '\udc00\ud800', '😀'.slice(0, 1)]) {
    await assert.rejects(hasher.hash(text), TypeError)
    assert.equal(await hasher.verify(replaced, text), 'no')
    assert.equal(await hasher.verify(null, text), 'no')
  }
})

test('4096 bytes are hashed, one more is not and belongs to no hash', async () => {
  const longest = 'é'.repeat(2048)
  assert.equal(await hasher.verify(await hasher.hash(longest), longest), 'yes')
  await assert.rejects(hasher.hash(`${longest}a`), RangeError)
  assert.equal(await hasher.verify(vectors.valid[0]!.hash, `${longest}a`), 'no')
})

test('what is thrown does not contain the password', async () => {
  for (const text of ['s3cret\ud800', 's3cret'.repeat(1000)]) {
    await assert.rejects(
      hasher.hash(text),
      (error) => error instanceof Error && !`${error.message}${error.stack ?? ''}`.includes('s3cret'),
    )
  }
})

test('a wrong option is refused by name', () => {
  assert.throws(() => createHasher({ memoryKiB: 1 }), InvalidOption)
  assert.throws(() => createHasher({ maxConcurrent: 0 }), InvalidOption)
  assert.throws(() => queueHasher(hasher, { maxQueue: -1 }), InvalidOption)
})

test('hashes and verifications of every kind share the queue: no more at once, no more waiting, the rest refused', async () => {
  let inFlight = 0
  let most = 0
  const backend: Argon2Backend = {
    name: 'counted',
    async derive(...job) {
      most = Math.max(most, ++inFlight)
      const tag = await native.derive(...job)
      inFlight--
      return tag
    },
    close: () => Promise.resolve(),
  }
  const flooded = createHasher({ ...cheap, maxConcurrent: 2, maxQueue: 6 }, backend)
  const calls = [() => flooded.hash('a'), () => flooded.verify(null, 'a'), () => flooded.verify(foreign, 'a')]
  const outcomes = Array.from({ length: 20 }, (_, index) => calls[index % 3]!())
  assert.equal(flooded.busy, true)
  const settled = await Promise.allSettled(outcomes)
  assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 8)
  assert.ok(settled.every((outcome) => outcome.status === 'fulfilled' || outcome.reason instanceof HasherBusy))
  assert.equal(most, 2)
  assert.equal(flooded.busy, false)
})

test('a password is not hashed after its request was aborted', async () => {
  const { backend, derivations } = recorded()
  const queued = createHasher({ ...cheap, maxConcurrent: 1 }, backend)
  const gone = new AbortController()
  const staying = [queued.verify(null, 'first'), queued.hash('second')]
  const left = [queued.verify(null, 'third', gone.signal), queued.hash('fourth', gone.signal)]
  gone.abort()
  for (const call of left) await assert.rejects(call, { name: 'AbortError' })
  await Promise.all(staying)
  assert.deepEqual(
    derivations.map(({ text }) => text),
    ['first', 'second'],
  )
})

test('close finishes what was accepted, refuses what comes later and ends the backend once', async () => {
  const { backend, closed } = recorded()
  const closing = createHasher({ ...cheap, maxConcurrent: 1 }, backend)
  const accepted = [closing.verify(null, 'a'), closing.verify(null, 'b'), closing.verify(null, 'c')]
  const ends = [closing.close(), closing.close()]
  assert.equal(closing.busy, true)
  assert.equal(closed(), 0)
  await assert.rejects(closing.hash('late'), HasherBusy)
  await Promise.all(ends)
  assert.deepEqual(await Promise.all(accepted), ['no', 'no', 'no'])
  assert.equal(closed(), 1)
})

test('a failing backend is an error, not a wrong password', async () => {
  const fault = new Error('out of memory')
  const failing = createHasher(cheap, {
    name: 'failing',
    derive: () => Promise.reject(fault),
    close: () => Promise.resolve(),
  })
  await assert.rejects(failing.verify(null, 'a'), fault)
  await assert.rejects(failing.hash('a'), fault)
})

/** A host's own hasher, with a record of what it was asked. */
function hosts(): { hasher: PasswordHasher; calls: string[] } {
  const calls: string[] = []
  return {
    calls,
    hasher: {
      hash(password) {
        calls.push('hash')
        return Promise.resolve(`host:${password}`)
      },
      verify(hash, password) {
        calls.push('verify')
        return Promise.resolve(hash === `host:${password}` ? 'yes' : 'no')
      },
    },
  }
}

test("a host's hasher gets passwords as typed, and its results are returned", async () => {
  const queued = queueHasher(hosts().hasher)
  assert.equal(await queued.hash('e\u0301'), 'host:e\u0301')
  assert.equal(await queued.verify('host:e\u0301', 'e\u0301'), 'yes')
  assert.equal(await queued.verify('host:e\u0301', 'é'), 'no')
  await queued.close()
})

test("an unknown name costs one verification of a host's hasher, against a dummy hash made once and in advance", async () => {
  const { hasher, calls } = hosts()
  const queued = queueHasher(hasher)
  assert.equal(await queued.verify(null, 'a'), 'no')
  assert.equal(await queued.verify(null, 'b'), 'no')
  assert.deepEqual(calls, ['hash', 'verify', 'verify'])
})

test("an unknown name is refused even by a host's hasher that accepts everything", async () => {
  const queued = queueHasher({ hash: () => Promise.resolve('x'), verify: () => Promise.resolve('yes') })
  assert.equal(await queued.verify(null, 'a'), 'no')
})

test("a host's hasher that failed in advance is called again when it is needed", async () => {
  let attempts = 0
  const queued = queueHasher({
    hash: () => (++attempts < 3 ? Promise.reject(new Error('not yet')) : Promise.resolve('x')),
    verify: () => Promise.resolve('no'),
  })
  await assert.rejects(queued.verify(null, 'a'), /not yet/)
  assert.equal(await queued.verify(null, 'a'), 'no')
  assert.equal(attempts, 3)
})

test("a host's hasher is queued, drained and closed like ours, and may run more at once than libuv has threads", async () => {
  let inFlight = 0
  let most = 0
  const queued = queueHasher(
    {
      hash: () => Promise.resolve('x'),
      async verify() {
        most = Math.max(most, ++inFlight)
        await new Promise((resolve) => setImmediate(resolve))
        inFlight--
        return 'yes'
      },
    },
    { maxConcurrent: 16, maxQueue: 24 },
  )
  // Until the dummy hash is made, it holds one of the sixteen slots.
  await queued.hash('a')
  const settled = await Promise.allSettled(Array.from({ length: 50 }, () => queued.verify('x', 'a')))
  assert.equal(most, 16)
  assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 40)
  await queued.close()
  await assert.rejects(queued.verify('x', 'a'), HasherBusy)
})

test("a host's hasher never gets a lone surrogate or more than 4096 bytes", async () => {
  const { hasher, calls } = hosts()
  const queued = queueHasher(hasher)
  await assert.rejects(queued.hash('\ud800'), TypeError)
  await assert.rejects(queued.hash('a'.repeat(4097)), RangeError)
  assert.equal(await queued.verify('host:a', '\ud800'), 'no')
  assert.equal(await queued.verify('host:a', 'a'.repeat(4097)), 'no')
  assert.deepEqual(calls, ['hash'])
})
