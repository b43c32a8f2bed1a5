import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkPassword, maxPasswordBytes, passwordDefaults, type PasswordRules } from '../../src/passwords/policy.js'

const none: Partial<PasswordRules> = {
  requiredLength: 0,
  requiredUniqueChars: 0,
  requireDigit: false,
  requireLowercase: false,
  requireUppercase: false,
  requireNonAlphanumeric: false,
}

function codesOf(options: Partial<PasswordRules>, password: string): string[] {
  return checkPassword({ ...passwordDefaults, ...options }, password).map(({ code }) => code)
}

const table: readonly [title: string, options: Partial<PasswordRules>, password: string, codes: string[]][] = [
  ['a password of every class passes the defaults', {}, 'Passw0rd!', []],
  ['six characters are enough by default', {}, 'aA0!xy', []],
  ['five characters are one too few by default', {}, 'aA0!x', ['PasswordTooShort']],
  [
    'an empty password breaks every rule, in the order of the reference',
    {},
    '',
    [
      'PasswordTooShort',
      'PasswordRequiresNonAlphanumeric',
      'PasswordRequiresDigit',
      'PasswordRequiresLower',
      'PasswordRequiresUpper',
      'PasswordRequiresUniqueChars',
    ],
  ],
  [
    'white space alone is too short however long',
    {},
    ' '.repeat(20),
    ['PasswordTooShort', 'PasswordRequiresDigit', 'PasswordRequiresLower', 'PasswordRequiresUpper'],
  ],
  [
    'white space of .NET counts as blank: tab, next line, no-break and ideographic space',
    none,
    '\t\u0085\u00a0\u3000',
    ['PasswordTooShort'],
  ],
  ['a byte order mark is not white space to .NET', none, '\ufeff', []],
  ['white space within a password is a character like others', {}, 'a A 0 ', []],
  ['a NUL is a character like others', none, '\0', []],
  ['letters and digits alone lack a non alphanumeric', {}, 'Passw0rd', ['PasswordRequiresNonAlphanumeric']],
  ['a letter of another alphabet is non alphanumeric', {}, 'Passw0rdж', []],
  ['a full-width digit is no digit', {}, 'Password!９', ['PasswordRequiresDigit']],
  ['an Arabic-Indic digit is no digit', {}, 'Password!٣', ['PasswordRequiresDigit']],
  ['a lowercase letter with an accent is no lowercase letter', {}, 'PASSW0RDé', ['PasswordRequiresLower']],
  ['an uppercase letter with an accent is no uppercase letter', {}, 'passw0rdÉ', ['PasswordRequiresUpper']],
  ['the character before 0 is no digit', {}, 'aA!xyz/', ['PasswordRequiresDigit']],
  ['the character after 9 is no digit', {}, 'aA!xyz:', ['PasswordRequiresDigit']],
  [
    'the characters around A-Z and a-z are no letters',
    { requiredLength: 0 },
    '@[`{0',
    ['PasswordRequiresLower', 'PasswordRequiresUpper'],
  ],
  ['a class that is not required is not missed', none, 'x', []],
  ['different characters are counted, case matters', { ...none, requiredUniqueChars: 2 }, 'aAaA', []],
  [
    'one different character too few is refused',
    { ...none, requiredUniqueChars: 3 },
    'aAaA',
    ['PasswordRequiresUniqueChars'],
  ],
  [
    'an emoji has two different UTF-16 units',
    { ...none, requiredUniqueChars: 3 },
    '😀😀😀',
    ['PasswordRequiresUniqueChars'],
  ],
  ['length is in UTF-16 units: three emoji are six', { ...none, requiredLength: 6 }, '😀😁😂', []],
  [
    'length is in code points where asked: five emoji are five',
    { ...none, requiredLength: 6, countCodePoints: true },
    '😀😁😂😃😄',
    ['PasswordTooShort'],
  ],
  [
    'length is in code points where asked: six emoji are six',
    { ...none, requiredLength: 6, countCodePoints: true },
    '😀😁😂😃😄😅',
    [],
  ],
  ['512 code points are allowed', none, '😀'.repeat(512), []],
  ['513 code points are too long', none, 'a'.repeat(513), ['PasswordTooLong']],
  ['too long is said alone', {}, 'a'.repeat(513), ['PasswordTooLong']],
  ['maxLength can be lowered', { ...none, maxLength: 64 }, 'a'.repeat(65), ['PasswordTooLong']],
  [
    '4096 bytes are allowed where maxLength is raised',
    { ...none, maxLength: 10_000 },
    'é'.repeat(maxPasswordBytes / 2),
    [],
  ],
  [
    '4097 bytes are too long whatever maxLength says',
    { ...none, maxLength: 10_000 },
    `${'é'.repeat(maxPasswordBytes / 2)}a`,
    ['PasswordTooLong'],
  ],
]

for (const [title, options, password, codes] of table) {
  test(title, () => assert.deepEqual(codesOf(options, password), codes))
}

test('a failure names the number its message needs', () => {
  const rules = { ...passwordDefaults, requiredLength: 9, requiredUniqueChars: 4, maxLength: 20 }
  assert.deepEqual(checkPassword(rules, 'aA0!!'), [{ code: 'PasswordTooShort', args: [9] }])
  assert.deepEqual(checkPassword({ ...rules, requiredLength: 0 }, 'aA00'), [
    { code: 'PasswordRequiresNonAlphanumeric' },
    { code: 'PasswordRequiresUniqueChars', args: [4] },
  ])
  assert.deepEqual(checkPassword(rules, 'a'.repeat(21)), [{ code: 'PasswordTooLong', args: [20] }])
})

test('the defaults are those of the reference, with an upper bound', () => {
  assert.deepEqual(passwordDefaults, {
    requiredLength: 6,
    countCodePoints: false,
    requiredUniqueChars: 1,
    requireDigit: true,
    requireLowercase: true,
    requireUppercase: true,
    requireNonAlphanumeric: true,
    maxLength: 512,
  })
  assert.ok(Object.isFrozen(passwordDefaults))
})
