// Fifty at once, over two instances on one database: what may happen once happens once, and guesses stop at their
// limit.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Answer, goodPassword, type Person, type Tokens } from '../support/app.js'
import { type Authenticator, authenticatorOf, wrongCode } from '../support/authenticator.js'
import { type Letter, type MailApp, parameterOf, startMailApp } from '../support/mailbox.js'

let one: MailApp
let two: MailApp

before(async () => {
  one = await startMailApp()
  two = await startMailApp({ identity: { schema: one.schema, clock: one.clock } })
})

after(async () => {
  await one.close()
  await two.close()
})

const parallel = 50

/** `count` requests at once, every other one to the other instance. */
async function race(count: number, request: (app: MailApp, index: number) => Promise<Answer>): Promise<Answer[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => request(index % 2 === 0 ? one : two, index)))
}

/** How often each outcome came: `200`, `401 Failed`, `400 InvalidToken` … */
function tally(answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const answer of answers) {
    const { detail, errors } = answer.body.startsWith('{')
      ? (answer.json() as { detail?: string; errors?: object })
      : {}
    const outcome = [answer.status, detail ?? Object.keys(errors ?? {}).join('+')].join(' ').trim()
    counts[outcome] = (counts[outcome] ?? 0) + 1
  }
  return counts
}

// Either instance delivers; both mailboxes are one.
async function lettersTo(address: string, wanted: Letter['kind'] = 'confirmationLink'): Promise<Letter[]> {
  await Promise.all([one.app.identity.mail.flush(), two.app.identity.mail.flush()])
  return [...one.mailbox.letters, ...two.mailbox.letters].filter(({ to, kind }) => to === address && kind === wanted)
}

async function resetCodeOf({ email }: Person): Promise<string> {
  await one.call('POST', '/account/forgotPassword', { json: { email } })
  const [letter] = await lettersTo(email, 'passwordResetCode')
  return letter!.content
}

async function confirmed(): Promise<Person> {
  const person = await one.register()
  const [letter] = await lettersTo(person.email)
  assert.equal((await two.call('GET', letter!.path)).status, 200)
  return person
}

async function countedFailures(): Promise<number> {
  const [row] = await one.sql('select coalesce(sum(total_failures), 0)::integer as failures from attempts')
  return row!.failures as number
}

interface Secured extends Person, Tokens {
  readonly phone: Authenticator
  readonly recoveryCodes: readonly string[]
}

async function secured(): Promise<Secured> {
  const signedIn = await one.signIn()
  const ask = async (json: unknown) =>
    (await one.call('POST', '/account/manage/2fa', { token: signedIn.accessToken, json })).json()
  const { sharedKey } = (await ask({})) as { sharedKey: string }
  const phone = authenticatorOf(sharedKey, one.clock)
  const { recoveryCodes } = (await ask({ enable: true, twoFactorCode: phone.code() })) as { recoveryCodes: string[] }
  // That code is used up.
  one.clock.advance(60)
  return { ...signedIn, phone, recoveryCodes }
}

const login = (app: MailApp, { email, password }: Person, more: Record<string, string> = {}) =>
  app.call('POST', '/account/login', { json: { email, password, ...more } })

test('of fifty registrations of one name, spelled in many letter cases, one wins, and one mail goes out', async () => {
  const email = 'race@example.com'
  const spelled = (index: number) =>
    Array.from(email, (letter, at) => ((index >> (at % 6)) & 1 ? letter.toUpperCase() : letter)).join('')
  const answers = await race(parallel, (app, index) =>
    app.call('POST', '/account/register', { json: { email: spelled(index), password: goodPassword } }),
  )
  assert.deepEqual(tally(answers), { 200: 1, '400 DuplicateUserName': parallel - 1 })
  const rows = await one.sql('select email from users where normalized_user_name = $1', ['RACE@EXAMPLE.COM'])
  assert.equal(rows.length, 1)
  assert.equal((await lettersTo(rows[0]!.email as string)).length, 1)
  await Promise.all([one.app.identity.mail.flush(), two.app.identity.mail.flush()])
  assert.equal(
    [...one.mailbox.letters, ...two.mailbox.letters].filter(({ to }) => to.toLowerCase() === email).length,
    1,
  )
})

test('of fifty logins with one recovery code one wins', async () => {
  const person = await secured()
  const answers = await race(parallel, (app) => login(app, person, { twoFactorRecoveryCode: person.recoveryCodes[0]! }))
  const { 200: won, ...rest } = tally(answers)
  assert.equal(won, 1)
  // The others were wrong, and wrong ones are counted: the name locks after five.
  assert.deepEqual(
    Object.keys(rest).filter((outcome) => !['401 Failed', '401 LockedOut'].includes(outcome)),
    [],
  )
  assert.deepEqual(
    await one.sql(
      'select count(*)::integer from recovery_codes where user_id = (select id from users where email = $1)',
      [person.email],
    ),
    [{ count: 9 }],
  )
})

test('of five logins with five recovery codes all win', async () => {
  const person = await secured()
  const answers = await race(5, (app, index) =>
    login(app, person, { twoFactorRecoveryCode: person.recoveryCodes[index]! }),
  )
  assert.deepEqual(tally(answers), { 200: 5 })
})

test('of fifty logins with one code of the authenticator app one wins', async () => {
  const person = await secured()
  const answers = await race(parallel, (app) => login(app, person, { twoFactorCode: person.phone.code() }))
  const { 200: won, ...rest } = tally(answers)
  assert.equal(won, 1)
  assert.deepEqual(
    Object.keys(rest).filter((outcome) => !['401 Failed', '401 LockedOut'].includes(outcome)),
    [],
  )
})

test('the codes of three steps at once: each wins at most once, and none after a later one', async () => {
  const person = await secured()
  const codes = [person.phone.code(-1), person.phone.code(0), person.phone.code(1)]
  const answers = await race(3, (app, index) => login(app, person, { twoFactorCode: codes[index]! }))
  assert.ok(answers[2]!.status === 200, 'the latest step wins whichever request was first')
  // All are used up, or overtaken.
  for (const twoFactorCode of codes) assert.notEqual((await login(one, person, { twoFactorCode })).status, 200)
})

test('fifty wrong codes of the authenticator app: five are looked at, the rest finds a lock, and so does the right one', async () => {
  const person = await secured()
  const wrong = wrongCode(person.phone)
  const before = await countedFailures()
  const answers = await race(parallel, (app) => login(app, person, { twoFactorCode: wrong }))
  assert.deepEqual(tally(answers), { '401 Failed': 4, '401 LockedOut': parallel - 4 })
  assert.equal((await countedFailures()) - before, 5)
  assert.deepEqual(tally([await login(two, person, { twoFactorCode: person.phone.code() })]), { '401 LockedOut': 1 })
})

test('fifty wrong recovery codes: five are looked at, the rest finds a lock', async () => {
  const person = await secured()
  const answers = await race(parallel, (app, index) =>
    login(app, person, { twoFactorRecoveryCode: `BBBBB-BBB${String(index).padStart(2, '2')}` }),
  )
  assert.deepEqual(tally(answers), { '401 Failed': 4, '401 LockedOut': parallel - 4 })
})

test('passwords, codes and recovery codes are counted together', async () => {
  const person = await secured()
  const wrong = wrongCode(person.phone)
  const answers = await race(parallel, (app, index) =>
    [
      () => login(app, { ...person, password: 'Wrong-Horse-7' }),
      () => login(app, person, { twoFactorCode: wrong }),
      () => login(app, person, { twoFactorRecoveryCode: 'BBBBB-BBBBB' }),
    ][index % 3]!(),
  )
  assert.deepEqual(tally(answers), { '401 Failed': 4, '401 LockedOut': parallel - 4 })
})

test('of fifty resets with one code one wins, and its password is the one that counts', async () => {
  const person = await confirmed()
  const resetCode = await resetCodeOf(person)
  const passwordOf = (index: number) => `Reset-Horse-${index}`
  const answers = await race(parallel, (app, index) =>
    app.call('POST', '/account/resetPassword', {
      json: { email: person.email, resetCode, newPassword: passwordOf(index) },
    }),
  )
  assert.deepEqual(tally(answers), { 200: 1, '400 InvalidToken': parallel - 1 })
  const winner = answers.findIndex(({ status }) => status === 200)
  assert.equal((await login(one, { ...person, password: passwordOf(winner) })).status, 200)
})

test('of fifty openings of a link that changes the address one changes it, and all are thanked', async () => {
  const person = await confirmed()
  const changed: unknown[] = []
  for (const { app } of [one, two]) app.identity.events.on('emailChanged', (event) => changed.push(event))
  const { accessToken } = await one.signIn(person)
  await one.call('POST', '/account/manage/info', { token: accessToken, json: { newEmail: 'race.new@example.com' } })
  const [letter] = await lettersTo('race.new@example.com')
  const answers = await race(parallel, (app) => app.call('GET', letter!.path))
  assert.deepEqual(tally(answers), { 200: parallel })
  assert.equal(changed.length, 1)
  assert.equal((await login(one, { ...person, email: 'race.new@example.com' })).status, 200)
})

test('of fifty openings of a confirmation all are thanked', async () => {
  const person = await one.register()
  const [letter] = await lettersTo(person.email)
  assert.deepEqual(tally(await race(parallel, (app) => app.call('GET', letter!.path))), { 200: parallel })
})

test('two changes of address asked for at once: each link sets only its own address', async () => {
  for (let round = 0; round < 10; round++) {
    const person = await confirmed()
    const { accessToken } = await one.signIn(person)
    const [mine, theirs] = [`mine${round}@example.com`, `theirs${round}@example.com`]
    await race(2, (app, index) =>
      app.call('POST', '/account/manage/info', { token: accessToken, json: { newEmail: index === 0 ? mine : theirs } }),
    )
    const [[first], [second]] = [await lettersTo(mine), await lettersTo(theirs)]
    // The mailbox of one never confirms the address of the other.
    const crossed = first!.path.replace(encodeURIComponent(mine), encodeURIComponent(theirs))
    assert.notEqual(crossed, first!.path)
    assert.equal((await one.call('GET', crossed)).status, 401)
    const answers = await race(2, (app, index) => app.call('GET', (index === 0 ? first! : second!).path))
    assert.deepEqual(tally(answers), { 200: 1, 401: 1 })
    const [user] = await one.sql('select user_name, email, email_confirmed from users where id = $1', [
      parameterOf(first!, 'userId'),
    ])
    const won = answers[0]!.status === 200 ? mine : theirs
    assert.deepEqual(user, { user_name: won, email: won, email_confirmed: true })
  }
})

test('fifty links to one address, each of another person: one gets it', async () => {
  const letters: Letter[] = []
  for (let index = 0; index < 10; index++) {
    const { accessToken } = await one.signIn(await one.register())
    await one.call('POST', '/account/manage/info', { token: accessToken, json: { newEmail: 'wanted@example.com' } })
  }
  letters.push(...(await lettersTo('wanted@example.com')))
  assert.equal(letters.length, 10)
  const answers = await race(parallel, (app, index) => app.call('GET', letters[index % 10]!.path))
  // Each link is opened five times, and the winner's is thanked for each.
  assert.deepEqual(tally(answers), { 200: parallel / 10, 401: parallel - parallel / 10 })
  assert.deepEqual(await one.sql("select count(*)::integer from users where normalized_email = 'WANTED@EXAMPLE.COM'"), [
    { count: 1 },
  ])
})

test('of fifty changes of the password with the old one, one wins', async () => {
  const person = await one.register()
  const { accessToken } = await one.signIn(person)
  const answers = await race(parallel, (app, index) =>
    app.call('POST', '/account/manage/info', {
      token: accessToken,
      json: { oldPassword: person.password, newPassword: `Change-Horse-${index}` },
    }),
  )
  const winners = answers.flatMap(({ status }, index) => (status === 200 ? [index] : []))
  assert.equal(winners.length, 1)
  assert.equal((await login(two, { ...person, password: `Change-Horse-${winners[0]!}` })).status, 200)
})

test('fifty wrong old passwords: five are looked at, then the session proves nothing more, and its owner still signs in', async () => {
  const person = await one.register()
  const { accessToken } = await one.signIn(person)
  const before = await countedFailures()
  const answers = await race(parallel, (app) =>
    app.call('POST', '/account/manage/info', {
      token: accessToken,
      json: { oldPassword: 'Wrong-Horse-7', newPassword: 'Change-Horse-1' },
    }),
  )
  assert.deepEqual(tally(answers), { '400 PasswordMismatch': parallel })
  assert.equal((await countedFailures()) - before, 5)
  const right = { oldPassword: person.password, newPassword: 'Change-Horse-1' }
  const refused = await one.call('POST', '/account/manage/info', { token: accessToken, json: right })
  assert.deepEqual(tally([refused]), { '400 PasswordMismatch': 1 })
  assert.deepEqual(tally([await login(one, person)]), { '200': 1 })
})

test('a right old password is not called wrong because others are being looked at', async () => {
  const person = await one.register()
  const { accessToken } = await one.signIn(person)
  const answers = await race(parallel, (app, index) =>
    index % 10 === 9
      ? app.call('POST', '/account/manage/info', {
          token: accessToken,
          json: { oldPassword: person.password, newPassword: 'short' },
        })
      : login(app, person),
  )
  assert.deepEqual(tally(answers), {
    200: parallel - 5,
    '400 PasswordTooShort+PasswordRequiresNonAlphanumeric+PasswordRequiresDigit+PasswordRequiresUpper': 5,
  })
})

test('new recovery codes asked for by fifty at once leave ten, all of one answer', async () => {
  const person = await secured()
  const answers = await race(parallel, (app) =>
    app.call('POST', '/account/manage/2fa', { token: person.accessToken, json: { resetRecoveryCodes: true } }),
  )
  assert.deepEqual(tally(answers), { 200: parallel })
  assert.deepEqual(
    await one.sql(
      'select count(*)::integer from recovery_codes where user_id = (select id from users where email = $1)',
      [person.email],
    ),
    [{ count: 10 }],
  )
})

test('a key that is reset by fifty requests at once is the one of the last answer', async () => {
  const person = await secured()
  const answers = await race(parallel, (app) =>
    app.call('POST', '/account/manage/2fa', { token: person.accessToken, json: { resetSharedKey: true } }),
  )
  const { 200: won = 0, '400 ConcurrencyFailure': lost = 0, ...rest } = tally(answers)
  assert.deepEqual(rest, {})
  assert.ok(won >= 1)
  assert.equal(won + lost, parallel)
  const { sharedKey } = (
    await one.call('POST', '/account/manage/2fa', { token: person.accessToken, json: {} })
  ).json() as { sharedKey: string }
  assert.ok(
    answers.some((answer) => answer.status === 200 && (answer.json() as { sharedKey: string }).sharedKey === sharedKey),
  )
})
