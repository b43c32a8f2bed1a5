// Stores and finds the passkeys of users. The ceremonies of WebAuthn, which create and verify them, are the host's.
import { failed, type IdentityResult } from '../../errors.js'
import {
  deletePasskey,
  findPasskey,
  findUserByPasskey,
  listPasskeys,
  type Passkey,
  putPasskey,
} from '../../store/passkeys.js'
import { type AccountContext, changeUser, ChangeRefused } from '../users/change-user.js'
import { isStorable } from '../users/storable.js'
import type { User } from '../users/user.js'

/** Passkeys. No method of it rotates the stamp; sessions end only where a passkey is taken away. */
export interface PasskeyManager {
  /**
   * Writes a passkey; for one that the user has, updates its name, signature count and the flags isUserVerified and
   * isBackedUp.
   *
   * @returns LoginAlreadyAssociated when another user has it; DefaultError when the id has not 1 to 1,023 bytes, the
   * count is no unsigned 32-bit number, or the name is longer than 256 characters; ConcurrencyFailure
   */
  addOrUpdatePasskey(user: User, passkey: Passkey): Promise<IdentityResult>
  /** In the order of creation. */
  getPasskeys(user: User): Promise<readonly Passkey[]>
  /** This user's passkey with that id. */
  getPasskey(user: User, credentialId: Uint8Array): Promise<Passkey | null>
  /** The user who has the passkey; null when none does. */
  findByPasskeyId(credentialId: Uint8Array): Promise<User | null>
  /**
   * Takes a passkey away; one that the user does not have, too, is no failure. Where one was taken away, the user's sessions end, but for
   * `keepSessionId`.
   *
   * @returns ConcurrencyFailure
   */
  removePasskey(user: User, credentialId: Uint8Array, options?: { keepSessionId?: string }): Promise<IdentityResult>
}

const maxIdBytes = 1023

export function createPasskeyManager(context: AccountContext): PasskeyManager {
  const { db, describe } = context
  return {
    async addOrUpdatePasskey(user, passkey) {
      if (!isPasskey(passkey)) return failed(describe, [{ code: 'DefaultError' }])
      return changeUser(
        context,
        user,
        {},
        {
          async also(trx) {
            if (!(await putPasskey(trx, user.id, passkey)))
              throw new ChangeRefused([{ code: 'LoginAlreadyAssociated' }])
          },
        },
      )
    },
    getPasskeys: (user) => listPasskeys(db, user.id),
    getPasskey: (user, credentialId) => findPasskey(db, user.id, credentialId),
    findByPasskeyId: (credentialId) => findUserByPasskey(db, credentialId),
    removePasskey: (user, credentialId, { keepSessionId } = {}) =>
      changeUser(
        context,
        user,
        {},
        {
          ends: { cause: 'passkeyRemoved', keep: keepSessionId },
          also: (trx) => deletePasskey(trx, user.id, credentialId),
        },
      ),
  }
}

function isPasskey({ credentialId, name, signCount, transports, createdAt }: Passkey): boolean {
  return (
    credentialId.length >= 1 &&
    credentialId.length <= maxIdBytes &&
    (name === null || isStorable(name, 256)) &&
    Number.isInteger(signCount) &&
    signCount >= 0 &&
    signCount <= 0xffffffff &&
    transports.every((transport) => isStorable(transport, 256)) &&
    !Number.isNaN(createdAt.getTime())
  )
}
