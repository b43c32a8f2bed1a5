// E-mail addresses: the reference's rule for accepting one, and a stricter one for sending to it (OWASP ASVS 1.3.11).
// Both read each character once. Neither checks that the mailbox exists: only a mail can.
import { DeliveryFailed } from './delivery-failed.js'

/** The reference's rule: no CR or LF, exactly one '@', which is neither the first nor the last character. `a@b` passes, and so does `a b@c`. */
export function isEmail(text: string): boolean {
  const at = text.indexOf('@')
  return at > 0 && at === text.lastIndexOf('@') && at < text.length - 1 && !/[\r\n]/.test(text)
}

/**
 * Whether a mail may be sent to `text`: an e-mail address of at most 254 bytes, 64 of them before the '@' (RFC 5321
 * §4.5.3.1), that every program reads as the same single mailbox. Programs have disagreed about quotes, brackets,
 * separators, blanks and control characters (GHSA-mm7p-fcc7-pg87, CVE-2022-35924), about encoded words (RFC 2047),
 * about host names that some URL parser would decode, and about characters that Unicode compatibility maps to others,
 * such as U+FF20 to '@'.
 */
export function isDeliverable(text: string): boolean {
  if (text.length > 254 || !isEmail(text)) return false
  const at = text.indexOf('@')
  if (Buffer.byteLength(text) > 254 || Buffer.byteLength(text.slice(0, at)) > 64) return false
  if (/[\p{C}\p{Z}<>,;:"()[\]\\]/u.test(text) || text.includes('=?') || text.normalize('NFKC') !== text) return false
  return text
    .slice(at + 1)
    .split('.')
    .every((label) => /^[\p{L}\p{M}\p{N}_](?:[\p{L}\p{M}\p{N}_-]*[\p{L}\p{M}\p{N}_])?$/u.test(label))
}

/**
 * Returns `text` when a mail may be sent to it. Checked again at every delivery: rows may be older than the rule, or
 * imported.
 * @throws DeliveryFailed, permanent
 */
export function deliverable(text: string): string {
  if (isDeliverable(text)) return text
  throw new DeliveryFailed('The recipient is not an address that mail can be sent to', 'EENVELOPE', true)
}
