// Parameters of the reference's stamp-based codes (its e-mail and phone providers): TOTP under the user's security
// stamp, so that a code expires with the stamp. They are arguments of totpCode and verifyTotp. The caller decides
// which address a code is bound to.

/** Length of a step in seconds: three minutes. */
export const stampStepSeconds = 180

/** Steps accepted on each side: a code is valid for six to nine minutes. */
export const stampWindowSteps = 2

/**
 * The key of a user's codes: the security stamp in UTF-16LE, the reference's string encoding. An empty stamp is an
 * empty key, which never verifies.
 */
export function stampKey(stamp: string): Uint8Array {
  return Buffer.from(stamp, 'utf16le')
}

/** Binds a code to a purpose and the address it was mailed to. */
export function emailModifier(purpose: string, email: string): string {
  return `Email:${purpose}:${email}`
}

/** Binds a code to a purpose and the number it was sent to. */
export function phoneModifier(purpose: string, phone: string): string {
  return `PhoneNumber:${purpose}:${phone}`
}

/** Binds a code to a purpose and a user, where no address is involved. */
export function defaultModifier(purpose: string, userId: string): string {
  return `Totp:${purpose}:${userId}`
}
