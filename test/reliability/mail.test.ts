// Mail while something breaks: the SMTP server, the database, the instance. No request notices, no mail is lost, and
// none is sent twice but by an instance that died while sending it.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { IdentityOptions } from '../../src/index.js'
import { register, startApp, tally, until } from '../support/instances.js'
import { faultyPool } from '../support/faulty-pool.js'
import { startChild } from '../support/child.js'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'
import { SmtpServer } from '../support/smtp-server.js'
import { startTcpProxy } from '../support/tcp-proxy.js'
import pg from 'pg'

const publicUrl = 'https://id.example.com'

async function startSmtp(t: TestContext): Promise<SmtpServer> {
  const smtp = await new SmtpServer().start()
  t.after(() => smtp.stop())
  return smtp
}

const people = (count: number) => Array.from({ length: count }, (_, index) => `person${index}@example.com`)
const recipients = (smtp: SmtpServer) => smtp.mails.flatMap(({ to }) => to)
const onceEach = (addresses: readonly string[]) => Object.fromEntries(addresses.map((address) => [address, 1]))

async function sql(schema: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: await databaseUrl(), options: `-c search_path=${schema}` })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(text)).rows
  } finally {
    await client.end()
  }
}

const mailing = (smtp: SmtpServer, more: IdentityOptions = {}): IdentityOptions => ({
  publicUrl,
  email: smtp.url,
  schema: uniqueSchema(),
  ...more,
})

test('with the SMTP server killed in the middle of 200 registrations all are answered 200, and all mails arrive once it is back, each once', async (t) => {
  const smtp = await startSmtp(t)
  const app = await startApp(t, mailing(smtp))
  const addresses = people(200)
  const statuses: number[] = []
  const work = [...addresses]
  const client = async () => {
    for (let address = work.pop(); address !== undefined; address = work.pop())
      statuses.push((await register(app, address)).status)
  }
  const clients = Promise.all(Array.from({ length: 10 }, client))
  await until(() => statuses.length >= 80)
  await smtp.received(20)
  // It falls down under the mails it is being given. None is cut between "kept" and the answer that says so: that one
  // would rightly come twice.
  smtp.mode = 'drop'
  await smtp.asked('DATA', smtp.commands.filter((line) => line === 'DATA').length + 3)
  await smtp.stop()
  const arrivedBefore = smtp.mails.length
  await clients
  assert.deepEqual(tally(statuses), { 200: 200 })
  assert.equal(smtp.mails.length, arrivedBefore)
  assert.ok(arrivedBefore < 200)

  smtp.mode = 'accept'
  await smtp.start()
  await app.identity.mail.flush()
  assert.deepEqual(tally(recipients(smtp)), onceEach(addresses))
})

test('an SMTP server that hangs keeps nobody waiting, and the mails arrive once it speaks again', async (t) => {
  const smtp = await startSmtp(t)
  smtp.mode = 'hang'
  const app = await startApp(t, mailing(smtp))
  const addresses = people(20)
  const answers = await Promise.all(addresses.map((address) => register(app, address)))
  assert.deepEqual(tally(answers.map(({ status }) => status)), { 200: 20 })
  assert.deepEqual(smtp.mails, [])
  // Its operator restarts it.
  await smtp.stop()
  smtp.mode = 'accept'
  await smtp.start()
  await app.identity.mail.flush()
  assert.deepEqual(tally(recipients(smtp)), onceEach(addresses))
})

test('a slow SMTP server gets every mail once from two instances', async (t) => {
  const smtp = await startSmtp(t)
  smtp.mode = 'slow'
  smtp.delayMs = 10
  const options = mailing(smtp)
  const twins = [await startApp(t, options), await startApp(t, options)]
  const addresses = people(40)
  await Promise.all(addresses.map((address, index) => register(twins[index % 2]!, address)))
  await Promise.all(twins.map((app) => app.identity.mail.flush()))
  assert.deepEqual(tally(recipients(smtp)), onceEach(addresses))
})

test('a mailbox that the SMTP server does not know is given up at once and kept for the administrator', async (t) => {
  const smtp = await startSmtp(t)
  smtp.mode = 'reject'
  const options = mailing(smtp)
  const app = await startApp(t, options)
  assert.equal((await register(app, 'nobody@example.com')).status, 200)
  await app.identity.mail.flush()
  assert.deepEqual(await sql(options.schema!, 'select attempts, failed_at is not null as failed from outbox'), [
    { attempts: 1, failed: true },
  ])
})

test('an instance that is killed while it sends loses no mail; only what it was just sending may come twice', async (t) => {
  const smtp = await startSmtp(t)
  smtp.mode = 'slow'
  const options = mailing(smtp)
  const child = startChild(
    t,
    `
    import Fastify from 'fastify'
    import identity from '~/src/index.js'
    const app = Fastify()
    await app.register(identity, { ...JSON.parse(process.env.OPTIONS), password: { hasher: { memoryKiB: 8, iterations: 1 } } })
    for (let index = 0; index < 30; index++) {
      const answer = await app.inject({ method: 'POST', url: '/register', payload: { email: 'person' + index + '@example.com', password: 'Correct-horse-1' } })
      if (answer.statusCode !== 200) throw new Error(answer.body)
    }
    console.log('registered')
    setInterval(() => {}, 1000)
  `,
    { OPTIONS: JSON.stringify({ ...options, database: await databaseUrl() }) },
  )
  assert.equal(await child.line(), 'registered')
  await smtp.received(smtp.mails.length + 1)
  child.process.kill('SIGKILL')
  assert.equal(await child.ended, 'SIGKILL')
  assert.ok(smtp.mails.length < 30)

  const [{ held } = {}] = await sql(
    options.schema!,
    'select count(*)::integer as held from outbox where due_at > now()',
  )
  assert.ok(Number(held) <= 5)
  smtp.mode = 'accept'
  const app = await startApp(t, options)
  // A minute later, what the dead one held is anybody's.
  await sql(options.schema!, 'update outbox set due_at = now() where due_at > now() and attempts > 0')
  await app.identity.mail.flush()
  const counts = tally(recipients(smtp))
  assert.deepEqual(Object.keys(counts).sort(), people(30).sort())
  assert.ok(recipients(smtp).length - 30 <= Number(held), JSON.stringify(counts))
})

test('a mail that was sent while the database went away is not sent again when it comes back', async (t) => {
  let isAway = false
  let refused = 0
  const pool = faultyPool(await databaseUrl(), (text) => {
    if (!isAway) return null
    if (/^delete from .*"outbox"/.test(text)) refused++
    return '57P03'
  })
  t.after(() => pool.end())
  const sent: string[] = []
  const options: IdentityOptions = {
    publicUrl,
    schema: uniqueSchema(),
    database: pool,
    email: {
      send({ to }) {
        sent.push(to)
        isAway = true
        return Promise.resolve()
      },
    },
  }
  const app = await startApp(t, options)
  assert.equal((await register(app, 'ann@example.com')).status, 200)
  await until(() => sent.length === 1)
  // That the mail was sent could not be stored, several times.
  await until(() => refused >= 3)
  isAway = false
  await until(async () => (await sql(options.schema!, 'select id from outbox')).length === 0)
  await app.identity.mail.flush()
  assert.deepEqual(sent, ['ann@example.com'])
})

test('mails wait while the database is away, and are sent when it is back', async (t) => {
  const proxy = await startTcpProxy(await databaseUrl())
  t.after(() => proxy.close())
  const smtp = await startSmtp(t)
  await smtp.stop()
  const app = await startApp(t, mailing(smtp, { database: proxy.url }))
  const addresses = people(5)
  for (const address of addresses) assert.equal((await register(app, address)).status, 200)
  await proxy.refuse()
  await assert.rejects(app.identity.mail.flush(), { code: 'FST_IDENTITY_DATABASE_UNAVAILABLE' })
  await smtp.start()
  await proxy.accept()
  await until(async () =>
    app.identity.mail.flush().then(
      () => true,
      () => false,
    ),
  )
  assert.deepEqual(tally(recipients(smtp)), onceEach(addresses))
})
