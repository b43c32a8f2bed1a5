// Paths in other spellings: the route that is meant runs once, and what a host registered goes first.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { identityRoutes } from '../../src/index.js'
import { expectChallenge, expectEmpty, goodPassword, withApp } from '../support/app.js'

const credentials = { email: 'ann@example.com', password: goodPassword }

test('a path in another spelling runs the hooks of the host once, and is logged once', async () => {
  const seen: string[] = []
  await withApp(
    {
      before: (app) => {
        app.addHook('onRequest', (request, reply, done) => {
          seen.push(`${request.url} ${request.originalUrl} ${request.routeOptions.url}`)
          void reply.header('x-seen', seen.length)
          done()
        })
      },
    },
    async (app) => {
      for (const path of ['/account/LOGIN', '/Account/login/', '/ACCOUNT/Login?useCookies=false']) {
        seen.length = 0
        const lines = app.logLines.length
        expectEmpty(await app.call('POST', path, { json: {} }), 400, { 'x-seen': '1' })
        assert.deepEqual(seen, [`/account/login${path.slice(path.search(/\?|$/))} ${path} /account/login`])
        const logged = app.logLines.slice(lines).filter((line) => line.includes('incoming request'))
        assert.equal(logged.length, 1, path)
      }
    },
  )
})

test('a limit that the host has put on a route counts its other spellings with it', () => {
  let count = 0
  return withApp(
    {
      before: (app) => {
        app.addHook('onRoute', (route) => {
          if (route.url !== '/account/login' || route.method !== 'POST') return
          route.preHandler = (_request, _reply, done) => {
            done(++count > 2 ? Object.assign(new Error('Slow down'), { statusCode: 429 }) : undefined)
          }
        })
      },
    },
    async (app) => {
      const statuses = []
      for (const path of ['/account/login', '/account/Login', '/ACCOUNT/login/', '/account/log%69N'])
        statuses.push((await app.call('POST', path, { json: credentials })).status)
      assert.deepEqual(statuses, [401, 401, 429, 429])
    },
  )
})

test('without a prefix paths answer in any spelling too', () =>
  withApp({ identity: { prefix: '' } }, async (app) => {
    assert.equal((await app.call('POST', '/Register/', { json: credentials })).status, 200)
    for (const path of ['/Login', '/login/', '/LOGIN/', '/%4Cogin'])
      assert.equal((await app.call('POST', path, { json: credentials })).status, 200, path)
    expectChallenge(await app.call('GET', '/manage/info/'))
    expectChallenge(await app.call('GET', '/MANAGE/Sessions'))
    expectEmpty(await app.call('GET', '/Login'), 405, { allow: 'POST' })
    for (const path of ['//login', '/login//', '/log in', '/login/x', '/logins', '/manage%2finfo'])
      assert.match((await app.call('POST', path, { json: {} })).body, /not found/, path)
  }))

test('a route of the host in another spelling than ours is the host’s', () =>
  withApp(
    {
      identity: { prefix: '' },
      after: (app) => {
        app.get('/Login', () => 'page')
        app.get('/register/', () => 'form')
        app.post('/manage/:what', ({ params }) => params)
        app.get('/app/*', () => 'spa')
      },
    },
    async (app) => {
      assert.equal((await app.call('GET', '/Login')).body, 'page')
      assert.equal((await app.call('GET', '/register/')).body, 'form')
      assert.equal((await app.call('POST', '/manage/Info', { json: {} })).body, '{"what":"Info"}')
      expectEmpty(await app.call('POST', '/Login', { json: {} }), 400)
      expectEmpty(await app.call('GET', '/LOGIN'), 405, { allow: 'POST' })
      expectChallenge(await app.call('GET', '/manage/Info'))
    },
  ))

test('two prefixes that differ in letter case alone stay two mounts', () =>
  withApp(
    {
      identity: { prefix: '/account', endpoints: { register: false } },
      after: (app) => app.register(identityRoutes, { prefix: '/Account', endpoints: { login: false } }),
    },
    async (app) => {
      assert.equal((await app.call('POST', '/Account/Register', { json: credentials })).status, 200)
      assert.equal((await app.call('POST', '/account/LOGIN', { json: credentials })).status, 200)
      assert.equal((await app.call('POST', '/Account/LOGOUT')).status, 401)
    },
  ))

test('a parameter in the path keeps its spelling', () =>
  withApp({ identity: { prefix: '/:tenant/account' } }, async (app) => {
    const seen: unknown[] = []
    app.app.identity.events.on('userCreated', () => seen.push('created'))
    assert.equal((await app.call('POST', '/Blue/Account/REGISTER/', { json: credentials })).status, 200)
    expectEmpty(await app.call('PUT', '/Blue/account/MANAGE/sessions/aBc'), 405, { allow: 'DELETE' })
    assert.deepEqual(seen, ['created'])
  }))

test('HEAD and OPTIONS are 405 on every path of ours, in any spelling', async () => {
  const paths = {
    '/register': 'POST',
    '/login': 'POST',
    '/Login/': 'POST',
    '/refresh': 'POST',
    '/confirmEmail': 'GET',
    '/resendConfirmationEmail': 'POST',
    '/forgotPassword': 'POST',
    '/resetPassword': 'POST',
    '/logout': 'POST',
    '/manage/2fa': 'POST',
    '/manage/info': 'GET, POST',
    '/manage/sessions': 'GET',
    '/manage/sessions/1': 'DELETE',
  }
  for (const prefix of ['', '/account'])
    await withApp({ identity: { prefix } }, async (app) => {
      for (const [path, allow] of Object.entries(paths)) {
        for (const method of ['HEAD', 'OPTIONS', 'TRACE']) {
          const answer = await app.call(method, prefix + path)
          assert.deepEqual([answer.status, answer.headers.allow, answer.body], [405, allow, ''], `${method} ${path}`)
        }
      }
    })
})

test('a method that no route of the application takes is 405 on a path of ours, and 404 beside it', () =>
  withApp({}, async (app) => {
    expectEmpty(await app.call('PROPFIND', '/account/login'), 405, { allow: 'POST' })
    expectEmpty(await app.call('PROPFIND', '/account/Login/'), 405, { allow: 'POST' })
    expectEmpty(await app.call('PROPFIND', '/account/nothing'), 404)
  }))

for (const prefix of ['', '/account'])
  for (const path of ['/login', '/LOGIN/', '/manage/info']) {
    test(`a host that answers preflights by a route goes on doing so for ${prefix}${path}`, () =>
      withApp(
        {
          identity: { prefix },
          after: (app) => app.options('*', (_request, reply) => reply.code(204).header('x-cors', '1').send()),
        },
        async (app) => {
          const answer = await app.call('OPTIONS', prefix + path)
          assert.deepEqual([answer.status, answer.headers['x-cors'], answer.headers.allow], [204, '1', undefined])
          assert.equal((await app.call('HEAD', prefix + path)).status, 405)
        },
      ))

    test(`a host that answers preflights in a hook goes on doing so for ${prefix}${path}`, () =>
      withApp(
        {
          identity: { prefix },
          before: (app) =>
            app.addHook('onRequest', (request, reply, done) => {
              if (request.method === 'OPTIONS') void reply.code(204).send()
              else done()
            }),
        },
        async (app) => assert.equal((await app.call('OPTIONS', prefix + path)).status, 204),
      ))
  }
