// What stories share: people who register and sign in, as every story needs them.
import { decodeBase32 } from '../../../src/two-factor/base32.js'
import { totpCode, totpStep } from '../../../src/two-factor/totp.js'
import type { Talk } from '../talk.js'

export interface Story {
  readonly name: string
  /** A host of its own, which lets nobody in without a confirmed address. */
  readonly requireConfirmedEmail?: boolean
  play(talk: Talk): Promise<void>
}

export interface Tokens {
  readonly accessToken: string
  readonly refreshToken: string
}

export const password = 'Pa$$w0rd-1a'

export async function register(talk: Talk, email: string): Promise<{ email: string; password: string }> {
  await talk.quietly({ path: '/account/register', json: { email, password } })
  return { email, password }
}

export async function signIn(talk: Talk, email: string, more: object = {}): Promise<Tokens> {
  const tokens = (await talk.quietly({ path: '/account/login', json: { email, password, ...more } })).json() as Tokens
  talk.name('access token', tokens.accessToken)
  talk.name('refresh token', tokens.refreshToken)
  return tokens
}

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

/** The code of a key, a number of steps away from now. */
export async function codeOf(talk: Talk, sharedKey: string, steps = 0): Promise<string> {
  const key = decodeBase32(sharedKey)
  if (key === null) throw new Error('The key is no base32')
  const code = totpCode(key, totpStep(await talk.stage.codeTime()) + steps)
  talk.name('one-time code', code)
  return code
}

/** Follows the newest mail: its link's path, or its code. */
export async function newestMail(talk: Talk, to: string): Promise<{ path: string; code: string }> {
  const letter = (await talk.stage.letters()).filter((one) => one.to === to).at(-1)
  if (letter === undefined) throw new Error(`There is no mail to ${to}`)
  const link = /href='([^']+)'/.exec(letter.html)?.[1]?.replaceAll('&amp;', '&').replaceAll('&#x2B;', '+')
  const code = link === undefined ? /code: (\S+)$/.exec(letter.html)![1]! : new URL(link).searchParams.get('code')!
  talk.name('code', code)
  if (link !== undefined) talk.name('id', new URL(link).searchParams.get('userId')!)
  return { path: link === undefined ? '' : link.replace(/^https?:\/\/[^/]+/, ''), code }
}
