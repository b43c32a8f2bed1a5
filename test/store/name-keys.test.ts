import assert from 'node:assert/strict'
import { sql } from 'kysely'
import { test } from 'node:test'
import { nameKeys } from '../../src/store/name-keys.js'
import { table } from '../../src/store/db.js'
import { openStore } from '../support/store.js'
import { vectors } from '../support/vectors.js'

const { pairs } = vectors('dotnet-upper-case.json') as { readonly pairs: readonly (readonly [string, string])[] }
const upperOf = new Map(pairs.map(([from, to]) => [parseInt(from, 16), parseInt(to, 16)]))

const characters = Array.from({ length: 0x10ffff }, (_, index) => index + 1)
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCodePoint(code))

test('every character folds as in .NET, but ſ, which would become a letter of ASCII', () => {
  assert.equal(upperOf.size, 1449)
  const others = characters.filter((character) => {
    const { spelled, folded } = nameKeys(character)!
    const expected = Array.from(spelled, (one) => {
      const code = one.codePointAt(0)!
      return String.fromCodePoint(upperOf.get(code) ?? code)
    })
    return folded !== expected.join('')
  })
  assert.deepEqual(others, ['ſ'])
})

test('a folded text stays what it is', () => {
  for (const character of characters) {
    const { folded } = nameKeys(character)!
    assert.equal(nameKeys(folded)?.folded, folded)
  }
})

test('the database computes the same key for every character', async (t) => {
  const db = await openStore(t)
  const keys = characters.map((character) => nameKeys(`x${character}`)!)
  // 200 characters a name.
  const names = Array.from({ length: Math.ceil(keys.length / 200) }, (_, index) => {
    const some = keys.slice(index * 200, index * 200 + 200)
    return {
      spelled: some.map(({ spelled }) => spelled.slice(1)).join(''),
      folded: some.map(({ folded }) => folded.slice(1)).join(''),
    }
  })
  const { rows } = await sql<{ id: number; key: string }>`
    with given as (select * from unnest(${names.map(({ spelled }) => spelled)}::text[]) with ordinality as one (spelled, number)),
    written as (
      insert into ${table(db, 'users')} (id, user_name, normalized_user_name, security_stamp, concurrency_stamp, lockout_enabled)
      select lpad(to_hex(number), 32, '0')::uuid, 'x', spelled, 'stamp', gen_random_uuid(), true from given
      returning id, coalesce(folded_user_name, normalized_user_name) as key)
    select key from written order by id`.execute(db.kysely)
  assert.deepEqual(
    rows.map(({ key }) => key),
    names.map(({ folded }) => folded),
  )
})
