import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ListOptions, User } from '../../../src/index.js'
import { startHost, type Host, uniqueName } from '../../support/managers.js'

const host = await startHost()

async function everyPage({ users }: Host, options: ListOptions): Promise<{ found: User[]; sizes: number[] }> {
  const found: User[] = []
  const sizes: number[] = []
  let next: string | null = null
  do {
    const page = await users.list({ ...options, after: next })
    found.push(...page.users)
    sizes.push(page.users.length)
    next = page.next
  } while (next !== null)
  return { found, sizes }
}

const names = (found: readonly User[]) => found.map(({ userName }) => userName)

test('list returns all users page by page, in the order of their ids', async () => {
  const own = await startHost()
  const all = []
  for (let i = 0; i < 7; i++) all.push(await own.newUser())
  const { found, sizes } = await everyPage(own, { limit: 3 })
  assert.deepEqual(
    found,
    all.sort((a, b) => (a.id < b.id ? -1 : 1)),
  )
  assert.deepEqual(sizes, [3, 3, 1])
  assert.deepEqual((await everyPage(own, { limit: 7 })).sizes, [7])
})

test('without users there is one empty page', async () => {
  assert.deepEqual(await (await startHost()).users.list(), { users: [], next: null })
})

test('a page holds 50 users by default, and never more than 500', async () => {
  const own = await startHost()
  await own.app
    .sql(`insert into users (id, user_name, normalized_user_name, security_stamp, concurrency_stamp, lockout_enabled)
    select gen_random_uuid(), 'u' || n, 'U' || n, 's', gen_random_uuid(), true from generate_series(1, 501) n`)
  const sizeOf = async (limit?: number) => (await own.users.list({ limit })).users.length
  assert.deepEqual(
    [
      await sizeOf(),
      await sizeOf(1000),
      await sizeOf(0),
      await sizeOf(-1),
      await sizeOf(2.9),
      await sizeOf(Number.NaN),
    ],
    [50, 500, 1, 1, 2, 50],
  )
  assert.equal((await own.users.list({ search: 'u', limit: 1000 })).users.length, 500)
})

test('search finds what names and addresses begin with, in any letter case, in alphabetical order', async () => {
  const prefix = uniqueName('find')
  await host.newUser({ userName: `${prefix}.b`, email: 'x@example.com' })
  await host.newUser({ userName: uniqueName('other'), email: `${prefix.toUpperCase()}.a@example.com` })
  await host.newUser({ userName: `${prefix}.C`, email: null })
  await host.newUser({ userName: `not.${prefix}`, email: `not.${prefix}@example.com` })
  const { found } = await everyPage(host, { search: prefix.toUpperCase() })
  assert.deepEqual(
    names(found).map((name) => name.replace(prefix, '').slice(0, 5)),
    ['other', '.b', '.C'],
  )
})

test('a user who matches by name and by address is listed once, whatever the size of the pages', async () => {
  const prefix = uniqueName('twice')
  for (let i = 0; i < 10; i++) {
    // Names and addresses run against each other.
    await host.newUser({ userName: `${prefix}.${i}`, email: `${prefix}.${9 - i}@example.com` })
  }
  await host.newUser({ userName: `${prefix}.same@example.com`, email: `${prefix}.same@example.com` })
  for (const limit of [1, 2, 3, 7, 20, 50]) {
    const { found, sizes } = await everyPage(host, { search: prefix, limit })
    assert.equal(found.length, 11)
    assert.equal(new Set(names(found)).size, 11)
    assert.ok(sizes.every((size) => size <= limit))
  }
})

test('several users with one address are all found', async () => {
  const email = `${uniqueName('shared')}@example.com`
  for (let i = 0; i < 5; i++) await host.newUser({ email })
  for (const limit of [1, 2, 5]) assert.equal((await everyPage(host, { search: email, limit })).found.length, 5)
})

test('search takes characters as they are', async () => {
  const base = uniqueName('like')
  await host.newUser({ userName: `${base}_a` })
  await host.newUser({ userName: `${base}-a` })
  assert.deepEqual(names((await host.users.list({ search: `${base}_` })).users), [`${base}_a`])
  for (const search of [`${base}%`, '%', '_', '\\', "'", ' '])
    assert.deepEqual(await host.users.list({ search }), { users: [], next: null })
})

test('letters beyond ASCII are found in either case', async () => {
  const own = await startHost({ user: { allowedUserNameCharacters: null } })
  for (const userName of ['Ärger', 'ärgern', 'Zorn', '😀mail', '\u{10fffe}'])
    await own.newUser({ userName, email: null })
  const search = async (prefix: string) => names((await own.users.list({ search: prefix })).users)
  for (const prefix of ['Ä', 'ä', 'A\u0308']) assert.deepEqual(await search(prefix), ['Ärger', 'ärgern'])
  assert.deepEqual(await search('äRGERN'), ['ärgern'])
  assert.deepEqual(await search('z'), ['Zorn'])
  assert.deepEqual(await search('😀'), ['😀mail'])
  assert.deepEqual(await search('\u{10fffe}'), ['\u{10fffe}'])
})

test('a list goes on where it was although that user is gone', async () => {
  const prefix = uniqueName('gone')
  const all = []
  for (const letter of 'abc') all.push(await host.newUser({ userName: `${prefix}.${letter}` }))
  const first = await host.users.list({ search: prefix, limit: 2 })
  await host.users.delete(all[1]!)
  assert.deepEqual(names((await host.users.list({ search: prefix, after: first.next })).users), [`${prefix}.c`])
})

test('a page behind what is no page, or one of another search, is empty', async () => {
  const prefix = uniqueName('page')
  for (const letter of 'ab') await host.newUser({ userName: `${prefix}.${letter}` })
  const { next } = await host.users.list({ search: prefix, limit: 1 })
  assert.ok(next !== null)
  for (const after of ['', 'x', '\0', next])
    assert.deepEqual(await host.users.list({ after }), { users: [], next: null })
  for (const after of ['', 'x', '\0', 'a'.repeat(2000)])
    assert.deepEqual(await host.users.list({ search: prefix, after }), { users: [], next: null })
  assert.deepEqual(await host.users.list({ search: `${prefix}.b`, after: next }), { users: [], next: null })
})

test('a prefix that no row can begin with finds nobody; an empty one everybody', async () => {
  for (const search of ['\0', 'x'.repeat(257), '\ud800'])
    assert.deepEqual(await host.users.list({ search }), { users: [], next: null })
  assert.ok((await host.users.list({ search: '', limit: 2 })).users.length === 2)
})
