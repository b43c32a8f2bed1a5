// Every endpoint that reads a body × every kind of wrong input: the answer that the spec names (aspnet-identity §1.3,
// security IN-01..03, HT-03, HT-06), never a 5xx, never Fastify's own shape of an error, and nothing in the log that
// somebody would have to look at.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { type Answer, type CallOptions, goodPassword, startApp, type TestApp } from '../support/app.js'
import { speak } from '../support/raw-http.js'

let server: TestApp
let person: { email: string; password: string }

before(async () => {
  server = await startApp({ identity: { lockout: { maxFailedAccessAttempts: 100 } } })
  person = await server.register()
})
after(() => server.close())

interface Endpoint {
  readonly path: string
  /** A body that is read without complaint. */
  readonly body: () => Promise<Record<string, unknown>> | Record<string, unknown>
  /** What it is answered with. */
  readonly status: number
  readonly guarded?: boolean
  readonly bodyIsOptional?: boolean
  readonly required: readonly string[]
  /** Members that are text, those that are true or false, and those that may be null. */
  readonly texts: readonly string[]
  readonly flags?: readonly string[]
  readonly nullable?: readonly string[]
}

let count = 0
const newAddress = () => `wrong-${++count}@example.com`

const endpoints: readonly Endpoint[] = [
  {
    path: '/register',
    body: () => ({ email: newAddress(), password: goodPassword }),
    status: 200,
    required: ['email', 'password'],
    texts: ['email', 'password'],
    nullable: ['email'],
  },
  {
    path: '/login',
    body: () => ({ ...person, twoFactorCode: '', twoFactorRecoveryCode: '' }),
    status: 200,
    required: ['email', 'password'],
    texts: ['email', 'password', 'twoFactorCode', 'twoFactorRecoveryCode'],
    nullable: ['twoFactorCode', 'twoFactorRecoveryCode'],
  },
  {
    path: '/refresh',
    body: async () => ({ refreshToken: (await server.signIn(person)).refreshToken }),
    status: 200,
    required: ['refreshToken'],
    texts: ['refreshToken'],
    nullable: ['refreshToken'],
  },
  {
    path: '/resendConfirmationEmail',
    body: () => ({ email: person.email }),
    status: 200,
    required: ['email'],
    texts: ['email'],
  },
  {
    path: '/forgotPassword',
    body: () => ({ email: person.email }),
    status: 200,
    required: ['email'],
    texts: ['email'],
  },
  {
    path: '/resetPassword',
    body: () => ({ email: person.email, resetCode: 'x', newPassword: goodPassword }),
    status: 400,
    required: ['email', 'resetCode', 'newPassword'],
    texts: ['email', 'resetCode', 'newPassword'],
  },
  { path: '/logout', body: () => ({}), status: 200, guarded: true, bodyIsOptional: true, required: [], texts: [] },
  {
    path: '/manage/2fa',
    body: () => ({ twoFactorCode: '' }),
    status: 200,
    guarded: true,
    required: [],
    texts: ['twoFactorCode'],
    flags: ['enable', 'resetSharedKey', 'resetRecoveryCodes', 'forgetMachine'],
    nullable: ['twoFactorCode', 'enable'],
  },
  {
    path: '/manage/info',
    body: () => ({ newEmail: '', newPassword: '', oldPassword: '' }),
    status: 200,
    guarded: true,
    required: [],
    texts: ['newEmail', 'newPassword', 'oldPassword'],
    nullable: ['newEmail', 'newPassword', 'oldPassword'],
  },
]

const json = { 'content-type': 'application/json' }

/** Sends to a endpoint, signed in where that is needed, and holds what is true of every answer of ours. */
async function send(endpoint: Endpoint, options: CallOptions, what: string): Promise<Answer> {
  const token = endpoint.guarded === true ? { token: (await server.signIn(person)).accessToken } : {}
  const answer = await server.call('POST', `/account${endpoint.path}`, { ...token, ...options })
  assert.ok(answer.status < 500, `${endpoint.path}: ${what} is answered with ${answer.status}`)
  if (answer.body !== '') {
    const type = String(answer.headers['content-type'])
    assert.match(
      type,
      answer.status === 200 ? /^application\/json; charset=utf-8$/ : /^application\/problem\+json$/,
      `${endpoint.path}: ${what}`,
    )
    const members = Object.keys(answer.json() as object)
    assert.deepEqual(
      members.filter((name) => ['statusCode', 'code', 'error', 'message'].includes(name)),
      [],
      `${endpoint.path}: ${what}`,
    )
  }
  return answer
}

async function expectStatus(endpoint: Endpoint, status: number, options: CallOptions, what: string): Promise<void> {
  const answer = await send(endpoint, options, what)
  assert.equal(answer.status, status, `${endpoint.path}: ${what}`)
  // Where nothing of the request was understood there is nothing to say about it.
  if ([400, 413, 415].includes(status) && status !== endpoint.status)
    assert.equal(answer.body, '', `${endpoint.path}: ${what}`)
}

const accepted = (endpoint: Endpoint, options: CallOptions, what: string) =>
  expectStatus(endpoint, endpoint.status, options, what)
const malformed = async (endpoint: Endpoint, options: CallOptions, what: string) => {
  const answer = await send(endpoint, options, what)
  assert.deepEqual([answer.status, answer.body], [400, ''], `${endpoint.path}: ${what}`)
}
const without = (body: Record<string, unknown>, name: string) =>
  Object.fromEntries(Object.entries(body).filter(([key]) => key !== name))
const shown = (value: unknown) => JSON.stringify(value)

for (const endpoint of endpoints) {
  test(`${endpoint.path} wants an object: no body, null and any other kind of JSON is 400 without a body`, async () => {
    const nothing = endpoint.bodyIsOptional === true ? accepted : malformed
    await nothing(endpoint, {}, 'no body and no content type')
    await nothing(endpoint, { headers: json }, 'no body')
    await nothing(endpoint, { headers: { ...json, 'content-length': '0' } }, 'a body of length 0')
    await nothing(endpoint, { payload: '', headers: json }, 'an empty body')
    for (const body of [null, 'text', '', 0, 5, -1.5, true, false, [], [{}], [await endpoint.body()], [[]]])
      await malformed(endpoint, { json: body }, shown(body))
  })

  test(`${endpoint.path} coerces nothing: a member of another type is 400 without a body`, async () => {
    const body = await endpoint.body()
    for (const name of endpoint.texts) {
      for (const value of [5, 0, -1, 1.5, true, false, [], ['x'], [body[name]], {}, { toString: 'x' }, { length: 1 }]) {
        await malformed(endpoint, { json: { ...body, [name]: value } }, `${name} ${shown(value)}`)
      }
    }
    for (const name of endpoint.flags ?? []) {
      for (const value of ['true', 'false', '', 'yes', 0, 1, [], [true], {}])
        await malformed(endpoint, { json: { ...body, [name]: value } }, `${name} ${shown(value)}`)
    }
    for (const name of [...endpoint.texts, ...(endpoint.flags ?? [])]) {
      if (endpoint.nullable?.includes(name) !== true)
        await malformed(endpoint, { json: { ...body, [name]: null } }, `${name} null`)
      else assert.notEqual((await send(endpoint, { json: { ...body, [name]: null } }, `${name} null`)).status, 413)
    }
    for (const name of endpoint.required) {
      const rest = without(body, name)
      await malformed(endpoint, { json: rest }, `no ${name}`)
      await malformed(
        endpoint,
        { json: { ...rest, [`${name} `]: 'x', [`x${name}`]: 'x' } },
        `another member instead of ${name}`,
      )
    }
    // Numbers that no double holds are numbers all the same.
    for (const name of endpoint.texts) {
      for (const number of ['1e999', '-1e999', '9'.repeat(400), '0.1e-999', '-0']) {
        await malformed(
          endpoint,
          {
            payload: JSON.stringify({ ...body, [name]: 0 }).replace(`"${name}":0`, `"${name}":${number}`),
            headers: json,
          },
          `${name} ${number}`,
        )
      }
    }
  })

  test(`${endpoint.path} reads JSON of RFC 8259 only`, async () => {
    const good = JSON.stringify(await endpoint.body())
    const broken = [
      '{',
      '}',
      '{}}',
      '{}{}',
      `${good}x`,
      `${good},`,
      `x${good}`,
      good.slice(0, -1),
      '{"a":1,}',
      "{'a':1}",
      '{a:1}',
      '{"a":undefined}',
      '{"a":NaN}',
      '{"a":01}',
      '{"a":+1}',
      '{"a":.5}',
      '{"a":"\n"}',
      '{"a":"\u0001"}',
      '{"a":"\\x41"}',
      '{"a":"\\u00g0"}',
      '/**/{}',
      '{}//',
      '{"a":1}\u0000',
      '\u0000',
      'undefined',
      'NaN',
      ' ',
      '\n',
      '\u00a0{}',
      '\ufeff\ufeff{}',
      'a=b&c=d',
      '<email>x</email>',
      '"',
      '[',
      '{"a":tru}',
      '{"a" 1}',
      '{"a":1 "b":2}',
    ]
    for (const payload of broken) await malformed(endpoint, { payload, headers: json }, shown(payload))
    for (const text of [` \t\r\n${good}\n `, `\ufeff${good}`]) {
      const fresh = text.replace(good, JSON.stringify(await endpoint.body()))
      await accepted(endpoint, { payload: fresh, headers: json }, shown(text.slice(0, 4)))
    }
  })

  test(`${endpoint.path} reads UTF-8 only, and well-formed text only`, async () => {
    const good = JSON.stringify({ ...(await endpoint.body()), note: 'X' })
    const spoiled: readonly (readonly number[])[] = [
      [0xff],
      [0xfe],
      [0x80],
      [0xc3],
      [0xc0, 0xaf],
      [0xc1, 0x81],
      [0xe0, 0x80, 0xaf],
      [0xed, 0xa0, 0x80],
      [0xed, 0xbf, 0xbf],
      [0xf0, 0x80, 0x80, 0xaf],
      [0xf4, 0x90, 0x80, 0x80],
      [0xf8, 0x88, 0x80, 0x80, 0x80],
      [0xe2, 0x82],
    ]
    for (const bytes of spoiled) {
      const [before = '', behind = ''] = good.split('"X"')
      const payload = Buffer.concat([Buffer.from(`${before}"`), Buffer.from(bytes), Buffer.from(`"${behind}`)])
      await malformed(endpoint, { payload, headers: json }, `bytes ${shown(bytes)}`)
    }
    await malformed(endpoint, { payload: Buffer.from(good, 'utf16le'), headers: json }, 'UTF-16')
    await malformed(endpoint, { payload: Buffer.from(`\ufeff${good}`, 'utf16le'), headers: json }, 'UTF-16 with a mark')
    await malformed(endpoint, { payload: gzipSync(good), headers: { ...json, 'content-encoding': 'gzip' } }, 'gzip')
    const body = await endpoint.body()
    for (const name of endpoint.texts) {
      for (const text of ['\ud800', '\udc00', 'a\ud800b', '\udbff\ud800', '\udc00\ud800', 'Aa1!aaaa\udfff']) {
        await malformed(endpoint, { json: { ...body, [name]: text } }, `${name} ${shown(text)}`)
        await malformed(
          endpoint,
          { json: { ...body, [name.toUpperCase()]: text } },
          `${name} in capitals ${shown(text)}`,
        )
      }
    }
    await accepted(
      endpoint,
      { json: { ...(await endpoint.body()), '\ud800': '\ud800', unknown: '\udc00' } },
      'half a surrogate pair where nobody looks',
    )
  })

  test(`${endpoint.path} answers NUL, controls and strange text without falling over`, async () => {
    for (const name of endpoint.texts) {
      for (const text of [
        '\u0000',
        'a\u0000@x.com',
        '\u0000\u0000',
        '\u001b[31m',
        '\r\n',
        '\u202e',
        '%00',
        '\\',
        "'",
        '"',
        '; drop table users; --',
        "' or '1'='1",
        '${7*7}',
        '{{7*7}}',
        '🙂',
        '\ufeff',
        '\uffff',
        'a'.repeat(15_000),
        '@'.repeat(5_000),
        'é'.repeat(7_000),
        '\u0301'.repeat(5_000),
        '../../etc/passwd',
        '<script>',
        'ﷺ'.repeat(2_000),
      ]) {
        const answer = await send(
          endpoint,
          { json: { ...(await endpoint.body()), [name]: text } },
          `${name} ${shown(text.slice(0, 20))}`,
        )
        assert.notEqual(answer.status, 413)
        assert.notEqual(answer.status, 415)
      }
    }
  })

  test(`${endpoint.path} ignores members that it does not know, the prototype's too`, async () => {
    const additions = [
      '"__proto__":{"polluted":true}',
      '"__proto__":null',
      '"__proto__":"x"',
      '"constructor":{"prototype":{"polluted":true}}',
      '"constructor":null',
      '"prototype":{"polluted":true}',
      '"hasOwnProperty":1',
      '"toString":1',
      '"valueOf":null',
      '"__defineGetter__":1',
      '"length":5',
      '"":1',
      '" ":1',
      '"a.b":1',
      '"then":{"then":1}',
      '"toJSON":1',
      '"big":1e999',
      '"bigger":123456789012345678901234567890',
      '"deep":' + '['.repeat(31) + ']'.repeat(31),
    ]
    for (const addition of additions) {
      for (const atFirst of [true, false]) {
        const own = JSON.stringify(await endpoint.body()).slice(1, -1)
        const members = own === '' ? addition : atFirst ? `${addition},${own}` : `${own},${addition}`
        await accepted(endpoint, { payload: `{${members}}`, headers: json }, addition)
      }
    }
    assert.equal(({} as Record<string, unknown>).polluted, undefined)
    for (const name of endpoint.required) {
      const body = await endpoint.body()
      const rest = JSON.stringify(without(body, name)).slice(1)
      const payload = `{"__proto__":${shown({ [name]: body[name] })}${rest === '}' ? '' : ','}${rest}`
      await malformed(endpoint, { payload, headers: json }, `${name} in __proto__ only`)
    }
  })

  test(`${endpoint.path} bounds what it reads: 16 KiB, and 32 levels`, async () => {
    const padded = async (bytes: number) => {
      const body = JSON.stringify({ ...(await endpoint.body()), note: '' })
      return body.replace('"note":""', `"note":"${'x'.repeat(bytes - Buffer.byteLength(body))}"`)
    }
    await accepted(endpoint, { payload: await padded(16_384), headers: json }, '16 KiB')
    await expectStatus(endpoint, 413, { payload: await padded(16_385), headers: json }, '16 KiB and a byte')
    await expectStatus(endpoint, 413, { payload: await padded(1_000_000), headers: json }, '1 MB')
    await expectStatus(endpoint, 413, { payload: Buffer.alloc(1_000_000, 0x5b), headers: json }, '1 MB of brackets')
    await expectStatus(
      endpoint,
      413,
      { payload: 'x', headers: { ...json, 'content-length': '30000001' } },
      'a length of 30 MB',
    )
    const nested = (levels: number, open: string, close: string) =>
      `{"note":${open.repeat(levels)}${open === '[' ? '' : '1'}${close.repeat(levels)}}`
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      for (const levels of [32, 100, 2_000])
        await malformed(
          endpoint,
          { payload: nested(levels, open, close), headers: json },
          `${levels + 1} levels of ${open}`,
        )
    }
    await malformed(endpoint, { payload: '['.repeat(16_000), headers: json }, 'open brackets only')
    // Brackets in a text are text.
    await accepted(
      endpoint,
      { json: { ...(await endpoint.body()), note: '[{"\\'.repeat(1_000) } },
      'brackets in a text',
    )
  })

  test(`${endpoint.path} reads JSON by whatever name, and answers 415 to anything else`, async () => {
    const types = [
      'application/json',
      'application/json; charset=utf-8',
      'application/json;charset=UTF-8',
      'application/json; charset="utf-8"',
      'application/json; charset=utf8',
      'Application/JSON',
      'APPLICATION/JSON; CHARSET=UTF-8',
      'application/json ; charset=utf-8',
      'application/json\t;\tcharset=utf-8',
      'application/json;',
      ' application/json',
      'application/json ',
      '\tapplication/json',
      'application/problem+json',
      'application/vnd.api+json',
      'application/ld+json; profile="a;b"',
      'application/json; odata=verbose',
      'application/json;v=1;charset=utf-8',
    ]
    for (const type of types)
      await accepted(
        endpoint,
        { payload: JSON.stringify(await endpoint.body()), headers: { 'content-type': type } },
        shown(type),
      )
    const encoded: readonly (readonly [string, BufferEncoding])[] = [
      ['us-ascii', 'ascii'],
      ['latin1', 'latin1'],
      ['ISO-8859-1', 'latin1'],
      ['"utf-16"', 'utf16le'],
    ]
    for (const [charset, encoding] of encoded) {
      const payload = Buffer.from(JSON.stringify(await endpoint.body()), encoding)
      const headers = { 'content-type': `application/json; charset=${charset}` }
      await accepted(endpoint, { payload, headers }, charset)
    }
    const others = [
      'text/plain',
      'text/plain; charset=utf-8',
      'text/json',
      'text/html',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/xml',
      'application/octet-stream',
      'application/jsonx',
      'application/json-patch',
      'application/jsonp',
      'xapplication/json',
      'application/json/x',
      'application',
      'json',
      '*/*',
      'application/*',
      '/',
      ';',
      ',',
      '',
      'application/json,text/plain',
      'text/plain,application/json',
      'text/plain;application/json',
      'text/plain; x=application/json',
      'application/json x',
      'application /json',
      'application/ json',
      'application/+json',
      'application/json+xml',
      'application/json; charset=utf-7',
      'application/vnd.api+json; charset=utf-32',
      'undefined',
      'null',
      'application\\json',
      'application%2Fjson',
    ]
    for (const type of others) {
      await expectStatus(
        endpoint,
        415,
        { payload: JSON.stringify(await endpoint.body()), headers: { 'content-type': type } },
        shown(type),
      )
    }
    await expectStatus(endpoint, 415, { payload: JSON.stringify(await endpoint.body()) }, 'no content type')
    await expectStatus(
      endpoint,
      415,
      { payload: 'email=a%40b&password=c', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      'a form',
    )
    await expectStatus(
      endpoint,
      415,
      {
        payload: '--x\r\ncontent-disposition: form-data; name="email"\r\n\r\na@b\r\n--x--',
        headers: { 'content-type': 'multipart/form-data; boundary=x' },
      },
      'multipart',
    )
    await expectStatus(
      endpoint,
      415,
      { payload: Buffer.alloc(1_000_000), headers: { 'content-type': 'text/plain' } },
      '1 MB of text',
    )
  })
}

test('guarded routes reveal nothing about a body to a caller who is not signed in', async () => {
  for (const endpoint of endpoints.filter(({ guarded }) => guarded)) {
    for (const options of [
      {},
      { json: null },
      { json: 5 },
      { payload: '{', headers: json },
      { payload: 'x', headers: { 'content-type': 'text/plain' } },
      { payload: 'x', headers: { 'content-type': '' } },
      { payload: Buffer.alloc(1_000_000), headers: json },
      { payload: Buffer.from([0xff]), headers: json },
    ]) {
      for (const headers of [{}, { authorization: 'Bearer nonsense' }, { cookie: 'identity=nonsense' }]) {
        const answer = await server.call('POST', `/account${endpoint.path}`, {
          ...options,
          headers: { ...('headers' in options ? options.headers : {}), ...headers },
        })
        // A content type that no route reads is refused before anything else, for every caller alike (as in the
        // reference).
        const isUnread = options.headers?.['content-type'] === 'text/plain' && endpoint.path !== '/logout'
        assert.deepEqual(
          [answer.status, answer.body, answer.headers['www-authenticate']],
          isUnread
            ? [415, '', undefined]
            : [401, '', 'authorization' in headers ? 'Bearer error="invalid_token"' : 'Bearer'],
          endpoint.path,
        )
      }
    }
  }
})

test('over a socket a body without a length is bounded like one with a length', async () => {
  const origin = await server.listen()
  const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`
  const chunked = (body: string) =>
    'POST /account/login HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n' +
    `Transfer-Encoding: chunked\r\n\r\n${body}0\r\n\r\n`
  const good = JSON.stringify(person)
  assert.equal((await speak(origin, chunked(chunk(good.slice(0, 5)) + chunk(good.slice(5))))).status, 200)
  const big = await speak(origin, chunked(Array.from({ length: 100 }, () => chunk('x'.repeat(10_000))).join('')))
  assert.deepEqual([big.status, big.body], [413, ''])
  const empty = await speak(origin, chunked(''))
  assert.deepEqual([empty.status, empty.body, empty.headers.get('content-length')], [400, '', ['0']])
  const text = await speak(origin, chunked(chunk(good)).replace('Content-Type: application/json\r\n', ''))
  assert.deepEqual([text.status, text.body], [415, ''])
})

test('ids and codes that cannot be any get the answer of those that are wrong', async () => {
  const { accessToken: token } = await server.signIn(person)
  const ids = [
    '1',
    'x',
    '%00',
    '%2500',
    '00000000-0000-0000-0000-00000000000',
    '00000000-0000-0000-0000-000000000000',
    '00000000-0000-0000-0000-0000000000000',
    '%ff',
    '%f0%9f%99%82',
    "'",
    '%27%20or%201=1',
    '-1',
    '1e9',
    'null',
    'undefined',
    '__proto__',
    'g'.repeat(36),
    '%20',
    '..%2f..',
    '%0d%0a',
    '{00000000-0000-0000-0000-000000000000}',
    'urn:uuid:00000000-0000-0000-0000-000000000000',
    'x'.repeat(90),
  ]
  for (const id of ids) {
    const session = await server.call('DELETE', `/account/manage/sessions/${id}`, { token })
    if (id !== '%ff') assert.deepEqual([session.status, session.body], [404, ''], id)
    for (const code of ['x', '%00', 'AAAA', 'A'.repeat(3_000), '%F0%9F%99%82', '____']) {
      const confirmed = await server.call('GET', `/account/confirmEmail?userId=${id}&code=${code}`)
      assert.deepEqual(
        [confirmed.status, confirmed.body, confirmed.headers['www-authenticate']],
        [401, '', undefined],
        `${id} ${code}`,
      )
    }
  }
  for (const query of ['', '?', '?userId=1&code=', '?userId=1', '?code=1', '?userId[]=1&code=1', '?user=1&code=1']) {
    const confirmed = await server.call('GET', `/account/confirmEmail${query}`)
    assert.deepEqual([confirmed.status, confirmed.body], [400, ''], query)
  }
  const user = await server.app.identity.users.findByName(person.email)
  for (const changed of ['', 'x', '%00', 'a@b', '%ff@x', 'a%0d%0a@x', 'A'.repeat(3_000)]) {
    const confirmed = await server.call(
      'GET',
      `/account/confirmEmail?userId=${user!.id}&code=x&changedEmail=${changed}`,
    )
    assert.deepEqual([confirmed.status, confirmed.body], [401, ''], changed)
  }
})

test('nothing of all this was an error of the server', () => {
  assert.deepEqual(
    server.logLines.filter((line) => line.includes('unexpected error')),
    [],
  )
  assert.deepEqual(
    server.logLines.filter(
      (line) => (JSON.parse(line) as { level: number }).level >= 40 && !line.includes('IDENTITY_SECRET'),
    ),
    [],
  )
})
