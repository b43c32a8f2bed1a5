// Guards on routes and scopes of a host: what they ask, what they answer, and when what they ask has changed.
import type { FastifyInstance, RouteShorthandOptions } from 'fastify'
import Fastify from 'fastify'
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { allowAnonymous, type Principal, requireAuthorization, type Requirements } from '../../src/index.js'
import {
  type Answer,
  type CallOptions,
  type Person,
  startApp,
  type TestApp,
  type Tokens,
  withApp,
} from '../support/app.js'

let server: TestApp

// One route per guard, under the guard's name.
const guards: Record<string, Requirements | string> = {
  anybody: {},
  clerk: { roles: ['clerk'] },
  'clerk-or-boss': { roles: ['clerk', 'boss'] },
  department: { claims: { department: 'sales' } },
  departments: { claims: { department: ['sales', 'support'] } },
  'any-department': { claims: { department: true } },
  'two-claims': { claims: { department: true, level: ['2', '3'] } },
  sub: { claims: { sub: true, role: 'clerk' } },
  'app-code': { amr: ['mfa'] },
  password: { amr: ['mfa', 'pwd'] },
  minute: { maxAgeSeconds: 60 },
  always: 'always',
  never: { policy: 'never' },
  later: 'later',
  'later-never': { policy: 'laterNever' },
  throws: 'throws',
  rejects: 'rejects',
  'not-a-boolean': 'notABoolean',
  own: 'ownPath',
  everything: { roles: ['clerk'], claims: { department: true }, amr: ['pwd'], maxAgeSeconds: 60, policy: 'always' },
  'all-but-policy': { roles: ['clerk'], claims: { department: true }, policy: 'never' },
}

const policies: Record<string, (principal: Principal, request: { url: string }) => boolean | Promise<boolean>> = {
  always: () => true,
  never: () => false,
  later: () => Promise.resolve(true),
  laterNever: () => Promise.resolve(false),
  throws: () => {
    throw new Error('the rule broke')
  },
  rejects: () => Promise.reject(new Error('the rule broke later')),
  notABoolean: () => 'yes' as unknown as boolean, // as a host without types may answer
  ownPath: ({ userName }, { url }) => url.endsWith(`?of=${encodeURIComponent(userName)}`),
}

function hangGuards(app: FastifyInstance): void {
  for (const [name, rules] of Object.entries(guards)) {
    app.get(`/${name}`, { onRequest: requireAuthorization(rules) }, (request) => ({ for: request.identity?.userName }))
  }
}

before(async () => {
  server = await startApp({
    identity: { authorization: { policies } },
    after: (app) => {
      hangGuards(app)
      app.get('/open', { onRequest: allowAnonymous() }, (request) => ({ for: request.identity?.userName ?? null }))
      app.post('/act', { onRequest: requireAuthorization() }, () => 'done')
    },
  })
})
after(() => server.close())

/** Gives roles and claims past the managers. */
async function grant(
  { email }: Person,
  { roles = [], claims = {} }: { roles?: readonly string[]; claims?: Readonly<Record<string, string>> },
  to: TestApp = server,
): Promise<void> {
  for (const role of roles) {
    await to.sql(
      'insert into roles (id, name, normalized_name, concurrency_stamp) values ($1::uuid, $2::text, upper($2::text), $1::uuid) on conflict do nothing',
      [randomUUID(), role],
    )
    await to.sql(
      'insert into user_roles select u.id, r.id from users u, roles r where u.user_name = $1 and r.name = $2',
      [email, role],
    )
  }
  for (const [type, value] of Object.entries(claims)) {
    await to.sql(
      'insert into user_claims (id, user_id, type, value) select $1::uuid, id, $2::text, $3::text from users where user_name = $4',
      [randomUUID(), type, value, email],
    )
  }
}

async function withGrants(grants: Parameters<typeof grant>[1]): Promise<Person & Tokens> {
  const person = await server.register()
  await grant(person, grants)
  return server.signIn(person)
}

const ask = (name: string, by: CallOptions, of: TestApp = server) => of.call('GET', `/${name}`, by)

async function statuses(by: CallOptions, ...names: readonly string[]): Promise<Record<string, number>> {
  return Object.fromEntries(
    await Promise.all(names.map(async (name): Promise<[string, number]> => [name, (await ask(name, by)).status])),
  )
}

function expectEmptyOf(answer: Answer, status: number, challenge?: string): void {
  assert.deepEqual(
    [
      answer.status,
      answer.body,
      answer.headers['www-authenticate'],
      answer.headers['content-type'],
      answer.headers['content-length'],
    ],
    [status, '', challenge, undefined, '0'],
  )
}

test('nobody signed in is 401 with a challenge and no body, whatever the guard asks', async () => {
  for (const name of Object.keys(guards)) {
    for (const by of [{}, { cookie: 'identity=nonsense' }, { headers: { authorization: 'Basic YTpi' } }]) {
      expectEmptyOf(await ask(name, by), 401, 'Bearer')
    }
    expectEmptyOf(await ask(name, { token: 'nonsense' }), 401, 'Bearer error="invalid_token"')
  }
})

test('somebody signed in who may not is 403 with no body and no challenge', async () => {
  const { accessToken } = await server.signIn()
  const { cookie } = await server.signInWithCookie()
  for (const name of [
    'clerk',
    'department',
    'any-department',
    'app-code',
    'never',
    'later-never',
    'own',
    'everything',
  ]) {
    expectEmptyOf(await ask(name, { token: accessToken }), 403)
    expectEmptyOf(await ask(name, { cookie }), 403)
  }
})

test('a guard without requirements lets every signed-in user through', async () => {
  const person = await server.signIn()
  assert.deepEqual((await ask('anybody', { token: person.accessToken })).json(), { for: person.email })
  const { cookie, email } = await server.signInWithCookie()
  assert.deepEqual((await ask('anybody', { cookie })).json(), { for: email })
})

test('of several roles any one is enough, and names of roles are compared exactly', async () => {
  const clerk = await withGrants({ roles: ['clerk', 'smoker'] })
  const boss = await withGrants({ roles: ['boss'] })
  const shouting = await withGrants({ roles: ['CLERKS', 'clerk '] })
  assert.deepEqual(await statuses({ token: clerk.accessToken }, 'clerk', 'clerk-or-boss'), {
    clerk: 200,
    'clerk-or-boss': 200,
  })
  assert.deepEqual(await statuses({ token: boss.accessToken }, 'clerk', 'clerk-or-boss'), {
    clerk: 403,
    'clerk-or-boss': 200,
  })
  assert.deepEqual(await statuses({ token: shouting.accessToken }, 'clerk', 'clerk-or-boss'), {
    clerk: 403,
    'clerk-or-boss': 403,
  })
})

test('a claim is asked for with one value, with any of several, or with any value at all', async () => {
  const names = ['department', 'departments', 'any-department', 'two-claims'] as const
  const may = async (claims: Record<string, string>) =>
    Object.values(await statuses({ token: (await withGrants({ claims })).accessToken }, ...names))
  assert.deepEqual(await may({ department: 'sales' }), [200, 200, 200, 403])
  assert.deepEqual(await may({ department: 'support' }), [403, 200, 200, 403])
  assert.deepEqual(await may({ department: 'SALES' }), [403, 403, 200, 403])
  assert.deepEqual(await may({ department: '', level: '2' }), [403, 403, 200, 200])
  assert.deepEqual(await may({ level: '3' }), [403, 403, 403, 403])
  assert.deepEqual(await may({ department: 'sales', level: '4' }), [200, 200, 200, 403])
})

test('claims of the ticket itself can be asked for', async () => {
  const clerk = await withGrants({ roles: ['clerk'] })
  const other = await withGrants({ roles: ['boss'] })
  assert.equal((await ask('sub', { token: clerk.accessToken })).status, 200)
  assert.equal((await ask('sub', { token: other.accessToken })).status, 403)
})

test('a claim of a role counts for a user in the role', async () => {
  const clerk = await withGrants({ roles: ['seller'] })
  await server.sql(
    "insert into role_claims (id, role_id, type, value) select gen_random_uuid(), id, 'department', 'sales' from roles where name = 'seller'",
  )
  const again = await server.signIn(clerk)
  assert.equal((await ask('department', { token: clerk.accessToken })).status, 403)
  assert.equal((await ask('department', { token: again.accessToken })).status, 200)
})

test('amr asks how somebody signed in', async () => {
  const { accessToken } = await server.signIn()
  assert.deepEqual(await statuses({ token: accessToken }, 'app-code', 'password'), { 'app-code': 403, password: 200 })
})

test('maxAgeSeconds holds to the last tick, and no refresh makes a sign-in younger', () =>
  withApp({ after: hangMinute }, async (own) => {
    const { accessToken, refreshToken, ...person } = await own.signIn()
    const { cookie } = await own.signInWithCookie(person)
    const both = async () => [
      (await ask('minute', { token: accessToken }, own)).status,
      (await ask('minute', { cookie }, own)).status,
    ]
    own.clock.advance(60)
    assert.deepEqual(await both(), [200, 200])
    own.clock.advance(0.001)
    assert.deepEqual(await both(), [403, 403])
    const refreshed = await own.call('POST', '/account/refresh', { json: { refreshToken } })
    expectEmptyOf(await ask('minute', { token: (refreshed.json() as Tokens).accessToken }, own), 403)
    assert.equal((await ask('minute', { token: (await own.signIn(person)).accessToken }, own)).status, 200)
  }))

function hangMinute(app: FastifyInstance): void {
  app.get('/minute', { onRequest: requireAuthorization({ maxAgeSeconds: 60 }) }, () => 'young')
}

test('a policy answers now or later, and sees the caller and the request', async () => {
  const { accessToken, email } = await server.signIn()
  assert.deepEqual(
    await statuses(
      { token: accessToken },
      'always',
      'never',
      'later',
      'later-never',
      'own',
      `own?of=${encodeURIComponent(email)}`,
      'own?of=other',
    ),
    {
      always: 200,
      never: 403,
      later: 200,
      'later-never': 403,
      own: 403,
      [`own?of=${encodeURIComponent(email)}`]: 200,
      'own?of=other': 403,
    },
  )
})

test('a policy that fails, now or later, or answers anything but yes or no, lets nobody in and is a 500', async () => {
  const { accessToken } = await server.signIn()
  assert.deepEqual(await statuses({ token: accessToken }, 'throws', 'rejects', 'not-a-boolean'), {
    throws: 500,
    rejects: 500,
    'not-a-boolean': 500,
  })
})

test('a policy is not asked about nobody, nor about who misses another requirement', async () => {
  let asked = 0
  await withApp(
    {
      identity: { authorization: { policies: { counting: () => ++asked > 0 } } },
      after: (app) =>
        app.get('/counted', { onRequest: requireAuthorization({ policy: 'counting', roles: ['clerk'] }) }, () => 'in'),
    },
    async (own) => {
      const person = await own.signIn()
      assert.equal((await ask('counted', {}, own)).status, 401)
      assert.equal((await ask('counted', { token: person.accessToken }, own)).status, 403)
      assert.equal(asked, 0)
      await grant(person, { roles: ['clerk'] }, own)
      assert.equal((await ask('counted', { token: (await own.signIn(person)).accessToken }, own)).status, 200)
      assert.equal(asked, 1)
    },
  )
})

test('all parts must hold', async () => {
  const whole = { roles: ['clerk'], claims: { department: 'sales' } }
  const { accessToken } = await withGrants(whole)
  assert.deepEqual(await statuses({ token: accessToken }, 'everything', 'all-but-policy'), {
    everything: 200,
    'all-but-policy': 403,
  })
  assert.equal((await ask('everything', { token: (await withGrants({ roles: ['clerk'] })).accessToken })).status, 403)
  assert.equal(
    (await ask('everything', { token: (await withGrants({ claims: { department: 'sales' } })).accessToken })).status,
    403,
  )
})

test('two guards on one route must both let in', () =>
  withApp(
    {
      after: (app) =>
        app.get(
          '/both',
          { onRequest: [requireAuthorization({ roles: ['a'] }), requireAuthorization({ roles: ['b'] })] },
          () => 'in',
        ),
    },
    async (own) => {
      const person = await own.register()
      await grant(person, { roles: ['a'] }, own)
      assert.equal((await ask('both', { token: (await own.signIn(person)).accessToken }, own)).status, 403)
      await grant(person, { roles: ['b'] }, own)
      assert.equal((await ask('both', { token: (await own.signIn(person)).accessToken }, own)).status, 200)
    },
  ))

test('a policy that nobody wrote keeps the application from starting; one named like a member of every object is none either', async () => {
  for (const policy of ['unwritten', 'toString', 'hasOwnProperty', '__proto__']) {
    await assert.rejects(
      withApp(
        {
          identity: { authorization: { policies } },
          after: (app) => app.get('/unknown', { onRequest: requireAuthorization(policy) }, () => 'in'),
        },
        () => Promise.resolve(),
      ),
      { code: 'FST_IDENTITY_UNKNOWN_POLICY', message: new RegExp(`'${policy}'`) },
    )
  }
})

test('on a scope an unknown policy is a 500 for a signed-in user, and lets no request through', () =>
  withApp(
    {
      after: (app) =>
        app.register((scope, _options, done) => {
          scope.addHook('onRequest', requireAuthorization('constructor'))
          scope.get('/unknown', () => 'in')
          done()
        }),
    },
    async (own) => {
      expectEmptyOf(await ask('unknown', {}, own), 401, 'Bearer')
      const answer = await ask('unknown', { token: (await own.signIn()).accessToken }, own)
      assert.equal(answer.status, 500)
      assert.equal((answer.json() as { code: string }).code, 'FST_IDENTITY_UNKNOWN_POLICY')
    },
  ))

test('a guard on a scope guards its routes and what is nested in it, and nothing beside it', () =>
  withApp(
    {
      after: async (app) => {
        await app.register(async (scope) => {
          scope.addHook('onRequest', requireAuthorization({ roles: ['clerk'] }))
          scope.get('/inside', () => 'in')
          await scope.register((nested, _options, done) => {
            nested.get('/nested', { onRequest: requireAuthorization({ claims: { level: '2' } }) }, () => 'in')
            done()
          })
        })
        app.get('/beside', () => 'in')
      },
    },
    async (own) => {
      const person = await own.register()
      await grant(person, { roles: ['clerk'] }, own)
      const { accessToken: token } = await own.signIn(person)
      const { accessToken: other } = await own.signIn()
      const of = async (by: CallOptions) => [
        (await ask('inside', by, own)).status,
        (await ask('nested', by, own)).status,
        (await ask('beside', by, own)).status,
      ]
      assert.deepEqual(await of({}), [401, 401, 200])
      assert.deepEqual(await of({ token: other }), [403, 403, 200])
      assert.deepEqual(await of({ token }), [200, 403, 200])
      await grant(person, { claims: { level: '2' } }, own)
      assert.deepEqual(await of({ token: (await own.signIn(person)).accessToken }), [200, 200, 200])
    },
  ))

test('a guard refuses before the body is read', async () => {
  const answer = await server.call('POST', '/act', {
    payload: '{broken',
    headers: { 'content-type': 'application/json' },
  })
  expectEmptyOf(answer, 401, 'Bearer')
})

test('allowAnonymous lets every request through and reads the caller', async () => {
  const person = await server.signIn()
  const { cookie, email } = await server.signInWithCookie()
  assert.deepEqual((await ask('open', {})).json(), { for: null })
  assert.deepEqual((await ask('open', { token: 'nonsense' })).json(), { for: null })
  assert.deepEqual((await ask('open', { token: person.accessToken })).json(), { for: person.email })
  assert.deepEqual((await ask('open', { cookie })).json(), { for: email })
})

test('behind allowAnonymous a cookie that is due is validated, so that who was locked out is nobody', () =>
  withApp(
    {
      identity: { securityStamp: { validationSeconds: 60 } },
      after: (app) =>
        app.get('/open', { onRequest: allowAnonymous() }, (request) => ({ for: request.identity?.userName ?? null })),
    },
    async (own) => {
      const { cookie, email } = await own.signInWithCookie()
      await own.sql("update users set security_stamp = 'changed' where user_name = $1", [email])
      assert.deepEqual((await ask('open', { cookie }, own)).json(), { for: email })
      own.clock.advance(60)
      assert.deepEqual((await ask('open', { cookie }, own)).json(), { for: null })
    },
  ))

test('with a cookie, an unsafe request of another site is refused before anything is decided', async () => {
  const { cookie } = await server.signInWithCookie()
  assert.equal(
    (await server.call('POST', '/act', { cookie, headers: { 'sec-fetch-site': 'same-origin' } })).body,
    'done',
  )
  const answer = await server.call('POST', '/act', {
    cookie,
    headers: { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
  })
  assert.equal(answer.status, 403)
  assert.equal(answer.headers['content-type'], 'application/problem+json')
  const { accessToken } = await server.signIn()
  assert.equal(
    (
      await server.call('POST', '/act', {
        token: accessToken,
        headers: { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
      })
    ).body,
    'done',
  )
})

test('the guard of a realm that is called otherwise asks that realm', () =>
  withApp(
    {
      identity: { decorator: 'staff' },
      after: (app) => {
        app.get('/staff', { onRequest: requireAuthorization({ decorator: 'staff' }) }, (request) => ({
          for: (request as unknown as { staff: Principal | null }).staff?.userName, // declared by the host in earnest
        }))
        app.get('/nowhere', { onRequest: requireAuthorization() }, () => 'in')
        app.get('/open', { onRequest: allowAnonymous({ decorator: 'staff' }) }, () => 'in')
      },
    },
    async (own) => {
      const { accessToken, email } = await own.signIn()
      assert.deepEqual((await ask('staff', { token: accessToken }, own)).json(), { for: email })
      const answer = await ask('nowhere', { token: accessToken }, own)
      assert.equal(answer.status, 500)
      assert.equal((answer.json() as { code: string }).code, 'FST_IDENTITY_NOT_REGISTERED')
      assert.equal((await ask('open', {}, own)).status, 200)
    },
  ))

test('a guard where the plugin is not registered is a 500 and lets no request through, and works as soon as it is registered', async () => {
  const app = Fastify()
  app.get('/early', { onRequest: requireAuthorization() }, () => 'in')
  app.get('/open', { onRequest: allowAnonymous() }, () => 'in')
  for (const url of ['/early', '/open']) {
    const answer = await app.inject(url)
    assert.equal(answer.statusCode, 500)
    assert.equal(answer.json<{ code: string }>().code, 'FST_IDENTITY_NOT_REGISTERED')
  }
  await app.close()
  await withApp(
    { before: (own) => own.get('/early', { onRequest: requireAuthorization() }, () => 'in') },
    async (own) => {
      expectEmptyOf(await ask('early', {}, own), 401, 'Bearer')
      assert.equal((await ask('early', { token: (await own.signIn()).accessToken }, own)).status, 200)
    },
  )
})

test('requirements that would ask for nothing, or are misspelled, are refused where they are written', () => {
  const refused = (requirements: unknown, option: string) =>
    assert.throws(() => requireAuthorization(requirements as Requirements), {
      code: 'FST_IDENTITY_INVALID_OPTION',
      message: new RegExp(`^Option '${option}' `),
    })
  refused({ role: ['admin'] }, 'requireAuthorization\\.role')
  refused({ roles: undefined }, 'requireAuthorization\\.roles')
  refused({ roles: 'admin' }, 'requireAuthorization\\.roles')
  refused({ roles: [] }, 'requireAuthorization\\.roles')
  refused({ roles: [undefined] }, 'requireAuthorization\\.roles\\.0')
  refused({ amr: [] }, 'requireAuthorization\\.amr')
  refused({ claims: {} }, 'requireAuthorization\\.claims')
  refused({ claims: { department: undefined } }, 'requireAuthorization\\.claims\\.department')
  refused({ claims: { department: [] } }, 'requireAuthorization\\.claims\\.department')
  refused({ claims: { department: false } }, 'requireAuthorization\\.claims\\.department')
  refused({ maxAgeSeconds: Number.NaN }, 'requireAuthorization\\.maxAgeSeconds')
  refused({ maxAgeSeconds: -1 }, 'requireAuthorization\\.maxAgeSeconds')
  refused({ policy: '' }, 'requireAuthorization\\.policy')
  refused('', 'requireAuthorization\\.policy')
  refused(null, 'requireAuthorization')
})

test('what a guard asks is settled when it is made', async () => {
  const roles = ['clerk']
  const requirements = { roles }
  await withApp(
    {
      after: (app) => {
        app.get('/settled', { onRequest: requireAuthorization(requirements) }, () => 'in')
        roles.push('everybody')
        requirements.roles = ['everybody']
      },
    },
    async (own) => {
      const person = await own.register()
      await grant(person, { roles: ['everybody'] }, own)
      assert.equal((await ask('settled', { token: (await own.signIn(person)).accessToken }, own)).status, 403)
    },
  )
})

test('a role or claim that is given or taken reaches bearer tokens with the next refresh', async () => {
  const person = await server.signIn()
  await grant(person, { roles: ['clerk'], claims: { department: 'sales' } })
  assert.deepEqual(await statuses({ token: person.accessToken }, 'clerk', 'department'), {
    clerk: 403,
    department: 403,
  })
  const refresh = async (refreshToken: string) =>
    (await server.call('POST', '/account/refresh', { json: { refreshToken } })).json() as Tokens
  const given = await refresh(person.refreshToken)
  assert.deepEqual(await statuses({ token: given.accessToken }, 'clerk', 'department'), { clerk: 200, department: 200 })
  await server.sql('delete from user_roles where user_id = (select id from users where user_name = $1)', [person.email])
  await server.sql(
    "update user_claims set value = 'support' where user_id = (select id from users where user_name = $1)",
    [person.email],
  )
  assert.deepEqual(await statuses({ token: given.accessToken }, 'clerk', 'department', 'departments'), {
    clerk: 200,
    department: 200,
    departments: 200,
  })
  const taken = await refresh(given.refreshToken)
  assert.deepEqual(await statuses({ token: taken.accessToken }, 'clerk', 'department', 'departments'), {
    clerk: 403,
    department: 403,
    departments: 200,
  })
})

test('it reaches cookies with the next validation: 30 minutes after the last one, to the tick', () =>
  withApp({ after: hangGuards, identity: { authorization: { policies } } }, async (own) => {
    const { cookie, ...person } = await own.signInWithCookie()
    await grant(person, { roles: ['clerk'] }, own)
    own.clock.advance(1799.999)
    assert.equal((await ask('clerk', { cookie }, own)).status, 403)
    own.clock.advance(0.001)
    const answer = await ask('clerk', { cookie }, own)
    assert.equal(answer.status, 200)
    const renewed = answer.setCookies[0]!.split(';')[0]!
    assert.notEqual(renewed, cookie)
    await own.sql('delete from user_roles')
    own.clock.advance(1799.999)
    assert.equal((await ask('clerk', { cookie: renewed }, own)).status, 200)
    own.clock.advance(0.001)
    assert.equal((await ask('clerk', { cookie: renewed }, own)).status, 403)
  }))

test('with validationSeconds 0 it reaches cookies with the next request', () =>
  withApp(
    {
      identity: { securityStamp: { validationSeconds: 0 }, authorization: { policies } },
      after: hangGuards,
    },
    async (own) => {
      const { cookie, ...person } = await own.signInWithCookie()
      assert.equal((await ask('clerk', { cookie }, own)).status, 403)
      await grant(person, { roles: ['clerk'] }, own)
      assert.equal((await ask('clerk', { cookie }, own)).status, 200)
    },
  ))

test('guards at every place of the request guard', () =>
  withApp(
    {
      after: (app) => {
        for (const place of ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const) {
          const options: RouteShorthandOptions =
            place === 'preParsing'
              ? {
                  preParsing: (request, reply, payload, done) => {
                    requireAuthorization()(request, reply, (error) => done(error ?? null, payload))
                  },
                }
              : { [place]: requireAuthorization() }
          app.get(`/${place}`, options, () => 'in')
        }
      },
    },
    async (own) => {
      const { accessToken } = await own.signIn()
      for (const place of ['onRequest', 'preParsing', 'preValidation', 'preHandler']) {
        expectEmptyOf(await ask(place, {}, own), 401, 'Bearer')
        assert.equal((await ask(place, { token: accessToken }, own)).body, 'in')
      }
    },
  ))
