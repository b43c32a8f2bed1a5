// Lists and searches users page by page, for administration. Users are not counted: the cost would grow with the
// table.
import { listUsers, type Match, searchUsers } from '../../store/directory.js'
import type { AccountContext } from './change-user.js'
import { nameKeys } from '../../store/name-keys.js'
import { normalizeName } from './names.js'
import { type UserPage, userPage } from './page.js'
import { isUuid } from '../../ids.js'
import { limitOf, type PageOptions } from '../../page.js'

/** Which page of the list of users. */
export interface ListOptions extends PageOptions {
  /** The beginning of the user name or the e-mail address, in any letter case. Default: all users. */
  readonly search?: string | null | undefined
}

/** The list of users. */
export interface Directory {
  /**
   * Users in the order of their ids, which is the order of creation; with `search` in alphabetical order of the
   * match. A page may hold fewer than `limit` users; the last one has no `next`.
   */
  list(options?: ListOptions): Promise<UserPage>
}

const nobody: UserPage = { users: [], next: null }

export function createDirectory({ db }: AccountContext): Directory {
  async function search(prefix: string, options: ListOptions): Promise<UserPage> {
    const after = options.after === undefined || options.after === null ? null : readPlace(options.after)
    if (after !== null && !after.key.startsWith(prefix)) return nobody
    const limit = limitOf(options)
    const matches = await searchUsers(db, prefix, after, limit + 1)
    const page = matches.slice(0, limit)
    const last = page.at(-1)
    return {
      // A user who matches by name and by address is listed at the first of both.
      users: page.filter(({ isRepeated }) => !isRepeated).map(({ user }) => user),
      next: matches.length > limit && last !== undefined ? writePlace(last) : null,
    }
  }

  return {
    async list(options = {}) {
      if (options.search === undefined || options.search === null || options.search === '') {
        return userPage(options, (after, limit) => listUsers(db, after, limit))
      }
      const prefix = normalizeName(options.search)
      return prefix === null ? nobody : search(prefix, options)
    },
  }
}

const nowhere: Match = { id: '', key: '' }

// A cursor is the id and the matched text, so that the list continues there even when that user is gone.
function writePlace({ id, key }: Match): string {
  return Buffer.from(id + key).toString('base64url')
}

function readPlace(text: string): Match {
  const place = Buffer.from(text, 'base64url').toString()
  const [id, key] = [place.slice(0, 36), place.slice(36)]
  return isUuid(id) && nameKeys(key)?.spelled === key ? { id, key } : nowhere
}
