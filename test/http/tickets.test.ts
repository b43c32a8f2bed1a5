// Tickets of any size of claims: each fits into a cookie of 4,096 bytes, and is partial from 2 kB of claims on.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { ticketFor } from '../../src/http/tickets.js'
import type { SignedIn } from '../../src/accounts/sign-in/sign-in-result.js'
import type { Claim } from '../../src/store/users.js'
import { sealingKey } from '../../src/tokens/seal.js'
import { openTicket, sealTicket } from '../../src/tokens/ticket.js'

const now = Date.UTC(2026, 10, 25)

/** A sign-in with this much of everything; `size` counts characters of three bytes each. */
function signedIn(sizes: { names?: number; roles?: number; claims?: number; session?: number }): SignedIn {
  const text = (size = 0) => '€'.repeat(size)
  const claim = (type: string, size = 0): Claim[] => (size === 0 ? [] : [{ type, value: text(size) }])
  const user = {
    id: randomUUID(),
    userName: `a${text(sizes.names)}`,
    email: `b${text(sizes.names)}`,
    securityStamp: 'S',
  }
  return {
    user: user as SignedIn['user'], // the members that a ticket reads
    roles: sizes.roles === undefined ? [] : [text(sizes.roles)],
    claims: claim('claim', sizes.claims),
    sessionClaims: claim('tenant', sizes.session),
    amr: ['pwd'],
    sessionId: randomUUID(),
    counter: 0,
    authenticatedAt: now,
    createdAt: now,
    sessionExpiresAt: now + 86_400_000,
  } as SignedIn // likewise
}

test('a ticket fits into a cookie however names, roles, claims and claims of the session share its size', () => {
  const key = sealingKey(77, Buffer.alloc(32, 4), 'app')
  const learnt: unknown[] = []
  const context = {
    options: { bearer: { accessTokenSeconds: 3600, refreshTokenSeconds: 3600 }, claims: null },
    clock: () => now,
    keys: { sealing: () => key },
    currentClaims: { learn: (session: unknown) => void learnt.push(session) },
  }
  let partial = 0
  for (const names of [0, 85, 250])
    for (const roles of [0, 30, 300, 650])
      for (const claims of [0, 30, 300, 650, 20_000])
        for (const session of [0, 30, 320]) {
          const ticket = ticketFor(context, signedIn({ names, roles, claims, session }), { lifetimeSeconds: 3600 })
          const sealed = sealTicket(key, 'cookie', ticket)
          // 128 characters of a name and its =, within what browsers keep (RFC 6265bis §5.6).
          assert.ok(sealed.length <= 4096 - 129, `${sealed.length}: ${[names, roles, claims, session].join(' ')}`)
          const opened = openTicket((id) => (id === key.id ? key : null), 'cookie', sealed, now / 1000)
          assert.equal(opened?.isPartial === true, ticket.isPartial === true)
          if (ticket.isPartial === true) partial++
        }
  assert.equal(learnt.length, partial)
  assert.ok(partial > 20 && partial < 180)
})
