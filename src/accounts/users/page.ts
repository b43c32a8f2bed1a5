// Pages of a list in the order of ids, which is the order of creation. The next page begins after an id, so that its
// cost does not depend on the length of the list.
import { isUuid } from '../../ids.js'
import { limitOf, type PageOptions } from '../../page.js'
import type { User } from './user.js'

/** A page of users. */
export interface UserPage {
  /** The users of this page. */
  readonly users: readonly User[]
  /** The value of `after` for the next page; null on the last one. */
  readonly next: string | null
}

const beforeAll = '00000000-0000-0000-0000-000000000000'

/**
 * A page of the rows that `read` returns after an id. It reads one more than the page holds, to see whether there is
 * a next page.
 */
export async function pageById<T extends { readonly id: string }>(
  options: PageOptions,
  read: (afterId: string, limit: number) => Promise<readonly T[]>,
): Promise<{ rows: readonly T[]; next: string | null }> {
  const after = options.after ?? beforeAll
  if (!isUuid(after)) return { rows: [], next: null }
  const limit = limitOf(options)
  const found = await read(after.toLowerCase(), limit + 1)
  const rows = found.slice(0, limit)
  return { rows, next: found.length > limit ? (rows.at(-1)?.id ?? null) : null }
}

export async function userPage(
  options: PageOptions,
  read: (afterId: string, limit: number) => Promise<readonly User[]>,
): Promise<UserPage> {
  const { rows: users, next } = await pageById(options, read)
  return { users, next }
}
