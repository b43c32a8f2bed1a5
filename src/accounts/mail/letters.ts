// The contents of a waiting mail, sealed: links and codes lie in no row as plain text.
import type { MailUser } from '../../email/sender.js'
import type { ClaimedMail, OutboxRecord } from '../../store/outbox.js'
import { open, seal, type SealingKey } from '../../tokens/seal.js'
import { newUuidV7 } from '../../tokens/stamp.js'

export type LetterKind = 'confirmationLink' | 'passwordResetLink' | 'passwordResetCode' | 'securityNotice' | 'nothing'

export interface Letter {
  readonly user: MailUser
  readonly to: string
  /** The link, the code, or the name of a notice. */
  readonly content: string
}

/** A new row with a sealed letter. */
export function sealLetter(vault: SealingKey, kind: LetterKind, letter: Letter, userId: string | null): OutboxRecord {
  const id = newUuidV7(Date.now())
  return { id, userId, kind, sealed: seal(vault, 'outbox', JSON.stringify(letter), id) }
}

/** The letter of a row; null when it was sealed under another key. */
export function openLetter(vault: SealingKey, mail: Pick<ClaimedMail, 'id' | 'sealed'>): Letter | null {
  const text = open((id) => (id === vault.id ? vault : null), 'outbox', mail.sealed, mail.id)?.toString()
  return text === undefined ? null : (JSON.parse(text) as Letter) // as sealLetter wrote it
}
