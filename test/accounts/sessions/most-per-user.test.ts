// Options sessions.maxPerUser and sessions.recordAddress, and what a failed sign-in leaves.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Claim } from '../../../src/index.js'
import { withApp } from '../../support/app.js'
import { heard } from '../../support/instances.js'

interface Listed {
  readonly id: string
  readonly current: boolean
  readonly client: string | null
  readonly address: string | null
}

test('a sign-in beyond maxPerUser ends the oldest session, and no other user’s', () =>
  withApp({ identity: { sessions: { maxPerUser: 2 } } }, async (app) => {
    const ends = heard(app.app.identity.events, 'sessionsEnded')
    const other = await app.signIn()
    const person = await app.register()
    const tokens = []
    for (let time = 0; time < 4; time++) {
      tokens.push((await app.signIn(person)).accessToken)
      app.clock.advance(1)
    }
    const statuses = []
    for (const token of [...tokens, other.accessToken])
      statuses.push((await app.call('GET', '/account/manage/info', { token })).status)
    assert.deepEqual(statuses, [401, 401, 200, 200, 200])
    assert.deepEqual(
      ends.map((event) => (event as { cause: string }).cause),
      ['tooMany', 'tooMany'],
    )
  }))

test('of many sign-ins at once as many sessions stay as a user may have', () =>
  withApp({ identity: { sessions: { maxPerUser: 3 } } }, async (app) => {
    const person = await app.register()
    const { signIn, users, sessions } = app.app.identity
    const user = (await users.findByName(person.email))!
    const results = await Promise.all(Array.from({ length: 20 }, () => signIn.signIn(user)))
    assert.ok(results.every(({ succeeded }) => succeeded))
    assert.equal((await sessions.list(user.id)).length, 3)
    assert.equal((await app.sql('select 1 from sessions')).length, 3)
  }))

for (const recordAddress of [true, false])
  test(`the address of a login is ${recordAddress ? 'listed' : 'not kept'} with recordAddress: ${recordAddress}`, () =>
    withApp({ identity: { sessions: { recordAddress } } }, async (app) => {
      const person = await app.register()
      const { accessToken: token } = await app.signIn(person)
      const { signIn, users } = app.app.identity
      const user = (await users.findByName(person.email))!
      await signIn.signIn(user, { client: 'a\nrobot', address: '2001:db8::1' })
      const listed = (await app.call('GET', '/account/manage/sessions', { token })).json() as Listed[]
      assert.deepEqual(
        listed.map(({ address, client, current }) => [address, client, current]).sort(),
        (recordAddress
          ? [
              ['127.0.0.1', 'lightMyRequest', true],
              ['2001:db8::1', 'a robot', false],
            ]
          : [
              [null, 'lightMyRequest', true],
              [null, 'a robot', false],
            ]
        ).sort(),
      )
    }))

test('a sign-in that fails in option claims leaves no session, whatever is wrong with the claims', async () => {
  let claims: unknown = []
  const identity = {
    claims(): readonly Claim[] {
      if (claims instanceof Error) throw claims
      return claims as Claim[] // a JavaScript host returns anything
    },
  }
  await withApp({ identity }, async (app) => {
    const person = await app.register()
    const user = (await app.app.identity.users.findByName(person.email))!
    const { signIn } = app.app.identity
    await signIn.checkPasswordSignIn(user, person.password)
    for (claims of [
      new Error('the plans cannot be read'),
      Promise.resolve([]),
      'plan',

      [null],
      [{ type: 'plan' }],
      [{ type: 'plan', value: 7 }],
    ]) {
      for (const mode of ['', '?useCookies=true']) {
        const answer = await app.call('POST', `/account/login${mode}`, { json: person })
        assert.equal(answer.status, 500)
        assert.ok(!answer.body.includes('plan'))
      }
      await assert.rejects(signIn.signIn(user))
    }
    assert.deepEqual(await app.sql('select 1 from sessions'), [])
    // Nor is it counted as a wrong password.
    assert.deepEqual(await app.sql('select 1 from attempts where failures > 0'), [])
    claims = []
    await app.signIn(person)
    assert.equal((await app.sql('select 1 from sessions')).length, 1)
  })
})
