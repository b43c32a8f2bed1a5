// The check of option `profile`.
import type { TObject } from '@sinclair/typebox'
import { InvalidOption } from '../../errors.js'

// Our own names, which a profile's field cannot have in any spelling that requests are read in.
const reserved = new Set([
  'email',
  'username',
  'password',
  'isemailconfirmed',
  'newemail',
  'newpassword',
  'oldpassword',
  'id',
  'emailconfirmed',
  'roles',
  'claims',
])

/**
 * @throws FST_IDENTITY_INVALID_OPTION for a value that is no TypeBox object, and for fields that clash with ours or
 * with each other
 */
export function checkProfile(profile: TObject): TObject {
  const fields = (profile as { properties?: unknown } | null)?.properties // a JavaScript host may pass anything
  const names = typeof fields === 'object' && fields !== null ? Object.keys(fields) : []
  if (names.length === 0) {
    throw new InvalidOption(
      'profile',
      'is no TypeBox object with fields',
      'Pass Type.Object({ nickname: Type.String({ maxLength: 64 }) }) or the like',
    )
  }
  const spelled = (name: string) => name.toLowerCase().replaceAll('_', '')
  const taken = names.find((name) => reserved.has(spelled(name)))
  if (taken !== undefined)
    throw new InvalidOption('profile', `has the field '${taken}', which is ours`, 'Give it another name')
  const again = names.find((name, index) => names.findIndex((other) => spelled(other) === spelled(name)) < index)
  if (again !== undefined) {
    const first = names.find((name) => spelled(name) === spelled(again))
    throw new InvalidOption(
      'profile',
      `has the fields '${first ?? again}' and '${again}', which are read alike`,
      'Give one of them another name',
    )
  }
  return profile
}
