// Option profile: the host's own fields at /register and /manage/info, kept with the user.
import swagger from '@fastify/swagger'
import { type TObject, Type } from '@sinclair/typebox'
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { expectEmpty, expectProblem, goodPassword, startApp, type TestApp, withApp } from '../support/app.js'

const profile = Type.Object({
  nickname: Type.String({ minLength: 1, maxLength: 16, description: 'What friends say' }),
  birthYear: Type.Optional(Type.Integer({ minimum: 1900, maximum: 2100 })),
  address: Type.Optional(Type.Object({ city: Type.String() })),
  news_letter: Type.Optional(Type.Boolean()),
})

let server: TestApp

before(async () => {
  server = await startApp({ identity: { profile } })
})
after(() => server.close())

let people = 0
const register = (fields: object, of: TestApp = server) => {
  const email = `person-${++people}@example.com`
  return of
    .call('POST', '/account/register', { json: { email, password: goodPassword, ...fields } })
    .then((answer) => ({ answer, email }))
}

async function registered(fields: object, of: TestApp = server): Promise<{ email: string; token: string }> {
  const { answer, email } = await register(fields, of)
  expectEmpty(answer, 200)
  return { email, token: (await of.signIn({ email, password: goodPassword })).accessToken }
}

const info = async (token: string, of: TestApp = server) =>
  (await of.call('GET', '/account/manage/info', { token })).json()
const change = (token: string, json: object, of: TestApp = server) =>
  of.call('POST', '/account/manage/info', { token, json })
const validation = (errors: string) =>
  '{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.1",' +
  `"title":"One or more validation errors occurred.","status":400,"errors":{${errors}}}`

test('fields given at registration are kept with the user and shown by /manage/info', async () => {
  const { email, token } = await registered({
    nickname: 'Ann',
    birthYear: 1990,
    address: { city: 'Ulm' },
    news_letter: true,
  })
  assert.deepEqual(await info(token), {
    nickname: 'Ann',
    birthYear: 1990,
    address: { city: 'Ulm' },
    news_letter: true,
    email,
    isEmailConfirmed: false,
  })
  const user = (await server.app.identity.users.findByName(email))!
  assert.deepEqual(user.profile, { nickname: 'Ann', birthYear: 1990, address: { city: 'Ulm' }, news_letter: true })
})

test('a field that may be left out is left out everywhere', async () => {
  const { email, token } = await registered({ nickname: 'Bo' })
  assert.deepEqual(await info(token), { nickname: 'Bo', email, isEmailConfirmed: false })
})

test('a required field that is missing, or a wrong one, is reported under its name, each message once, and no user is registered', async () => {
  const { answer, email } = await register({ birthYear: 1990 })
  expectProblem(answer, 400, validation('"nickname":["Expected required property","Expected string"]'))
  assert.equal(await server.app.identity.users.findByName(email), null)
  expectProblem(
    (await register({ nickname: '', birthYear: 1.5, address: { city: 5 } })).answer,
    400,
    validation(
      '"nickname":["Expected string length greater or equal to 1"],"birthYear":["Expected integer"],"address":["Expected string"]',
    ),
  )
  expectProblem(
    (await register({ nickname: 'x'.repeat(17) })).answer,
    400,
    validation('"nickname":["Expected string length less or equal to 16"]'),
  )
  expectProblem((await register({ nickname: null })).answer, 400, validation('"nickname":["Expected string"]'))
  expectProblem((await register({ nickname: ['Ann'] })).answer, 400, validation('"nickname":["Expected string"]'))
})

test('many wrong values in one field are reported once', () =>
  withApp({ identity: { profile: Type.Object({ tags: Type.Array(Type.String()) }) } }, async (own) => {
    const { answer } = await register({ tags: Array.from({ length: 4000 }, () => 1) }, own)
    expectProblem(answer, 400, validation('"tags":["Expected string"]'))
  }))

test('a wrong address is reported before any field, and a field before the password', async () => {
  const answer = await server.call('POST', '/account/register', { json: { email: 'none', password: 'x' } })
  assert.deepEqual(Object.keys((answer.json() as { errors: object }).errors), ['InvalidEmail'])
  const { answer: second } = await register({ password: 'x' })
  assert.deepEqual(Object.keys((second.json() as { errors: object }).errors), ['nickname'])
})

test('names of fields are read in any letter case and as snake_case, and others are ignored', async () => {
  const { email, token } = await registered({
    NickName: 'Cy',
    birth_year: 2000,
    NEWS_LETTER: false,
    isAdmin: true,
    roles: ['admin'],
  })
  assert.deepEqual(await info(token), {
    nickname: 'Cy',
    birthYear: 2000,
    news_letter: false,
    email,
    isEmailConfirmed: false,
  })
  assert.deepEqual((await server.app.identity.users.findByName(email))!.profile, {
    nickname: 'Cy',
    birthYear: 2000,
    news_letter: false,
  })
})

test('text that is no Unicode is 400', async () => {
  const answer = await server.call('POST', '/account/register', {
    payload: `{"email":"lone@example.com","password":"${goodPassword}","nickname":"\\ud800"}`,
    headers: { 'content-type': 'application/json' },
  })
  expectEmpty(answer, 400)
})

test('text that Postgres cannot hold is 400, however deep', async () => {
  for (const fields of [
    { nickname: 'a\0b' },
    { nickname: 'a', address: { city: 'a\0b' } },
    { nickname: 'a', address: { city: '\ud800' } },
  ]) {
    const { answer } = await register(fields)
    assert.equal(answer.status, 400, answer.body)
  }
})

test('POST /manage/info changes the fields that are given and leaves the others', async () => {
  const { email, token } = await registered({ nickname: 'Di', birthYear: 1980 })
  const answer = await change(token, { nickname: 'Dido' })
  assert.deepEqual(answer.json(), { nickname: 'Dido', birthYear: 1980, email, isEmailConfirmed: false })
  assert.deepEqual(await info(token), { nickname: 'Dido', birthYear: 1980, email, isEmailConfirmed: false })
  assert.deepEqual((await change(token, {})).json(), await info(token))
})

test('a wrong field at POST /manage/info changes nothing, not even the password that came with it', async () => {
  const { email, token } = await registered({ nickname: 'Ed' })
  const answer = await change(token, {
    nickname: 5,
    birthYear: 1980,
    newPassword: 'Other-Horse-7',
    oldPassword: goodPassword,
  })
  expectProblem(answer, 400, validation('"nickname":["Expected string"]'))
  assert.deepEqual(await info(token), { nickname: 'Ed', email, isEmailConfirmed: false })
  await server.signIn({ email, password: goodPassword })
})

test('a refused password changes no field', async () => {
  const { email, token } = await registered({ nickname: 'Flo' })
  const answer = await change(token, { nickname: 'Flora', newPassword: 'Other-Horse-7', oldPassword: 'wrong' })
  assert.deepEqual(Object.keys((answer.json() as { errors: object }).errors), ['PasswordMismatch'])
  assert.deepEqual(await info(token), { nickname: 'Flo', email, isEmailConfirmed: false })
})

test('a password and a field are changed by one request', async () => {
  const { email, token } = await registered({ nickname: 'Gus' })
  const answer = await change(token, { nickname: 'Gustav', newPassword: 'Other-Horse-7', oldPassword: goodPassword })
  assert.deepEqual(answer.json(), { nickname: 'Gustav', email, isEmailConfirmed: false })
  await server.signIn({ email, password: 'Other-Horse-7' })
})

test('a change of fields signs nobody out', async () => {
  const { email, token } = await registered({ nickname: 'Hal' })
  const other = await server.signIn({ email, password: goodPassword })
  await change(token, { nickname: 'Harald' })
  assert.deepEqual(((await info(other.accessToken)) as { nickname: string }).nickname, 'Harald')
  const refreshed = await server.call('POST', '/account/refresh', { json: { refreshToken: other.refreshToken } })
  assert.equal(refreshed.status, 200)
})

test('two changes at once are both kept, or one gets a ConcurrencyFailure', async () => {
  const { token } = await registered({ nickname: 'Ida' })
  const answers = await Promise.all([change(token, { birthYear: 1970 }), change(token, { address: { city: 'Bonn' } })])
  const kept = (await info(token)) as Record<string, unknown>
  for (const [index, answer] of answers.entries()) {
    if (answer.status === 200) assert.ok(index === 0 ? kept.birthYear === 1970 : kept.address !== undefined)
    else assert.deepEqual(Object.keys((answer.json() as { errors: object }).errors), ['ConcurrencyFailure'])
  }
  assert.ok(answers.some(({ status }) => status === 200))
})

test('what the host keeps in the profile beside the fields is neither shown nor lost', async () => {
  const { email, token } = await registered({ nickname: 'Jo' })
  const { users } = server.app.identity
  const user = (await users.findByName(email))!
  user.profile.internalScore = 7
  assert.deepEqual(await users.update(user), { succeeded: true })
  const answer = await change(token, { nickname: 'Joe', internalScore: 9 })
  assert.deepEqual(answer.json(), { nickname: 'Joe', email, isEmailConfirmed: false })
  assert.deepEqual((await users.findByName(email))!.profile, { nickname: 'Joe', internalScore: 7 })
})

test('in snake_case answers the fields are named so, and stored as the host wrote them', () =>
  withApp(
    {
      identity: { profile, jsonNaming: 'snake_case' },
    },
    async (own) => {
      const { email, token } = await registeredInSnakeCase(own)
      assert.deepEqual(await info(token, own), {
        nickname: 'Kai',
        birth_year: 1990,
        news_letter: true,
        email,
        is_email_confirmed: false,
      })
      assert.deepEqual((await own.app.identity.users.findByName(email))!.profile, {
        nickname: 'Kai',
        birthYear: 1990,
        news_letter: true,
      })
    },
  ))

async function registeredInSnakeCase(own: TestApp): Promise<{ email: string; token: string }> {
  const { answer, email } = await register(
    { nickname: 'Kai', birth_year: 1990, newsLetter: true, news_letter: true },
    own,
  )
  expectEmpty(answer, 200)
  const login = await own.call('POST', '/account/login', { json: { email, password: goodPassword } })
  return { email, token: (login.json() as { access_token: string }).access_token }
}

test('the document shows the fields with their own words', () =>
  withApp(
    {
      identity: { profile },
      before: (app) => app.register(swagger, { openapi: { openapi: '3.1.0' } }),
    },
    (own) => {
      const { paths, components } = own.app.swagger() as unknown as {
        paths: Record<string, Record<string, { requestBody: Body; responses: Record<string, Body> }>>
        components: { schemas: Record<string, Schema> }
      }
      const schemaOf = (body: Body) => {
        const { $ref } = body.content['application/json']!.schema
        return components.schemas[$ref.slice('#/components/schemas/'.length)]!
      }
      const request = schemaOf(paths['/account/register']!.post!.requestBody)
      assert.deepEqual(request.properties.nickname, {
        type: 'string',
        minLength: 1,
        maxLength: 16,
        description: 'What friends say',
      })
      const shown = schemaOf(paths['/account/manage/info']!.get!.responses['200']!)
      assert.deepEqual(Object.keys(shown.properties), [
        'email',
        'isEmailConfirmed',
        'nickname',
        'birthYear',
        'address',
        'news_letter',
      ])
      return Promise.resolve()
    },
  ))

interface Body {
  readonly content: Record<string, { readonly schema: { readonly $ref: string } }>
}

interface Schema {
  readonly properties: Record<string, unknown>
  readonly required?: string[]
}

test('a profile that is no TypeBox object, has a field of ours or two that are spelled alike stops register', async () => {
  const refused = (given: unknown, problem: RegExp) =>
    assert.rejects(
      withApp({ identity: { profile: given as TObject } }, () => Promise.resolve()),
      { code: 'FST_IDENTITY_INVALID_OPTION', message: problem },
    )
  await refused({}, /^Option 'profile' is no TypeBox object with fields/)
  await refused(Type.Object({}), /is no TypeBox object with fields/)
  await refused('nickname', /is no TypeBox object with fields/)
  for (const name of ['email', 'E_Mail', 'userName', 'password', 'new_password', 'isEmailConfirmed', 'roles', 'id']) {
    await refused(Type.Object({ [name]: Type.String() }), new RegExp(`has the field '${name}', which is ours`))
  }
  await refused(
    Type.Object({ nickName: Type.String(), nick_name: Type.String() }),
    /has the fields 'nickName' and 'nick_name', which are read alike/,
  )
})
