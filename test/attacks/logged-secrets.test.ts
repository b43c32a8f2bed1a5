// Secrets in every spelling of a mailed link, and in what the database says about a row: none of them in the log at
// level trace.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { report } from '../support/experiment.js'
import { goodPassword, startApp } from '../support/app.js'

const code = 'PLANTEDCODEabcdefghijklmnopqrstuvwxyz0123456789'

test('a mailed link is logged without its code, however it is spelled, and under a path that is not found', async (t) => {
  const app = await startApp({ identity: { prefix: '/account' } })
  t.after(() => app.close())
  const paths = [
    '/confirmEmail',
    '/CONFIRMEMAIL',
    '/confirmEmail/',
    '/confirm%45mail',
    '/confirmEmail/x',
    '/nothing',
    '//confirmEmail',
  ]
  const tails = [
    `?code=${code}&userId=1`,
    `?userId=1&CODE=${code}`,
    `%3Fcode=${code}`,
    `;code=${code}`,
    `#code=${code}`,
    `&code=${code}`,
    `?%63ode=${code}`,
  ]
  let asked = 0
  for (const path of paths) {
    for (const tail of tails) {
      for (const method of ['GET', 'POST', 'HEAD', 'OPTIONS']) {
        await app.call(method, `/account${path}${tail}`)
        asked++
      }
    }
  }
  assert.deepEqual(
    app.logLines.filter((line) => line.includes(code)),
    [],
  )
  assert.ok(app.logLines.some((line) => line.includes('incoming request') && line.includes('onfirm')))
  report(t, { requests: asked, 'log lines': app.logLines.length, 'lines with the code': 0 })
})

test('an error of the database is logged without the row it is about', async (t) => {
  const app = await startApp({
    after: (host) =>
      host.get('/host', async () => {
        const user = (await host.identity.users.findByName('ann@example.com'))!
        return host.identity.users.setPhoneNumber(user, '12345')
      }),
  })
  t.after(() => app.close())
  await app.register({ email: 'ann@example.com', password: goodPassword })
  const [row] = await app.sql('select password_hash, security_stamp, concurrency_stamp::text from users')
  await app.sql("alter table users add constraint planted check (email not like 'planted%' and phone_number is null)")
  await app.sql(
    'create function refuse() returns trigger language plpgsql as $$ begin raise exception $a$no: %$a$, new using detail = new::text, hint = new::text; end $$',
  )
  const refused = await app.call('POST', '/account/register', {
    json: { email: 'planted-address@example.com', password: goodPassword },
  })
  assert.equal(refused.status, 500)
  assert.equal((await app.call('GET', '/host')).status, 500)
  await app.sql('create trigger refuse before insert or update on users for each row execute function refuse()')
  assert.equal(
    (
      await app.call('POST', '/account/register', {
        json: { email: 'planted-two@example.com', password: goodPassword },
      })
    ).status,
    500,
  )
  assert.equal((await app.call('GET', '/host')).status, 500)
  const secrets = ['planted-', ...Object.values(row!).map(String), '$argon2']
  for (const secret of secrets)
    assert.deepEqual(
      app.logLines.filter((line) => line.includes(secret)),
      [],
      `the log holds ${secret.slice(0, 12)}…`,
    )
  assert.ok(app.logLines.some((line) => line.includes('23514') && line.includes('planted"')))
  report(t, { 'kinds of errors': 4, 'secrets looked for': secrets.length, found: 0 })
})
