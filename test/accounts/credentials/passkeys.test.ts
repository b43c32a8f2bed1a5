import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import type { Passkey } from '../../../src/index.js'
import { codesOf, startHost } from '../../support/managers.js'

const host = await startHost()
const { users } = host

function newPasskey(members: Partial<Passkey> = {}): Passkey {
  return {
    credentialId: randomBytes(32),
    publicKey: randomBytes(77),
    name: 'Phone',
    createdAt: new Date('2026-01-02T03:04:05.678Z'),
    signCount: 0,
    transports: ['internal', 'hybrid'],
    isUserVerified: true,
    isBackupEligible: true,
    isBackedUp: false,
    attestationObject: randomBytes(100),
    clientDataJson: Buffer.from('{"type":"webauthn.create"}'),
    ...members,
  }
}

test('a passkey is written, and read as it was', async () => {
  const user = await host.newUser()
  const passkey = newPasskey({ signCount: 0xffffffff, transports: [] })
  assert.deepEqual(await users.addOrUpdatePasskey(user, passkey), { succeeded: true })
  assert.deepEqual(await users.getPasskey(user, passkey.credentialId), passkey)
  assert.deepEqual(await users.findByPasskeyId(new Uint8Array(passkey.credentialId)), user)
})

test('passkeys are listed in the order in which they were made', async () => {
  const user = await host.newUser()
  const [first, second] = [newPasskey({ createdAt: new Date(1) }), newPasskey({ createdAt: new Date(2), name: null })]
  await users.addOrUpdatePasskey(user, second)
  await users.addOrUpdatePasskey(user, first)
  assert.deepEqual(await users.getPasskeys(user), [first, second])
})

test('of a passkey that the user has the name, the count and two flags are written, nothing else', async () => {
  const user = await host.newUser()
  const passkey = newPasskey()
  await users.addOrUpdatePasskey(user, passkey)
  const { name, signCount, isUserVerified, isBackedUp } = {
    name: 'Laptop',
    signCount: 9,
    isUserVerified: false,
    isBackedUp: true,
  }
  await users.addOrUpdatePasskey(
    user,
    newPasskey({
      credentialId: passkey.credentialId,
      name,
      signCount,
      isUserVerified,
      isBackedUp,
      isBackupEligible: false,
      transports: [],
      createdAt: new Date(0),
    }),
  )
  assert.deepEqual(await users.getPasskeys(user), [{ ...passkey, name, signCount, isUserVerified, isBackedUp }])
})

test('a passkey of another user is neither taken, read nor removed', async () => {
  const [user, other] = [await host.newUser(), await host.newUser()]
  const passkey = newPasskey()
  await users.addOrUpdatePasskey(user, passkey)
  assert.deepEqual(codesOf(await users.addOrUpdatePasskey(other, { ...passkey, name: 'mine' })), [
    'LoginAlreadyAssociated',
  ])
  assert.equal(await users.getPasskey(other, passkey.credentialId), null)
  assert.deepEqual(await users.removePasskey(other, passkey.credentialId), { succeeded: true })
  assert.deepEqual(await users.getPasskeys(user), [passkey])
})

test('of twenty users who take one passkey at once one gets it', async () => {
  const passkey = newPasskey()
  const all = await Promise.all(Array.from({ length: 20 }, () => host.newUser()))
  const results = await Promise.all(all.map((user) => users.addOrUpdatePasskey(user, passkey)))
  assert.deepEqual(
    results.flatMap(codesOf),
    Array.from({ length: 19 }, () => 'LoginAlreadyAssociated'),
  )
})

test('removePasskey takes one away, and its user leaves none behind', async () => {
  const user = await host.newUser()
  const [first, second] = [newPasskey(), newPasskey()]
  await users.addOrUpdatePasskey(user, first)
  await users.addOrUpdatePasskey(user, second)
  await users.removePasskey(user, first.credentialId)
  assert.deepEqual(await users.getPasskeys(user), [second])
  await users.delete(user)
  assert.equal(await users.findByPasskeyId(second.credentialId), null)
})

test('what is no passkey is refused', async () => {
  const user = await host.newUser()
  for (const bad of [
    { credentialId: Buffer.alloc(0) },
    { credentialId: Buffer.alloc(1024) },
    { signCount: -1 },
    { signCount: 0x100000000 },
    { signCount: 1.5 },
    { name: 'x'.repeat(257) },
    { name: '\0' },
    { transports: ['\0'] },
    { createdAt: new Date(Number.NaN) },
  ])
    assert.deepEqual(codesOf(await users.addOrUpdatePasskey(user, newPasskey(bad))), ['DefaultError'])
  assert.deepEqual(await users.addOrUpdatePasskey(user, newPasskey({ credentialId: randomBytes(1023) })), {
    succeeded: true,
  })
  assert.equal(await users.findByPasskeyId(Buffer.alloc(0)), null)
})
