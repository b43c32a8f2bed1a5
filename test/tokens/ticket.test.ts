import { stampMark } from '../../src/tokens/fields.js'
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { purposes, type Purpose } from '../../src/tokens/purpose.js'
import { open, seal, sealingKey } from '../../src/tokens/seal.js'
import { isTimely, openTicket, sealTicket, type Ticket, type TicketPurpose } from '../../src/tokens/ticket.js'
import { bitFlips, blankings, respellings, strangers, truncations } from '../support/tampering.js'
import { vectors } from '../support/vectors.js'

const key = sealingKey(77, Buffer.alloc(32, 4), 'app')
const find = (id: number) => (id === key.id ? key : null)
const now = 1_700_000_000
const ticketPurposes: TicketPurpose[] = ['access', 'refresh', 'cookie']

const ticket: Ticket = {
  userId: '017f22e2-79b0-7cc3-98c4-dc0c0c07398f',
  sessionId: '017f22e2-79b0-7cc3-98c4-dc0c0c073990',
  userName: 'zoë',
  email: 'zoe@example.com',
  stamp: stampMark('a stamp'),
  issuedAt: now,
  expiresAt: now + 3600,
  authenticatedAt: now - 500,
  sessionExpiresAt: now + 86_400,
  validatedAt: now - 7,
  amr: ['pwd', 'mfa'],
  roles: ['admin', 'Prüfer'],
  claims: [
    { type: 'tenant', value: '42' },
    { type: '__proto__', value: 'polluted' },
    { type: 'tenant', value: '' },
  ],
  counter: 0xffffffff,
  persistent: true,
}

test('a ticket comes back as it was sealed, under each of its three purposes', () => {
  const plain: Ticket = { ...ticket, email: null, amr: [], roles: [], claims: [], counter: 0, persistent: false }
  for (const purpose of ticketPurposes) {
    const odd = [
      { ...ticket, email: ticket.userName },
      { ...ticket, userName: '', email: '' },
      { ...ticket, userName: '\ud800"\u0000' },
    ]
    for (const sealed of [ticket, plain, ...odd]) {
      assert.deepEqual(openTicket(find, purpose, sealTicket(key, purpose, sealed), now), sealed)
    }
  }
})

test('a ticket recorded with the first version still opens', () => {
  const {
    key: { id, root, appName },
    ticket: old,
  } = vectors('tokens.json') as {
    key: { id: number; root: string; appName: string }
    ticket: { token: string; contents: Ticket }
  }
  const oldKey = sealingKey(id, Buffer.from(root, 'hex'), appName)
  assert.deepEqual(
    openTicket(() => oldKey, 'refresh', old.token, old.contents.issuedAt),
    old.contents,
  )
})

test('a ticket of the common kind stays short', () => {
  const common: Ticket = {
    ...ticket,
    userName: 'alice@example.com',
    email: 'alice@example.com',
    amr: ['pwd'],
    roles: [],
    claims: [],
  }
  assert.ok(sealTicket(key, 'access', common).length <= 210)
})

test('ids in upper case come back in lower case', () => {
  const opened = openTicket(
    find,
    'access',
    sealTicket(key, 'access', { ...ticket, userId: ticket.userId.toUpperCase() }),
    now,
  )
  assert.equal(opened?.userId, ticket.userId)
})

test('no flipped bit, no part, no other spelling of a ticket opens, for any purpose', () => {
  for (const purpose of ticketPurposes) {
    const token = sealTicket(key, purpose, ticket)
    for (const forged of [
      ...bitFlips(token),
      ...truncations(token),
      ...respellings(token),
      ...blankings(token),
      ...strangers,
    ]) {
      for (const asked of ticketPurposes) assert.equal(openTicket(find, asked, forged, now), null)
    }
  }
})

test('a ticket opens under no other purpose', () => {
  for (const sealedFor of ticketPurposes) {
    const token = sealTicket(key, sealedFor, ticket)
    for (const asked of Object.keys(purposes) as Purpose[]) {
      // the keys of a const object are its key type
      assert.equal(open(find, asked, token) !== null, asked === sealedFor)
    }
  }
})

test('a ticket of an unknown key does not open', () => {
  const token = sealTicket(sealingKey(78, Buffer.alloc(32, 4), 'app'), 'access', ticket)
  assert.equal(openTicket(find, 'access', token, now), null)
})

test('a ticket opens one second before its expiry and not at it', () => {
  const token = sealTicket(key, 'access', ticket)
  assert.ok(openTicket(find, 'access', token, ticket.expiresAt - 1))
  assert.equal(openTicket(find, 'access', token, ticket.expiresAt), null)
  assert.equal(openTicket(find, 'access', token, ticket.expiresAt + 1), null)
})

test('a ticket does not outlive its session', () => {
  const token = sealTicket(key, 'cookie', { ...ticket, sessionExpiresAt: now + 100 })
  assert.ok(openTicket(find, 'cookie', token, now + 99))
  assert.equal(openTicket(find, 'cookie', token, now + 100), null)
})

test('a ticket issued 60 seconds ahead opens, one issued 61 seconds ahead does not', () => {
  const token = sealTicket(key, 'access', ticket)
  assert.ok(openTicket(find, 'access', token, ticket.issuedAt - 60))
  assert.equal(openTicket(find, 'access', token, ticket.issuedAt - 61), null)
})

test('a time that is no number opens nothing', () => {
  assert.equal(openTicket(find, 'access', sealTicket(key, 'access', ticket), NaN), null)
  assert.equal(isTimely(ticket, NaN), false)
})

test('a payload of another form does not open', () => {
  const fixed = open(find, 'access', sealTicket(key, 'access', ticket))?.subarray(0, 70)
  assert.ok(fixed)
  const good = ['zoë', 'zoe@example.com', ['pwd'], ['admin'], ['tenant', '42']]
  const withNames = (json: string) => seal(key, 'access', Buffer.concat([fixed.subarray(0, 70), Buffer.from(json)]))
  assert.ok(openTicket(find, 'access', withNames(JSON.stringify(good)), now))
  const wrong: unknown[] = [
    null,
    {},
    'text',
    5,
    [],
    good.slice(0, 4),
    [...good, null],
    [1, ...good.slice(1)],
    [null, ...good.slice(1)],
    ['zoë', 1, ...good.slice(2)],
    ['zoë', undefined, ...good.slice(2)].slice(0, 4),
    ['zoë', false, ...good.slice(2)],
    ['zoë', null, 'pwd', [], []],
    ['zoë', null, { 0: 'pwd', length: 1 }, [], []],
    ['zoë', null, [], [1], []],
    ['zoë', null, [], [], [null, 'x']],
    ['zoë', null, [], [], ['odd']],
    ['zoë', null, [], [], [['tenant', '42']]],
    { 0: 'zoë', 1: null, 2: [], 3: [], 4: [], length: 5 },
  ]
  for (const names of wrong) assert.equal(openTicket(find, 'access', withNames(JSON.stringify(names)), now), null)
  const whole = JSON.stringify(good)
  for (const json of ['', '[', `${whole},`, `${whole}[]`, whole.slice(1)])
    assert.equal(openTicket(find, 'access', withNames(json), now), null)
  for (let length = 0; length < 70; length++)
    assert.equal(openTicket(find, 'access', seal(key, 'access', fixed.subarray(0, length)), now), null)
  const flagged = Buffer.concat([fixed, Buffer.from(JSON.stringify(good))])
  flagged.writeUInt8(2, 69)
  assert.equal(openTicket(find, 'access', seal(key, 'access', flagged), now), null)
})

test('a ticket that could not be opened again is not sealed, and the error does not contain it', () => {
  const claim = (type: unknown, value: unknown) => ({ type, value }) as Ticket['claims'][number] // what a host without types may pass
  const wrong: Partial<Ticket>[] = [
    { userId: 'private' },
    { sessionId: 'private' },
    { sessionId: '' },
    { stamp: 'private' },
    { stamp: '' },
    { issuedAt: now + 0.5 },
    { expiresAt: NaN },
    { authenticatedAt: -1 },
    { sessionExpiresAt: Infinity },
    { validatedAt: 2 ** 40 },
    { counter: -1 },
    { counter: 0.5 },
    { counter: 2 ** 32 },
    { claims: [claim('private', 5)] },
    { claims: [claim(5, 'private')] },
    { claims: [claim('private', undefined)] },
    { claims: [claim('private', ['private'])] },
  ]
  for (const part of wrong) {
    assert.throws(
      () => sealTicket(key, 'access', { ...ticket, ...part }),
      (error: Error) => {
        assert.equal(error.name, 'TypeError')
        assert.doesNotMatch(inspect(error), /private/)
        return true
      },
    )
  }
})

test('more claims than a token carries are an error that says so, not a ticket without them', () => {
  const claims = Array.from({ length: 200 }, (_, n) => ({ type: `claim${n}`, value: 'a value of some length' }))
  assert.throws(() => sealTicket(key, 'cookie', { ...ticket, claims }), { code: 'FST_IDENTITY_TOKEN_TOO_LARGE' })
})
