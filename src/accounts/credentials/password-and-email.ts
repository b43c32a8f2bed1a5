// The first factor and the address of a user: the password, the confirmation, and the codes in mails. Codes are
// opaque and bound to purpose, user, security stamp and, for a change, the new address. The reason for refusing one
// is never revealed.
import { secondsOf } from '../../tokens/ticket.js'
import { isMarkOf } from '../../tokens/fields.js'
import { failed, type IdentityResult, success } from '../../errors.js'
import { clearAttempts } from '../../store/attempts.js'
import { useEmailChange, wasEmailChanged } from '../../store/email-changes.js'
import { inTransaction } from '../../store/transaction.js'
import { confirmUserEmail, findUserById } from '../../store/users.js'
import { codeHash, type CodePurpose, openCode, sealCode } from '../../tokens/code.js'
import { newConcurrencyStamp } from '../../tokens/stamp.js'
import { type AccountContext, ChangeRefused, changeUser, passwordErrors } from '../users/change-user.js'
import { attemptKeyOf, type Throttle, type Verdict } from '../throttle/throttle.js'
import { normalizeName } from '../users/names.js'
import type { User } from '../users/user.js'
import type { CodeLifetimes } from './options.js'

/** Passwords, addresses and the codes that change them. */
export interface CredentialManager {
  /** Whether the password is the user's. Counts nothing and locks nothing. */
  checkPassword(user: User, password: string): Promise<boolean>
  /** Whether the user has a password, as the object has it. */
  hasPassword(user: User): boolean
  /** Gives a password to a user who has none. Rotates the stamp; sessions go on. @returns UserAlreadyHasPassword, PasswordTooShort and its like */
  addPassword(user: User, password: string): Promise<IdentityResult>
  /**
   * Changes the password of a user who knows the current one; a wrong one counts as a failed sign-in. Rotates the stamp and ends the user's
   * sessions, but for `keepSessionId` (`request.identity.sessionId` in a route of your own).
   *
   * @returns PasswordMismatch, PasswordTooShort and similar codes
   */
  changePassword(
    user: User,
    currentPassword: string,
    newPassword: string,
    options?: { keepSessionId?: string },
  ): Promise<IdentityResult>
  /** Removes the password. Rotates the stamp and ends the user's sessions. */
  removePassword(user: User): Promise<IdentityResult>
  /** A code for `resetPassword`, valid for `codes.resetPasswordSeconds` and until the security stamp changes. */
  generatePasswordResetToken(user: User): string
  /**
   * Sets a password by a code. A code succeeds once, however many uses run in parallel: it rotates the stamp, ends
   * all sessions and resets failed sign-ins.
   *
   * @returns InvalidToken, before the password is checked; then PasswordTooShort and similar codes
   */
  resetPassword(user: User, token: string, newPassword: string): Promise<IdentityResult>
  /** Sets another address, not confirmed. Rotates the stamp; sessions go on. */
  setEmail(user: User, email: string | null): Promise<IdentityResult>
  /** A code for `confirmEmail`, valid for `codes.confirmEmailSeconds` and until the security stamp changes. */
  generateEmailConfirmationToken(user: User): string
  /**
   * Confirms the address; repeatable within the code's lifetime, since it does not rotate the stamp (as in the
   * reference). @returns InvalidToken
   */
  confirmEmail(user: User, token: string): Promise<IdentityResult>
  /** A code for `changeEmail`; it contains the new address, sealed. It ends with the user's next request for a new address at `/manage/info`. */
  generateChangeEmailToken(user: User, newEmail: string): string
  /**
   * Sets and confirms the new address that the code carries, and with `setUserName` the user name to the same, in one transaction.
   * Rotates the stamp; sessions go on. Within the code's lifetime a second use succeeds and changes nothing, as long as the user has the
   * address. A code that was generated before another change was requested at `/manage/info` is an InvalidToken.
   *
   * @returns InvalidToken, InvalidUserName, DuplicateUserName, DuplicateEmail
   */
  changeEmail(user: User, newEmail: string, token: string, options?: { setUserName?: boolean }): Promise<IdentityResult>
}

export function createCredentialManager(
  context: AccountContext,
  lifetimes: CodeLifetimes,
  throttle: Throttle,
): CredentialManager {
  const codes = createCodes(context)
  return {
    ...createPasswords(context, codes, lifetimes, throttle),
    ...createAddresses(context, codes, lifetimes),
  }
}

interface Codes {
  readonly seal: (purpose: CodePurpose, user: User, data?: string) => string
  /** Null for a code that is none, was made for another purpose or has expired. */
  readonly open: (purpose: CodePurpose, token: string, lifetimeSeconds: number) => ReturnType<typeof openCode>
}

/** The codes in mails, sealed and opened under the key ring. */
function createCodes({ clock, keys }: AccountContext): Codes {
  const seconds = () => secondsOf(clock())
  return {
    seal: (purpose, user, data) =>
      sealCode(
        keys.sealing(),
        purpose,
        { userId: user.id, stamp: user.securityStamp, ...(data === undefined ? {} : { data }) },
        seconds(),
      ),
    open: (purpose, token, lifetimeSeconds) =>
      openCode((id) => keys.find(id), purpose, token, seconds(), lifetimeSeconds),
  }
}

/** Whether an opened code without data is this user's, under the stamp of now. */
function isOf(opened: ReturnType<typeof openCode>, user: User): boolean {
  return (
    opened !== null && opened.userId === user.id && opened.data === '' && isMarkOf(opened.stampMark, user.securityStamp)
  )
}

async function setPassword(
  context: AccountContext,
  user: User,
  password: string,
  options: Parameters<typeof changeUser>[3],
): Promise<IdentityResult> {
  const errors = await passwordErrors(context, password, user)
  if (errors.length > 0) return { succeeded: false, errors }
  return changeUser(
    context,
    user,
    { passwordHash: await context.hasher.hash(password) },
    {
      rotateStamp: true,
      event: 'passwordChanged',
      notice: 'passwordChanged',
      ...options,
    },
  )
}

function createPasswords(
  context: AccountContext,
  codes: Codes,
  lifetimes: CodeLifetimes,
  throttle: Throttle,
): Pick<
  CredentialManager,
  | 'checkPassword'
  | 'hasPassword'
  | 'addPassword'
  | 'changePassword'
  | 'removePassword'
  | 'generatePasswordResetToken'
  | 'resetPassword'
> {
  const { db, hasher, describe, keys } = context

  return {
    checkPassword: async (user, password) => (await hasher.verify(user.passwordHash, password)) !== 'no',
    hasPassword: (user) => user.passwordHash !== null,

    async addPassword(user, password) {
      if (user.passwordHash !== null) return failed(describe, [{ code: 'UserAlreadyHasPassword' }])
      return setPassword(context, user, password, {})
    },

    async changePassword(user, currentPassword, newPassword, { keepSessionId } = {}) {
      const { answer } = await throttle.attempt(
        db,
        user.userName,
        async (_found, reservation): Promise<Verdict<IdentityResult>> => {
          if ((await hasher.verify(user.passwordHash, currentPassword)) === 'no') return 'wrong'
          const result = await setPassword(context, user, newPassword, {
            ends: { cause: 'passwordChanged', keep: keepSessionId },
            release: reservation,
          })
          return { answer: result, isSettled: result.succeeded }
        },
        keepSessionId,
      )
      return typeof answer === 'string' ? failed(describe, [{ code: 'PasswordMismatch' }]) : answer
    },

    removePassword: (user) =>
      changeUser(
        context,
        user,
        { passwordHash: null },
        {
          rotateStamp: true,
          ends: { cause: 'passwordChanged' },
          event: 'passwordChanged',
          notice: 'passwordChanged',
        },
      ),

    generatePasswordResetToken: (user) => codes.seal('resetPassword', user),

    async resetPassword(user, token, newPassword) {
      const invalid = failed(describe, [{ code: 'InvalidToken' }])
      if (!isOf(codes.open('resetPassword', token, lifetimes.resetPasswordSeconds), user)) return invalid
      const key = attemptKeyOf(keys.vault(), user.userName)
      const stamp = user.securityStamp
      const options: Parameters<typeof changeUser>[3] = {
        ends: { cause: 'passwordReset' },
        event: 'passwordReset',
        also: (trx) => clearAttempts(trx, key),
      }
      let result = await setPassword(context, user, newPassword, options)
      // Another member of the user changed meanwhile: the code is still valid when the stamp is the same.
      for (let again = 0; again < 3 && isConcurrencyFailure(result); again++) {
        const current = await findUserById(db, user.id)
        if (current?.securityStamp !== stamp) return invalid
        Object.assign(user, current)
        result = await setPassword(context, user, newPassword, options)
      }
      return result
    },
  }
}

function createAddresses(
  context: AccountContext,
  codes: Codes,
  lifetimes: CodeLifetimes,
): Pick<
  CredentialManager,
  'setEmail' | 'generateEmailConfirmationToken' | 'confirmEmail' | 'generateChangeEmailToken' | 'changeEmail'
> {
  const { db, describe, notifier } = context

  return {
    setEmail: (user, email) =>
      changeUser(
        context,
        user,
        { email, emailConfirmed: false },
        {
          rotateStamp: true,
          event: 'emailChanged',
          notice: email === user.email ? undefined : 'emailChanged',
        },
      ),
    generateEmailConfirmationToken: (user) => codes.seal('confirmEmail', user),

    async confirmEmail(user, token) {
      if (!isOf(codes.open('confirmEmail', token, lifetimes.confirmEmailSeconds), user))
        return failed(describe, [{ code: 'InvalidToken' }])
      const confirmed = await (notifier.has('emailConfirmed')
        ? inTransaction(db, async (trx) => {
            const written = await confirmUserEmail(trx, user.id, user.securityStamp, newConcurrencyStamp())
            if (written !== null)
              await notifier.hook('emailConfirmed', trx, {
                ...user,
                emailConfirmed: true,
                concurrencyStamp: written.concurrencyStamp,
              })
            return written
          })
        : confirmUserEmail(db, user.id, user.securityStamp, newConcurrencyStamp()))
      if (confirmed === null) return failed(describe, [{ code: 'InvalidToken' }])
      const { change, ...members } = confirmed
      Object.assign(user, members)
      context.claimsChanged([change])
      notifier.emit('emailConfirmed', { userId: user.id })
      return success
    },

    generateChangeEmailToken: (user, newEmail) => codes.seal('changeEmail', user, newEmail),

    async changeEmail(user, newEmail, token, { setUserName = false } = {}) {
      const invalid = failed(describe, [{ code: 'InvalidToken' }])
      const opened = codes.open('changeEmail', token, lifetimes.confirmEmailSeconds)
      if (opened === null || opened.userId !== user.id || opened.data !== newEmail) return invalid
      const used = { userId: user.id, codeHash: codeHash(token), issuedAt: opened.issuedAt }
      const result = !isMarkOf(opened.stampMark, user.securityStamp)
        ? invalid
        : await changeUser(
            context,
            user,
            {
              email: newEmail,
              emailConfirmed: true,
              ...(setUserName ? { userName: newEmail } : {}),
            },
            {
              rotateStamp: true,
              event: 'emailChanged',
              notice: newEmail === user.email ? undefined : 'emailChanged',
              async also(trx) {
                if (!(await useEmailChange(trx, used))) throw new ChangeRefused([{ code: 'InvalidToken' }])
              },
            },
          )
      if (result.succeeded || !(await wasEmailChanged(db, used, normalizeName(newEmail) ?? ''))) return result
      // The same link was followed before, or at the same moment.
      const current = await findUserById(db, user.id)
      if (current !== null) Object.assign(user, current)
      return success
    },
  }
}

function isConcurrencyFailure(result: IdentityResult): boolean {
  return !result.succeeded && result.errors.some(({ code }) => code === 'ConcurrencyFailure')
}
