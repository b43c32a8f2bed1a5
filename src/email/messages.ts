// The texts of mails, and the links in them. Subjects and html bodies are the reference's, to the letter; the plain
// text is for mail programs that show no html. Links and codes are passed in raw and escaped here. Nothing is sent
// from here.

/** A mail with a text, as `MessageSender.send` gets it. */
export interface MailMessage {
  /** One bare address, no display name. */
  readonly to: string
  /** The subject line. */
  readonly subject: string
  /** The body as HTML. */
  readonly html: string
  /** The body as plain text. */
  readonly text: string
}

/** The values of option `notices`: changes of an account that its owner is notified of. */
export const securityNotices = [
  'refreshTokenReused',
  'passwordChanged',
  'emailChanged',
  'twoFactorChanged',
  'recoveryCodeUsed',
] as const
/** A notice of option `notices`. */
export type SecurityNotice = (typeof securityNotices)[number]

/**
 * With preset `hardened` also `accountExists`: an account was requested for this address, or a move to it, and the
 * response did not reveal that it is taken.
 */
export type Notice = SecurityNotice | 'accountExists'

export function confirmationLinkMail(to: string, link: string): MailMessage {
  return {
    to,
    subject: 'Confirm your email',
    html: `Please confirm your account by <a href='${escapeHtml(link)}'>clicking here</a>.`,
    text: `Please confirm your account by opening this link:\n\n${link}\n`,
  }
}

export function passwordResetLinkMail(to: string, link: string): MailMessage {
  return {
    to,
    subject: 'Reset your password',
    html: `Please reset your password by <a href='${escapeHtml(link)}'>clicking here</a>.`,
    text: `Please reset your password by opening this link:\n\n${link}\n`,
  }
}

export function passwordResetCodeMail(to: string, code: string): MailMessage {
  return {
    to,
    subject: 'Reset your password',
    html: `Please reset your password using the following code: ${escapeHtml(code)}`,
    text: `Please reset your password using the following code:\n\n${code}\n`,
  }
}

/** The reference has no such mails. They contain no link: a link that users learn to follow can be forged. */
export function securityNoticeMail(to: string, notice: Notice): MailMessage {
  const { subject, text } =
    notice === 'accountExists'
      ? accountExists
      : {
          subject: 'Security notice',
          text: `${happened[notice]} If you know nothing of this, somebody else may have been in your account: choose another password, or ask for help.`,
        }
  return { to, subject, html: escapeHtml(text), text: `${text}\n` }
}

const accountExists = {
  subject: 'You already have an account',
  text:
    'Somebody, perhaps you, asked for an account with this email address. It has one already, and nothing was changed. Sign in with it; if you have ' +
    'forgotten the password, ask for a new one, and if you have not confirmed the address yet, for another confirmation. If it was not you, you need do nothing.',
}

const happened: Readonly<Record<SecurityNotice, string>> = {
  refreshTokenReused: 'A sign-in to your account was ended, because an old token of it came back.',
  passwordChanged: 'The password of your account was changed.',
  emailChanged: 'The email address of your account was changed: this one no longer belongs to it.',
  twoFactorChanged: 'Two-factor authentication of your account was switched on or off.',
  recoveryCodeUsed: 'A recovery code of your account was used.',
}

/**
 * The link that confirms an address. `changedEmail` is set when the address is a new one for an existing account.
 * @param base absolute URL of our own confirmEmail route, or of a page of a single-page application; its own query is
 * kept
 * @param query `code` as on the wire (base64url)
 * @throws TypeError when `base` is no absolute URL
 */
export function confirmEmailLink(
  base: string,
  query: { readonly userId: string; readonly code: string; readonly changedEmail?: string },
): string {
  const { userId, code, changedEmail } = query
  return withQuery(base, [
    ['userId', userId],
    ['code', code],
    ...(changedEmail === undefined ? [] : [['changedEmail', changedEmail] as const]),
  ])
}

/**
 * The link to the page where a new password is chosen: `email` and `code` become email and resetCode of POST
 * /resetPassword.
 */
export function resetPasswordLink(base: string, query: { readonly email: string; readonly code: string }): string {
  return withQuery(base, [
    ['email', query.email],
    ['code', query.code],
  ])
}

/**
 * `base` with `pairs` after any query of its own and before a fragment. Everything but unreserved characters (RFC
 * 3986 §2.3) is percent-encoded: URLSearchParams would write a blank as '+', which only form decoders read back.
 * @throws TypeError when `base` is no absolute URL
 */
export function withQuery(base: string, pairs: readonly (readonly [name: string, value: string])[]): string {
  const url = new URL(base)
  const added = pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&')
  if (added === '') return url.href
  url.search = url.search === '' || url.search.endsWith('&') ? url.search + added : `${url.search}&${added}`
  return url.href
}

/**
 * Like HtmlEncoder.Default of the reference's platform: printable ASCII stays, except for `& < > " ' +`; everything
 * else becomes a character reference.
 */
export function escapeHtml(text: string): string {
  return text.replace(/[^ !#-%(-*,-;=?-~]/gu, (character) => {
    const codePoint = character.codePointAt(0) ?? 0
    const isHalfPair = codePoint >= 0xd800 && codePoint <= 0xdfff
    return named.get(character) ?? `&#x${(isHalfPair ? 0xfffd : codePoint).toString(16).toUpperCase()};`
  })
}

const named: ReadonlyMap<string, string> = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
])

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
