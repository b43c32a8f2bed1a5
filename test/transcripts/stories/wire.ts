// The wire itself: methods, spellings, content types, charsets, bodies, query flags and forms of the Authorization header.
import { bearer, password, register, signIn, type Story } from './story.js'

const posts = [
  'register',
  'login',
  'refresh',
  'resendConfirmationEmail',
  'forgotPassword',
  'resetPassword',
  'manage/2fa',
]

export const methods: Story = {
  name: 'methods',
  async play(talk) {
    for (const path of [...posts, 'confirmEmail', 'manage/info']) {
      for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE'])
        await talk.ask(`${method} ${path}`, { method, path: `/account/${path}` })
    }
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT'])
      await talk.ask(`${method} of an unknown path`, { method, path: '/account/nothing' })
  },
}

export const spellings: Story = {
  name: 'spellings',
  async play(talk) {
    const json = await register(talk, 'spelled@example.com')
    for (const path of [
      '/account/login',
      '/account/Login',
      '/account/LOGIN/',
      '/Account/login',
      '/ACCOUNT/LOGIN',
      '/account/log%69n',
      '/account/%4cogin',
      '/account//login',
      '/account/login//',
      '/account/login/x',
      '/account/login;x',
      '/account/login%2f',
      '/account/login%00',
      '/login',
      '/Login',
      '/login/',
      '/LOGIN',
      '//login',
    ])
      await talk.ask(`POST ${path}`, { path, json })
    for (const path of [
      '/account/manage/info',
      '/account/Manage/Info/',
      '/manage/info/',
      '/MANAGE/INFO',
      '/account/manage%2finfo',
      '/account/manage',
      '/account/manage/',
      '/account/',
      '/account/confirmemail',
      '/confirmEmail/',
    ])
      await talk.ask(`GET ${path}`, { path })
    for (const path of ['/Login/', '/account/Login', '/account/manage/INFO/'])
      await talk.ask(`PUT ${path}`, { method: 'PUT', path })
  },
}

export const contentTypes: Story = {
  name: 'content types',
  async play(talk) {
    const body = JSON.stringify(await register(talk, 'typed@example.com'))
    const types = [
      'application/json',
      'APPLICATION/JSON',
      'application/json;a=b',
      'application/json;',
      'application/ld+json',
      'application/problem+json',
      'text/json',
      'text/plain',
      'text/plain+json',
      'image/svg+json',
      'application/json+x',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/*',
      '*/*',
      'json',
      'application/',
      ';;;',
      'application/json, application/json',
      'application/json x',
    ]
    for (const type of types)
      await talk.ask(`a body of ${type}`, { path: '/account/login', headers: { 'content-type': type }, body })
    await talk.ask('a body without a type', { path: '/account/login', body })
    for (const charset of [
      'utf-8',
      'UTF-8',
      'us-ascii',
      'US-ASCII',
      'ascii',
      'iso-8859-1',
      'latin1',
      'utf-16',
      '"utf-8"',
      'utf8',
      'windows-1252',
      'utf-7',
      'nothing',
      '',
    ])
      await talk.ask(`charset ${charset}`, {
        path: '/account/login',
        headers: { 'content-type': `application/json; charset=${charset}` },
        body,
      })
    await talk.ask('UTF-16 in UTF-16', {
      path: '/account/login',
      headers: { 'content-type': 'application/json; charset=utf-16' },
      body: Buffer.from(body, 'utf16le'),
    })
    for (const path of posts) {
      for (const type of ['application/json', 'text/plain', ';;;'])
        await talk.ask(`nothing of ${type} for ${path}`, {
          method: 'POST',
          path: `/account/${path}`,
          headers: { 'content-type': type },
          body: '',
        })
    }
    const { accessToken } = await signIn(talk, 'typed@example.com')
    for (const type of ['application/json', 'text/plain', ';;;'])
      await talk.ask(`{} of ${type} for a caller`, {
        path: '/account/manage/2fa',
        headers: { ...bearer(accessToken), 'content-type': type },
        body: '{}',
      })
  },
}

export const bodies: Story = {
  name: 'bodies',
  async play(talk) {
    const { email } = await register(talk, 'bodied@example.com')
    const texts = [
      '',
      ' ',
      'null',
      '[]',
      '{}',
      '1',
      '"x"',
      'true',
      '{',
      '{"email":',
      '{"email":"x"}',
      '{"password":"x"}',
      '{"email":"x","password":"x",}',
      "{'email':'x'}",
      '{"email":"x","password":"x"} x',
      '{"email":"x" /* */,"password":"x"}',
      '\ufeff{"email":"x","password":"x"}',
      '{"email":1,"password":"x"}',
      '{"email":true,"password":"x"}',
      '{"email":["x"],"password":"x"}',
      '{"email":{},"password":"x"}',
      '{"email":"x","password":1}',
      '{"email":"x","password":"x","twoFactorCode":123456}',
      '{"email":"x","password":"x","other":{"a":[1,2]}}',
      '{"EMAIL":"x","PassWord":"x"}',
      '{"e-mail":"x","password":"x"}',
    ]
    for (const body of texts)
      await talk.ask(`login with ${body}`, {
        path: '/account/login',
        headers: { 'content-type': 'application/json' },
        body,
      })
    const twice = [
      `{"email":"x","email":"${email}","password":"${password}"}`,
      `{"email":"${email}","email":"x","password":"${password}"}`,
      `{"email":1,"email":"${email}","password":"${password}"}`,
      `{"email":null,"email":"${email}","password":"${password}"}`,
      `{"Email":{},"email":"${email}","password":"${password}"}`,
      `{"a":1,"a":2,"email":"${email}","password":"${password}"}`,
    ]
    for (const body of twice)
      await talk.ask(`twice: ${body}`, {
        path: '/account/login',
        headers: { 'content-type': 'application/json' },
        body,
      })
    const nulls: [string, object][] = [
      ['login', { email: null, password: 'x' }],
      ['login', { email, password: null }],
      ['login', { email, password, twoFactorCode: null, twoFactorRecoveryCode: null }],
      ['register', { email: null, password: 'x' }],
      ['register', { email: 'nobody@example.com', password: null }],
      ['refresh', { refreshToken: null }],
      ['resendConfirmationEmail', { email: null }],
      ['forgotPassword', { email: null }],
      ['resetPassword', { email: null, resetCode: 'x', newPassword: 'x' }],
      ['resetPassword', { email, resetCode: null, newPassword: 'x' }],
      ['resetPassword', { email, resetCode: 'x', newPassword: null }],
    ]
    for (const [path, json] of nulls)
      await talk.ask(`${path} with ${JSON.stringify(json)}`, { path: `/account/${path}`, json })
    for (const path of ['register', 'refresh', 'resendConfirmationEmail', 'forgotPassword', 'resetPassword']) {
      for (const body of ['{}', '{"x":1}', '[]', 'null', '{"email":1}'])
        await talk.ask(`${path} with ${body}`, {
          path: `/account/${path}`,
          headers: { 'content-type': 'application/json' },
          body,
        })
    }
  },
}

export const flags: Story = {
  name: 'query flags',
  async play(talk) {
    const json = await register(talk, 'flagged@example.com')
    const queries = [
      'useCookies=true',
      'useCookies=false',
      'useCookies=TRUE',
      'useCookies=True',
      'useCookies=%20true%20',
      'useCookies=1',
      'useCookies=yes',
      'useCookies=',
      'useCookies',
      'useCookies=%20',
      'useCookies=null',
      'USECOOKIES=true',
      'useCookies=true&useCookies=true',
      'useCookies=&useCookies=true',
      'useSessionCookies=true',
      'useSessionCookies=',
      'useSessionCookies=x',
      'useCookies=true&useSessionCookies=true',
      'useCookies=false&useSessionCookies=true',
      'useCookies=true&useSessionCookies=false',
      'useCookies=true&useSessionCookies=',
      'other=1',
      '',
      'useCookies=true#x',
    ]
    for (const query of queries) await talk.ask(`?${query}`, { path: `/account/login?${query}`, json })
    await talk.ask('cookies are not set for a wrong password', {
      path: '/account/login?useCookies=true',
      json: { ...json, password: 'x' },
    })
  },
}

export const authorization: Story = {
  name: 'the Authorization header',
  async play(talk) {
    await register(talk, 'bearing@example.com')
    const { accessToken, refreshToken } = await signIn(talk, 'bearing@example.com')
    const path = '/account/manage/info'
    const forms = [
      `Bearer ${accessToken}`,
      `Bearer  ${accessToken}`,
      `Bearer ${accessToken} `,
      `Bearer\t${accessToken}`,
      `bearer ${accessToken}`,
      `BEARER ${accessToken}`,
      `Bearer ${accessToken.slice(0, 50)} ${accessToken.slice(50)}`,
      `Bearer ${refreshToken}`,
      `Bearer ${accessToken}x`,
      `Bearer ${accessToken.slice(0, -4)}`,
      `Bearer "${accessToken}"`,
      `Bearer x`,
      'Bearer',
      'Bearer ',
      `Basic ${accessToken}`,
      accessToken,
      `Token ${accessToken}`,
      `Bearer ${accessToken}, Bearer x`,
    ]
    for (const [index, form] of forms.entries())
      await talk.ask(`form ${index + 1}`, { path, headers: { authorization: form } })
    await talk.ask('no header', { path })
    await talk.ask('a token in the query', { path: `${path}?access_token=${accessToken}` })
    await talk.ask('a token at an open endpoint', {
      path: '/account/forgotPassword',
      json: { email: 'x@example.com' },
      headers: bearer(accessToken),
    })
    await talk.ask('a broken token at an open endpoint', {
      path: '/account/forgotPassword',
      json: { email: 'x@example.com' },
      headers: bearer('x'),
    })
  },
}
