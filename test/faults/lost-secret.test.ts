// The root secret is lost. The commands say so, and `keys reset` makes the application work again: at a price that it
// names.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { authenticatorOf } from '../support/authenticator.js'
import { report } from '../support/experiment.js'
import { guarded, login, newcomer, password, refresh, startApp } from '../support/instances.js'
import { uniqueSchema } from '../support/postgres.js'
import { shell } from '../support/shell.js'

const secret = () => randomBytes(32).toString('base64')

test('after keys reset under a new secret everybody signs in with a password, and nothing from before opens', async (t) => {
  const schema = uniqueSchema()
  const [lost, found] = [secret(), secret()]
  const before = await startApp(t, { schema, secret: lost })
  const { accessToken, refreshToken } = await newcomer(before, 'alice@example.com')
  await newcomer(before, 'bob@example.com')
  const headers = { authorization: `Bearer ${accessToken}` }
  const twoFactor = (payload: object) => before.inject({ method: 'POST', url: '/manage/2fa', headers, payload })
  const { sharedKey } = (await twoFactor({})).json<{ sharedKey: string }>()
  const phone = authenticatorOf(sharedKey, Date.now)
  assert.equal((await twoFactor({ enable: true, twoFactorCode: phone.code() })).statusCode, 200)
  await before.close()

  const run = (args: string[], environment: Record<string, string>) => shell([...args, '--schema', schema], environment)
  const refused = await run(['keys', 'list'], { IDENTITY_SECRET: found })
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /IDENTITY_SECRET cannot open the key ring.* keys reset/)
  const bare = await run(['keys', 'list'], {})
  assert.match(bare.stderr, /^fastify-identity: No secret is set/)
  assert.doesNotMatch(bare.stderr, /unwrapped/)
  assert.match((await run(['keys', 'reset', '--yes'], {})).stderr, /No secret is set/)
  // Without a terminal and without --yes nothing is done.
  assert.equal((await run(['keys', 'reset'], { IDENTITY_SECRET: found })).code, 2)
  assert.equal((await run(['keys', 'list'], { IDENTITY_SECRET: lost })).code, 0)

  const reset = await run(['keys', 'reset', '--yes', '--json'], { IDENTITY_SECRET: found })
  assert.equal(reset.code, 0, reset.stderr)
  const { lost: losses } = JSON.parse(reset.stdout) as { lost: Record<string, number> }
  assert.equal(losses.secondFactors, 1)
  assert.ok(losses.sessions! >= 1)

  const after = await startApp(t, { schema, secret: found })
  assert.deepEqual(
    [(await guarded(after, accessToken)).status, (await refresh(after, refreshToken)).status],
    [401, 401],
  )
  for (const email of ['alice@example.com', 'bob@example.com']) {
    assert.equal((await login(after, email, password)).status, 200)
  }
  const alice = (await after.identity.users.findByName('alice@example.com'))!
  assert.deepEqual(
    [
      alice.twoFactorEnabled,
      await after.identity.users.countRecoveryCodes(alice),
      await after.identity.users.getAuthenticatorKey(alice),
    ],
    [false, 0, null],
  )
  report(t, losses)
})
