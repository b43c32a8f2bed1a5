// What happens to accounts: registering, confirming, changing, resetting, and refreshing what one is signed in with.
import { bearer, newestMail, password, register, signIn, type Story, type Tokens } from './story.js'

export const registering: Story = {
  name: 'register',
  async play(talk) {
    const addresses = [
      'ann@example.com',
      'ANN@example.com',
      'ann@EXAMPLE.com',
      'ann',
      '',
      ' ',
      '@example.com',
      'ann@',
      'a@b@c',
      'a@b',
      'ann@example',
      'ann+tag@example.com',
      'a.n.n@example.com',
      "o'brien@example.com",
      'a b@example.com',
      'ann!@example.com',
      'ann"x"@example.com',
      'münchen@example.com',
      'x@münchen.de',
      'x@-y.com',
      'x@y..com',
      'someone@.com',
      'x@y.com.',
      ' padded@example.com ',
      'line@example.com\n',
      `${'a'.repeat(64)}@example.com`,
      `${'a'.repeat(65)}@example.com`,
      '-@example.com',
      '<x@example.com>',
      'x@[127.0.0.1]',
    ]
    for (const email of addresses)
      await talk.ask(`the address ${JSON.stringify(email)}`, { path: '/account/register', json: { email, password } })
    const passwords = [
      '',
      'x',
      '12345',
      '123456',
      'abcdef',
      'ABCDEF',
      'Abcdef',
      'Abcde1',
      'Abcd1!',
      'aaaaa!',
      'AAAAA1!',
      '      ',
      'Pass word1',
      'Ümlaut1!',
      'ÜÜÜÜÜÜ',
      'Abc1!\u0000',
      '🙂🙂🙂Aa1',
      `Aa1!${'x'.repeat(100)}`,
      `Aa1!${'x'.repeat(600)}`,
    ]
    for (const [index, given] of passwords.entries())
      await talk.ask(`password ${index + 1}`, {
        path: '/account/register',
        json: { email: `password${index}@example.com`, password: given },
      })
    await talk.ask('a taken address with a weak password', {
      path: '/account/register',
      json: { email: 'ann@example.com', password: 'x' },
    })
    await talk.ask('an unknown member', {
      path: '/account/register',
      json: { email: 'more@example.com', password, role: 'admin' },
    })
  },
}

export const confirming: Story = {
  name: 'confirm an address',
  async play(talk) {
    const seen = (await talk.stage.letters()).length
    await talk.ask('register', { path: '/account/register', json: { email: 'confirm@example.com', password } })
    await talk.letters('its mail', seen)
    const { accessToken } = await signIn(talk, 'confirm@example.com')
    const info = (label: string) => talk.ask(label, { path: '/account/manage/info', headers: bearer(accessToken) })
    await info('info before')
    const { path, code } = await newestMail(talk, 'confirm@example.com')
    const userId = new URL(path, 'http://a').searchParams.get('userId')!
    const forms = [
      '',
      '?',
      '?code=',
      '?userId=',
      `?userId=${userId}`,
      `?code=${code}`,
      `?userId=${userId}&code=`,
      `?userId=&code=${code}`,
      `?userId=x&code=${code}`,
      `?userId=${userId}&code=x`,
      `?userId=${userId}&code=!`,
      `?userId=${userId}&code=${code}x`,
      `?userId=${userId}&code=${code.slice(0, -4)}`,
      `?userId=${userId}&code=${code}&changedEmail=other@example.com`,
      `?userId=${userId}&userId=${userId}&code=${code}`,
      `?userId=${userId}&code=${code}&code=${code}`,
    ]
    for (const [index, query] of forms.entries())
      await talk.ask(`form ${index + 1}`, { path: `/account/confirmEmail${query}` })
    await info('info after refusals')
    await talk.ask('the link', { path })
    await talk.ask('the link again', { path })
    await talk.ask('the link with names in capitals', { path: `/account/CONFIRMEMAIL?USERID=${userId}&CODE=${code}` })
    await talk.ask('the link with an empty changedEmail', { path: `${path}&changedEmail=` })
    await talk.ask('the link with blanks in its code', {
      path: `/account/confirmEmail?userId=${userId}&code=${code.slice(0, 45)}%20${code.slice(45)}`,
    })
    await talk.ask('the link with a line break after its code', { path: `${path}%0D%0A` })
    await info('info afterwards')
    const before = (await talk.stage.letters()).length
    for (const email of ['confirm@example.com', 'CONFIRM@example.com', 'nobody@example.com', 'x', ''])
      await talk.ask(`resend to ${JSON.stringify(email)}`, {
        path: '/account/resendConfirmationEmail',
        json: { email },
      })
    await talk.letters('the mails of resending', before)
  },
}

export const changing: Story = {
  name: 'change address and password',
  async play(talk) {
    const post = (label: string, token: string, json: object) =>
      talk.ask(label, { path: '/account/manage/info', json, headers: bearer(token) })
    await register(talk, 'change@example.com')
    const { accessToken, refreshToken } = await signIn(talk, 'change@example.com')
    const requests = [
      {},
      { newEmail: null },
      { newEmail: '' },
      { newEmail: 'x' },
      { newEmail: 'a@b@c' },
      { newEmail: 'change@example.com' },
      { newPassword: '' },
      { newPassword: 'x' },
      { newPassword: 'x', oldPassword: '' },
      { newPassword: 'x', oldPassword: null },
      { oldPassword: password },
      { newPassword: 'x', oldPassword: 'wrong' },
      { newPassword: 'x', oldPassword: password },
      { newPassword: 'New-Pa$$w0rd', oldPassword: 'wrong' },
      { newEmail: 1 },
      { newPassword: true },
    ]
    for (const [index, json] of requests.entries()) await post(`request ${index + 1}`, accessToken, json)
    const seen = (await talk.stage.letters()).length
    await post('ask for a new address', accessToken, { newEmail: 'changed@example.com' })
    await talk.letters('the mail to the new address', seen)
    const { path } = await newestMail(talk, 'changed@example.com')
    await talk.ask('another address in the link', { path: path.replace('=changed', '=stranger') })
    await talk.ask('follow the link', { path })
    await talk.ask('follow the link again', { path })
    await talk.ask('info after the change', { path: '/account/manage/info', headers: bearer(accessToken) })
    await talk.ask('login with the old address', {
      path: '/account/login',
      json: { email: 'change@example.com', password },
    })
    await talk.ask('login with the new address', {
      path: '/account/login',
      json: { email: 'changed@example.com', password },
    })
    await talk.ask('refresh after the change', { path: '/account/refresh', json: { refreshToken } })
    const again = await signIn(talk, 'changed@example.com')
    await post('change the password', again.accessToken, { newPassword: 'New-Pa$$w0rd', oldPassword: password })
    await talk.ask('info with the token of before', {
      path: '/account/manage/info',
      headers: bearer(again.accessToken),
    })
    await talk.ask('refresh after the password', {
      path: '/account/refresh',
      json: { refreshToken: again.refreshToken },
    })
    await talk.ask('login with the old password', {
      path: '/account/login',
      json: { email: 'changed@example.com', password },
    })
    await talk.ask('login with the new password', {
      path: '/account/login',
      json: { email: 'changed@example.com', password: 'New-Pa$$w0rd' },
    })
  },
}

export const resetting: Story = {
  name: 'reset a password',
  async play(talk) {
    const { email } = await register(talk, 'reset@example.com')
    const forgot = (label: string, address: string) =>
      talk.ask(label, { path: '/account/forgotPassword', json: { email: address } })
    const reset = (label: string, json: object) => talk.ask(label, { path: '/account/resetPassword', json })
    const seen = (await talk.stage.letters()).length
    await forgot('forgot, unconfirmed', email)
    await forgot('forgot, unknown', 'unknown@example.com')
    await forgot('forgot, no address', 'x')
    await talk.letters('no mails', seen)
    await talk.quietly({ path: (await newestMail(talk, email)).path })
    const before = (await talk.stage.letters()).length
    await forgot('forgot, confirmed', email)
    await talk.letters('the mail', before)
    const { code: resetCode } = await newestMail(talk, email)
    const { refreshToken } = await signIn(talk, email)
    const newPassword = 'Reset-Pa$$w0rd-2'
    await reset('unknown user', { email: 'unknown@example.com', resetCode, newPassword })
    for (const [index, wrong] of [
      '',
      'x',
      '!!!',
      `${resetCode}x`,
      resetCode.slice(0, -4),
      resetCode.toLowerCase(),
    ].entries())
      await reset(`wrong code ${index + 1}`, { email, resetCode: wrong, newPassword })
    await reset('wrong code and weak password', { email, resetCode: 'x', newPassword: '' })
    await reset('weak password', { email, resetCode, newPassword: 'x' })
    await reset('empty password', { email, resetCode, newPassword: '' })
    await reset('a code with blanks', {
      email: email.toUpperCase(),
      resetCode: ` ${resetCode.slice(0, 45)}\r\n${resetCode.slice(45)} `,
      newPassword: 'short',
    })
    await reset('right', { email, resetCode, newPassword })
    await reset('the same code again', { email, resetCode, newPassword: 'Another-Pa$$w0rd-3' })
    await talk.ask('login with the old password', { path: '/account/login', json: { email, password } })
    await talk.ask('login with the new password', { path: '/account/login', json: { email, password: newPassword } })
    await talk.ask('refresh of before', { path: '/account/refresh', json: { refreshToken } })
  },
}

export const refreshing: Story = {
  name: 'refresh',
  async play(talk) {
    await register(talk, 'refresh@example.com')
    const first = await signIn(talk, 'refresh@example.com')
    const refresh = (label: string, refreshToken: unknown) =>
      talk.ask(label, { path: '/account/refresh', json: { refreshToken } })
    const second = (await refresh('a refresh token', first.refreshToken)).json() as Tokens
    await talk.ask('info with the new token', { path: '/account/manage/info', headers: bearer(second.accessToken) })
    await talk.ask('info with the old token', { path: '/account/manage/info', headers: bearer(first.accessToken) })
    const wrong = [
      '',
      ' ',
      'x',
      second.accessToken,
      `${second.refreshToken}x`,
      second.refreshToken.slice(0, -4),
      second.refreshToken.toLowerCase(),
      1,
      true,
      {},
      [],
    ]
    for (const [index, token] of wrong.entries()) await refresh(`wrong token ${index + 1}`, token)
    await refresh('blanks around it', ` ${second.refreshToken}\t`)
    await talk.ask('a member in capitals', {
      path: '/account/refresh',
      json: { REFRESHTOKEN: (await signIn(talk, 'refresh@example.com')).refreshToken },
    })
    const third = await signIn(talk, 'refresh@example.com')
    await talk.stage.advance(3599)
    await talk.ask('an access token a second before its end', {
      path: '/account/manage/info',
      headers: bearer(third.accessToken),
    })
    await talk.stage.advance(2)
    await talk.ask('an access token after its end', {
      path: '/account/manage/info',
      headers: bearer(third.accessToken),
    })
    const renewed = (await refresh('a refresh token after an hour', third.refreshToken)).json() as Tokens
    await talk.stage.advance(14 * 86_400 - 10)
    await talk.ask('a refresh token shortly before its end', {
      path: '/account/refresh',
      json: { refreshToken: renewed.refreshToken },
    })
    const last = await signIn(talk, 'refresh@example.com')
    await talk.stage.advance(14 * 86_400 + 1)
    await refresh('a refresh token after its end', last.refreshToken)
  },
}

export const moving: Story = {
  name: 'move to another address',
  async play(talk) {
    await register(talk, 'mover@example.com')
    await register(talk, 'settled@example.com')
    const { accessToken } = await signIn(talk, 'mover@example.com')
    const move = async (newEmail: string) => {
      const seen = (await talk.stage.letters()).length
      const json = { newEmail }
      await talk.ask(`ask for ${newEmail}`, { path: '/account/manage/info', json, headers: bearer(accessToken) })
      await talk.letters(`the mails after asking for ${newEmail}`, seen)
    }
    await move('typo@example.com')
    await move('right@example.com')
    const first = await newestMail(talk, 'typo@example.com')
    const last = await newestMail(talk, 'right@example.com')
    const info = (label: string) => talk.ask(label, { path: '/account/manage/info', headers: bearer(accessToken) })
    await talk.ask('the first link', { path: first.path })
    await info('info after the first link')
    await talk.ask('the last link', { path: last.path })
    await talk.ask('the last link again', { path: last.path })
    await talk.ask('the first link again', { path: first.path })
    await info('info after the last link')
    await move('nina#9@example.com')
    await move('settled@example.com')
  },
}
