// An authenticator app: shows the code of a key, by the clock of the test.
import { decodeBase32 } from '../../src/two-factor/base32.js'
import { totpCode, totpStep } from '../../src/two-factor/totp.js'

export interface Authenticator {
  readonly sharedKey: string
  /** The six digits of now, or of as many steps of 30 s later (earlier when negative). */
  code(steps?: number): string
}

export function authenticatorOf(sharedKey: string, clock: () => number): Authenticator {
  const key = decodeBase32(sharedKey)
  if (key?.length !== 20) throw new Error('A key of the reference has 20 bytes')
  return { sharedKey, code: (steps = 0) => totpCode(key, totpStep(clock()) + steps) }
}

/** Six digits that are none of the codes which any window of a test accepts. */
export function wrongCode(phone: Authenticator): string {
  const near = new Set(Array.from({ length: 41 }, (_, index) => phone.code(index - 20)))
  for (let number = 0; ; number++) {
    const text = String(number).padStart(6, '0')
    if (!near.has(text)) return text
  }
}
