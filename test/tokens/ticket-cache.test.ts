import { test } from 'node:test'
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { createOpenedCache, createSightings } from '../../src/tokens/ticket-cache.js'
import { sealingKey } from '../../src/tokens/seal.js'
import { openTicket, sealTicket, type Ticket, type TicketPurpose } from '../../src/tokens/ticket.js'

const now = 1_700_000_000
const key = sealingKey(1, Buffer.alloc(32, 1))

function ticketOf(n: number): Ticket {
  return {
    userId: `017f22e2-79b0-7cc3-98c4-${n.toString(16).padStart(12, '0')}`,
    sessionId: '017f22e2-79b0-7cc3-98c4-dc0c0c073990',
    userName: `user${n}`,
    email: null,
    stamp: 'GlBtNWLGqQU',
    issuedAt: now,
    expiresAt: now + 60,
    authenticatedAt: now,
    sessionExpiresAt: now + 60,
    validatedAt: now,
    amr: [],
    roles: [],
    claims: [],
    counter: 0,
    persistent: false,
  }
}

test('a ticket is found by exactly its token and purpose', () => {
  const cache = createOpenedCache(100, 1e6)
  const token = sealTicket(key, 'access', ticketOf(1))
  const ticket = openTicket(() => key, 'access', token, now)
  assert.ok(ticket)
  assert.equal(cache.get('access', token), undefined)
  cache.set('access', token, ticket)
  assert.equal(cache.get('access', Buffer.from(token).toString()), ticket)
  for (const purpose of ['refresh', 'cookie'] as const) assert.equal(cache.get(purpose, token), undefined)
  const others = [`${token}=`, `${token} `, token.slice(1), token.slice(0, -1), token.toLowerCase(), '']
  for (const other of others) assert.equal(cache.get('access', other), undefined)
})

test('a cookie asked for as a bearer token is unknown in either generation, and stays known as a cookie', () => {
  const cache = createOpenedCache(4, 1e6)
  cache.set('cookie', 'the cookie', ticketOf(1))
  for (let n = 0; n < 2; n++) {
    assert.equal(cache.get('access', 'the cookie'), undefined)
    assert.equal(cache.get('cookie', 'the cookie')?.userName, 'user1')
    cache.set('access', `other ${n}`, ticketOf(2))
  }
  assert.equal(cache.get('access', 'the cookie'), undefined)
})

test('clear forgets everything', () => {
  const cache = createOpenedCache(4, 1e6)
  for (let n = 0; n < 4; n++) cache.set('access', `token ${n}`, ticketOf(n))
  cache.clear()
  for (let n = 0; n < 4; n++) assert.equal(cache.get('access', `token ${n}`), undefined)
  assert.deepEqual([cache.size(), cache.bytes()], [0, 0])
})

test('a token in use survives any number of others, one not asked for does not', () => {
  const cache = createOpenedCache(10, 1e6)
  cache.set('access', 'in use', ticketOf(0))
  cache.set('access', 'forgotten', ticketOf(1))
  for (let n = 0; n < 1000; n++) {
    cache.set('access', `token ${n}`, ticketOf(n))
    assert.ok(cache.get('access', 'in use'))
  }
  assert.equal(cache.get('access', 'forgotten'), undefined)
})

test('setting a token again replaces its ticket and counts once', () => {
  const cache = createOpenedCache(10, 1e6)
  cache.set('access', 'token', ticketOf(1))
  const bytes = cache.bytes()
  cache.set('access', 'token', ticketOf(2))
  assert.equal(cache.get('access', 'token')?.userName, 'user2')
  assert.deepEqual([cache.size(), cache.bytes()], [1, bytes])
})

test('a cache of no size, and a token larger than the cache, keep nothing and harm nothing', () => {
  for (const cache of [
    createOpenedCache(0, 1e6),
    createOpenedCache(1, 1e6),
    createOpenedCache(100, 0),
    createOpenedCache(100, 1000),
  ]) {
    cache.set('access', 'x'.repeat(200), ticketOf(1))
    assert.equal(cache.get('access', 'x'.repeat(200)), undefined)
    assert.deepEqual([cache.size(), cache.bytes()], [0, 0])
  }
})

test('over 100,000 tokens both bounds hold at every step and no token reads the ticket of another', () => {
  const purposes: TicketPurpose[] = ['access', 'refresh', 'cookie']
  const tickets = Array.from({ length: 500 }, (_, n) => ticketOf(n))
  for (const [maxEntries, maxBytes] of [
    [1000, 400_000],
    [64, 1e9],
    [1e6, 64_000],
    [3, 7000],
  ] as const) {
    const cache = createOpenedCache(maxEntries, maxBytes)
    let hits = 0
    for (let step = 0; step < 25_000; step++) {
      // Fewer names than steps, so that hits, misses, promotions and replacements all happen; lengths differ widely.
      const n = randomInt(500)
      const token = `${n}.${'x'.repeat((n % 7) * 60)}`
      const purpose = purposes[n % 3]!
      const found = cache.get(purpose, token)
      if (found) hits++
      if (found) assert.equal(found, tickets[n])
      else cache.set(purpose, token, tickets[n]!)
      assert.ok(cache.size() <= maxEntries)
      assert.ok(cache.bytes() <= maxBytes)
    }
    assert.ok(hits > 0)
    assert.ok(cache.size() > 0)
  }
})

test('of tokens with one end the last is kept, and none reads the ticket of another', () => {
  const cache = createOpenedCache(100, 1e6)
  const end = 'e'.repeat(40)
  cache.set('access', `first${end}`, ticketOf(1))
  const bytes = cache.bytes()
  assert.equal(cache.get('access', `other${end}`), undefined)
  assert.equal(cache.get('access', end), undefined)
  cache.set('access', `other${end}`, ticketOf(2))
  assert.equal(cache.get('access', `first${end}`), undefined)
  assert.equal(cache.get('access', `other${end}`)?.userName, 'user2')
  assert.deepEqual([cache.size(), cache.bytes()], [1, bytes])
})

test('a token is seen again from the second time on, until others have replaced it', () => {
  const isSeenAgain = createSightings(64)
  const token = sealTicket(key, 'access', ticketOf(1))
  assert.deepEqual([isSeenAgain(token), isSeenAgain(token), isSeenAgain(token)], [false, true, true])
  for (let n = 0; n < 2000; n++) isSeenAgain(sealTicket(key, 'access', ticketOf(n)))
  assert.equal(isSeenAgain(token), false)
})

test('a thousand tokens seen once are new, and known when they come again', () => {
  const isSeenAgain = createSightings()
  const tokens = Array.from({ length: 1000 }, (_, n) => sealTicket(key, 'access', ticketOf(n)))
  assert.ok(tokens.filter((token) => isSeenAgain(token)).length === 0)
  // Two may share a slot, which the later one keeps.
  assert.ok(tokens.filter((token) => isSeenAgain(token)).length > 900)
})
