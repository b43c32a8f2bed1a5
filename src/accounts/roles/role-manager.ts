// Roles and their claims. Which users are in them is the business of user-roles.ts. A change of a role counts for all its users within a second,
// by one note for the role; no stamp rotates and no session ends (as in the reference).
import { failed, type Failure, type IdentityError, type IdentityResult, success } from '../../errors.js'
import { deleteClaims, listClaims } from '../../store/claims.js'
import type { Trx } from '../../store/db.js'
import { inTransaction, type Transaction, within } from '../../store/transaction.js'
import { violatedConstraint } from '../../store/sql-errors.js'
import {
  deleteRole,
  findRoleById,
  findRoleByName,
  insertRole,
  listRoles,
  type RoleRecord as Role,
  updateRole,
} from '../../store/roles.js'
import type { Claim } from '../../store/users.js'
import { newConcurrencyStamp, newUuidV7 } from '../../tokens/stamp.js'
import { type AccountContext, describeAll, ChangeRefused } from '../users/change-user.js'
import { isCarriable, writeClaims } from './user-claims.js'
import { normalizeName } from '../users/names.js'
import { isBeyondAscii, nameKeys } from '../../store/name-keys.js'
import type { PageOptions } from '../../page.js'
import { pageById } from '../users/page.js'
import { isUuid } from '../../ids.js'

// Not an alias: a host's declarations name the type by the symbol that the package exports.
/** A role of the application. Methods that change a role also update the object that they are given. */
export type { RoleRecord as Role } from '../../store/roles.js'

/** The result of `roles.create`. */
export type CreateRoleResult =
  | {
      /** Whether the role was written. */
      readonly succeeded: true
      /** The new role. */
      readonly role: Role
    }
  | {
      /** Whether the role was written. */
      readonly succeeded: false
      /** Why not. */
      readonly errors: readonly IdentityError[]
    }

/** A page of roles. */
export interface RolePage {
  /** The roles of this page. */
  readonly roles: readonly Role[]
  /** The value of `after` for the next page; null on the last one. */
  readonly next: string | null
}

/** `app.identity.roles`. Names are found in any letter case. */
export interface RoleManager {
  /** Writes a new role; of parallel creations of one name, one succeeds. @returns InvalidRoleName, DuplicateRoleName */
  create(role: string | { readonly name: string }): Promise<CreateRoleResult>
  /**
   * Writes the name of `role`. @returns InvalidRoleName, DuplicateRoleName, ConcurrencyFailure when the row was
   * changed meanwhile
   */
  update(role: Role): Promise<IdentityResult>
  /** Deletes the role with its claims and memberships. @returns ConcurrencyFailure */
  delete(role: Role): Promise<IdentityResult>
  /** Whether there is a role of this name. */
  roleExists(name: string): Promise<boolean>
  /** The role of this id; null without it. */
  findById(id: string): Promise<Role | null>
  /** The role of this name; null without it. */
  findByName(name: string): Promise<Role | null>
  /** The name of a role, as the object has it. */
  getRoleName(role: Role): string
  /**
   * Sets another name and writes it; in the reference `update` writes it. @returns InvalidRoleName,
   * DuplicateRoleName, ConcurrencyFailure
   */
  setRoleName(role: Role, name: string): Promise<IdentityResult>
  /** The form in which names are unique; null for a text that no row can hold. */
  normalizeKey(name: string): string | null
  /**
   * Adds a claim for every user in the role. @returns DefaultError for one that does not fit, as `users.addClaims`;
   * ConcurrencyFailure
   */
  addClaim(role: Role, claim: Claim): Promise<IdentityResult>
  /** Removes every occurrence of a claim. @returns ConcurrencyFailure */
  removeClaim(role: Role, claim: Claim): Promise<IdentityResult>
  /** In the order of their addition, to the millisecond. */
  getClaims(role: Role): Promise<readonly Claim[]>
  /** All roles, in the order of creation. */
  list(options?: PageOptions): Promise<RolePage>
  /** The same manager inside a host's own Kysely transaction: its rows and ours commit or roll back together. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the host's tables are the host's
  withTransaction(trx: Transaction<any>): RoleManager
}

export function createRoleManager(
  context: Pick<AccountContext, 'db' | 'clock' | 'describe' | 'claimsChanged'>,
): RoleManager {
  const { db, clock, describe } = context

  /** Writes a role unless its row was changed since it was read, together with the rest of the change. */
  async function change(role: Role, name: string, also?: (trx: Trx) => Promise<void>): Promise<IdentityResult> {
    const normalizedName = keyOf(name)
    if (normalizedName === null) return failed(describe, [{ code: 'InvalidRoleName', args: [name] }])
    if (!isUuid(role.id) || !isUuid(role.concurrencyStamp)) return failed(describe, [{ code: 'ConcurrencyFailure' }])
    const next = { ...role, name, normalizedName, concurrencyStamp: newConcurrencyStamp() }
    const taken: Failure = { code: 'DuplicateRoleName', args: [name] }
    try {
      const changes = await inTransaction(db, async (trx) => {
        const outcome = await updateRole(trx, next, role.concurrencyStamp)
        if (outcome === 'taken') throw new ChangeRefused([taken])
        if (outcome === 'changed') throw new ChangeRefused([{ code: 'ConcurrencyFailure' }])
        await also?.(trx)
        return outcome
      })
      context.claimsChanged(changes)
    } catch (error) {
      if (error instanceof ChangeRefused) return failed(describe, error.failures)
      // The name was free when it was looked up, and was taken meanwhile.
      if (!roleIndexes.has(violatedConstraint(error) ?? '')) throw error
      return failed(describe, [taken])
    }
    Object.assign(role, next)
    return success
  }

  async function findByName(name: string): Promise<Role | null> {
    const keys = name.trim() === '' ? null : nameKeys(name)
    return keys === null ? null : findRoleByName(db, keys)
  }

  return {
    async create(given) {
      const name = typeof given === 'string' ? given : given.name
      const refuse = (failure: Failure) => ({ succeeded: false as const, errors: describeAll(describe, [failure]) })
      const normalizedName = keyOf(name)
      if (normalizedName === null) return refuse({ code: 'InvalidRoleName', args: [name] })
      const role = { id: newUuidV7(clock()), name, normalizedName, concurrencyStamp: newConcurrencyStamp() }
      // A role of before letters beyond ASCII were folded is not in the index with each of its spellings.
      const isTaken = isBeyondAscii(normalizedName) && (await findByName(name)) !== null
      return !isTaken && (await insertRole(db, role))
        ? { succeeded: true, role }
        : refuse({ code: 'DuplicateRoleName', args: [name] })
    },
    update: (role) => change(role, role.name),
    async delete(role) {
      const changes =
        isUuid(role.id) && isUuid(role.concurrencyStamp) ? await deleteRole(db, role.id, role.concurrencyStamp) : []
      if (changes.length === 0) return failed(describe, [{ code: 'ConcurrencyFailure' }])
      context.claimsChanged(changes)
      return success
    },
    roleExists: async (name) => (await findByName(name)) !== null,
    findById: async (id) => (isUuid(id) ? findRoleById(db, id.toLowerCase()) : null),
    findByName,
    getRoleName: (role) => role.name,
    setRoleName: (role, name) => change(role, name),
    normalizeKey: normalizeName,
    addClaim: async (role, claim) =>
      isCarriable(claim)
        ? change(role, role.name, (trx) => writeClaims(trx, { roleId: role.id }, [claim], clock()))
        : failed(describe, [{ code: 'DefaultError' }]),
    removeClaim: (role, claim) =>
      change(role, role.name, async (trx) => {
        if (isCarriable(claim)) await deleteClaims(trx, { roleId: role.id }, [claim])
      }),
    getClaims: (role) => listClaims(db, { roleId: role.id }),
    async list(options = {}) {
      const { rows: roles, next } = await pageById(options, (after, limit) => listRoles(db, after, limit))
      return { roles, next }
    },
    withTransaction: (trx) => createRoleManager({ ...context, db: within(db, trx), claimsChanged: () => undefined }),
  }
}

const roleIndexes: ReadonlySet<string> = new Set(['roles_normalized_name', 'roles_folded_name'])

/** The normalised form of a name, or null when no role can have it. */
function keyOf(name: string): string | null {
  return name.trim() === '' ? null : normalizeName(name)
}
