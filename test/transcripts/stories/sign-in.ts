// Signing in: cookies, lockout, second factors, and hosts that ask for a confirmed address.
import { bearer, codeOf, newestMail, password, register, signIn, type Story } from './story.js'
import type { Heard } from '../talk.js'

const pairs = (heard: Heard) =>
  heard.cookies.map((line) => line.slice(0, line.indexOf(';'))).filter((pair) => !pair.endsWith('='))

export const cookies: Story = {
  name: 'cookies',
  async play(talk) {
    const json = await register(talk, 'cookie@example.com')
    const path = '/account/manage/info'
    const login = await talk.ask('a cookie that lasts', { path: '/account/login?useCookies=true', json })
    const [cookie] = pairs(login)
    const session = pairs(
      await talk.ask('a cookie of the browser session', { path: '/account/login?useSessionCookies=true', json }),
    )[0]
    for (const [label, value] of [
      ['the cookie', cookie],
      ['the session cookie', session],
    ] as const)
      await talk.ask(`info with ${label}`, { path, headers: { cookie: value! } })
    await talk.ask('among other cookies', { path, headers: { cookie: `a=b; ${cookie}; c=d` } })
    await talk.ask('a cookie cut short', { path, headers: { cookie: cookie!.slice(0, -5) } })
    await talk.ask('an empty cookie', { path, headers: { cookie: `${cookie!.split('=')[0]}=` } })
    await talk.ask('a wrong bearer token beside a good cookie', { path, headers: { cookie: cookie!, ...bearer('x') } })
    await talk.ask('another scheme beside a good cookie', {
      path,
      headers: { cookie: cookie!, authorization: 'Basic x' },
    })
    await talk.ask('bearer login with a cookie', { path: '/account/login', json, headers: { cookie: cookie! } })
    await talk.ask('change nothing with a cookie', { path, json: {}, headers: { cookie: cookie! } })
    await talk.stage.advance(6 * 86_400)
    await talk.ask('the cookie after six days', { path, headers: { cookie: cookie! } })
    await talk.stage.advance(9 * 86_400)
    await talk.ask('the cookie after its end', { path, headers: { cookie: cookie! } })
  },
}

export const lockout: Story = {
  name: 'lockout',
  async play(talk) {
    const right = await register(talk, 'locked@example.com')
    const login = (label: string, json: object) => talk.ask(label, { path: '/account/login', json })
    const { accessToken, refreshToken } = await signIn(talk, right.email)
    for (let number = 1; number <= 4; number++) await login(`wrong password ${number}`, { ...right, password: 'x' })
    await login('the right one forgets them', right)
    for (let number = 1; number <= 5; number++) await login(`wrong again ${number}`, { ...right, password: 'x' })
    await login('the right one while locked', right)
    await login('a wrong one while locked', { ...right, password: 'x' })
    await talk.ask('a token while locked', { path: '/account/manage/info', headers: bearer(accessToken) })
    await talk.ask('the right old password while locked', {
      path: '/account/manage/info',
      json: { newPassword: 'x', oldPassword: password },
      headers: bearer(accessToken),
    })
    await talk.ask('refresh while locked', { path: '/account/refresh', json: { refreshToken } })
    for (const json of [
      { email: 'nobody@example.com', password: 'x' },
      { email: '', password: '' },
      { email: right.email, password: '' },
      { email: 'LOCKED@EXAMPLE.COM', password },
    ])
      await login(`login of ${JSON.stringify(json)}`, json)
  },
}

export const secondFactor: Story = {
  name: 'second factor',
  async play(talk) {
    const person = await register(talk, 'factor@example.com')
    const { accessToken, refreshToken } = await signIn(talk, person.email)
    const post = (label: string, json: object, headers: Record<string, string> = bearer(accessToken)) =>
      talk.ask(label, { path: '/account/manage/2fa', json, headers })
    const login = (label: string, json: object, query = '', headers = {}) =>
      talk.ask(label, { path: `/account/login${query}`, json: { ...person, ...json }, headers })
    await post('nobody', {}, {})
    const { sharedKey } = (await post('the first request makes a key', {})).json() as { sharedKey: string }
    await post('the key stays', {})
    await talk.ask('refresh of before the key', { path: '/account/refresh', json: { refreshToken } })
    const refused = [
      { enable: true },
      { enable: true, twoFactorCode: '' },
      { enable: true, twoFactorCode: '000000' },
      { enable: true, twoFactorCode: 'x' },
      { enable: true, resetSharedKey: true },
      { enable: 'true' },
      { enable: 1 },
      { resetSharedKey: null },
      { enable: null },
      { forgetMachine: 'x' },
      { twoFactorCode: 123456 },
    ]
    for (const [index, json] of refused.entries()) await post(`request ${index + 1}`, json)
    await post('switch on', { enable: true, twoFactorCode: await codeOf(talk, sharedKey) })
    await post('switched on', {})
    const { recoveryCodes } = (await post('new recovery codes', { resetRecoveryCodes: true })).json() as {
      recoveryCodes: string[]
    }
    await login('without a code', {})
    await login('an empty code', { twoFactorCode: '' })
    await login('a wrong code', { twoFactorCode: '000000' })
    await login('a wrong recovery code', { twoFactorRecoveryCode: 'AAAAA-AAAAA' })
    await login('a recovery code', { twoFactorRecoveryCode: recoveryCodes[0] })
    await login('the same recovery code', { twoFactorRecoveryCode: recoveryCodes[0] })
    await post('codes left', {})
    await login('a wrong password and a recovery code', { password: 'x', twoFactorRecoveryCode: recoveryCodes[2] })
    const code = await codeOf(talk, sharedKey, 1)
    await login('a code', { twoFactorCode: code })
    await login('the same code again', { twoFactorCode: code })
    await talk.stage.advance(60)
    const kept = await login(
      'a recovery code with a cookie that lasts',
      { twoFactorRecoveryCode: recoveryCodes[3] },
      '?useCookies=true',
    )
    await post('asked with the cookie', {}, { cookie: pairs(kept).join('; ') })
    await post('forget the machine', { forgetMachine: true })
    await post('switch off', { enable: false })
    await login('without a code afterwards', {})
    await post('a new key', { resetSharedKey: true })
    await post('switch off and a new key', { enable: false, resetSharedKey: true })
  },
}

/** Where we forgive what the reference does not. */
export const forgiving: Story = {
  name: 'codes as people type them',
  async play(talk) {
    const person = await register(talk, 'typing@example.com')
    const { accessToken } = await signIn(talk, person.email)
    const post = (json: object) => talk.quietly({ path: '/account/manage/2fa', json, headers: bearer(accessToken) })
    const { sharedKey } = (await post({})).json() as { sharedKey: string }
    const { recoveryCodes } = (await post({ enable: true, twoFactorCode: await codeOf(talk, sharedKey) })).json() as {
      recoveryCodes: string[]
    }
    const login = async (label: string, json: object) => {
      for (const value of Object.values(json)) talk.name('typed', String(value))
      await talk.ask(label, { path: '/account/login', json: { ...person, ...json } })
    }
    const [first = '', second = '', third = ''] = recoveryCodes
    await login('a recovery code in small letters', { twoFactorRecoveryCode: first.toLowerCase() })
    await login('a recovery code without its hyphen', { twoFactorRecoveryCode: second.replace('-', '') })
    await login('a recovery code with blanks', { twoFactorRecoveryCode: ` ${third.replace('-', ' ')} ` })
    const code = await codeOf(talk, sharedKey, 1)
    await login('a code with a blank', { twoFactorCode: `${code.slice(0, 3)} ${code.slice(3)}` })
    await talk.ask('an address with blanks around it', {
      path: '/account/login',
      json: { ...person, email: ` ${person.email} ` },
    })
  },
}

export const remembering: Story = {
  name: 'remembered machine',
  async play(talk) {
    const person = await register(talk, 'machine@example.com')
    const { accessToken } = await signIn(talk, person.email)
    const { sharedKey } = (
      await talk.quietly({ path: '/account/manage/2fa', json: {}, headers: bearer(accessToken) })
    ).json() as { sharedKey: string }
    talk.name('key', sharedKey)
    await talk.quietly({
      path: '/account/manage/2fa',
      json: { enable: true, twoFactorCode: await codeOf(talk, sharedKey) },
      headers: bearer(accessToken),
    })
    const login = (label: string, query: string, more: object, headers = {}) =>
      talk.ask(label, { path: `/account/login${query}`, json: { ...person, ...more }, headers })
    const heard = await login('a code and a cookie that lasts', '?useCookies=true', {
      twoFactorCode: await codeOf(talk, sharedKey, 1),
    })
    const cookie = pairs(heard)
      .sort((a, b) => Number(/machine|Remember/.test(a)) - Number(/machine|Remember/.test(b)))
      .join('; ')
    await login('no code on a remembered machine', '', {}, { cookie })
    await login('no code elsewhere', '', {})
    await login('a wrong password on a remembered machine', '', { password: 'x' }, { cookie })
    const post = (label: string, json: object) =>
      talk.ask(label, { path: '/account/manage/2fa', json, headers: { cookie } })
    await post('the machine is remembered', {})
    await post('forget the machine', { forgetMachine: true })
  },
}

export const unconfirmed: Story = {
  name: 'a host that asks for a confirmed address',
  requireConfirmedEmail: true,
  async play(talk) {
    const json = { email: 'waiting@example.com', password }
    await talk.ask('register', { path: '/account/register', json })
    await talk.ask('login before', { path: '/account/login', json })
    await talk.ask('login with a wrong password before', { path: '/account/login', json: { ...json, password: 'x' } })
    await talk.ask('login with a cookie before', { path: '/account/login?useCookies=true', json })
    await talk.ask('forgot before', { path: '/account/forgotPassword', json: { email: json.email } })
    await talk.ask('confirm', { path: (await newestMail(talk, json.email)).path })
    await talk.ask('login afterwards', { path: '/account/login', json })
  },
}
