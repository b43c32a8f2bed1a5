// The purposes of sealed tokens and stored secrets. The list is closed and its numbers are on the wire: add at the
// end, never renumber or reuse.
// Each purpose has a key of its own, so a token shown for another purpose fails authentication (OWASP ASVS 5.0 9.2.2), not a field check.

export const purposes = {
  access: 1,
  refresh: 2,
  cookie: 3,
  rememberMachine: 4,
  confirmEmail: 5,
  changeEmail: 6,
  resetPassword: 7,
  changePhoneNumber: 8,
  userToken: 9,
  authenticatorKey: 10,
  recoveryCode: 11,
  throttle: 12,
  outbox: 13,
  keyWrap: 14,
  externalToken: 15,
  twoFactor: 16,
} as const

export type Purpose = keyof typeof purposes
