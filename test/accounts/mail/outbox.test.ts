// From the change that causes a mail to the one who sends it.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { EmailOption, IdentityOptions } from '../../../src/index.js'
import { DeliveryFailed } from '../../../src/email/delivery-failed.js'
import { createMailbox, type Letter } from '../../../src/testing/index.js'
import { type Answer, goodPassword, startApp, type TestApp, withApp } from '../../support/app.js'
import { until } from '../../support/instances.js'
import { publicUrl, startMailApp, withMailApp } from '../../support/mailbox.js'

type Sent = Pick<Letter, 'kind' | 'user' | 'to' | 'content'>
type Deliver = (letter: Sent) => Promise<void>

/** A host's own sender that does with each letter what the test says. */
function senderOf(deliver: Deliver): EmailOption {
  return {
    sendConfirmationLink: (user, to, content) => deliver({ kind: 'confirmationLink', user, to, content }),
    sendPasswordResetLink: (user, to, content) => deliver({ kind: 'passwordResetLink', user, to, content }),
    sendPasswordResetCode: (user, to, content) => deliver({ kind: 'passwordResetCode', user, to, content }),
  }
}

async function startWith(t: TestContext, email: EmailOption, identity: IdentityOptions = {}): Promise<TestApp> {
  const app = await startApp({ identity: { publicUrl, email, ...identity } })
  t.after(() => app.close())
  return app
}

/** A promise that the test keeps. */
function promised(): { readonly kept: Promise<void>; keep: () => void } {
  let keep: () => void = () => undefined
  const kept = new Promise<void>((resolve) => {
    keep = resolve
  })
  return { kept, keep }
}

const registering = (app: TestApp, email: string, password = goodPassword): Promise<Answer> =>
  app.call('POST', '/account/register', { json: { email, password } })

const outbox = (app: TestApp) => app.sql('select *, due_at > now() as waits from outbox order by id')

test('a change that is refused mails nothing', () =>
  withMailApp({}, async (app) => {
    const mails = await app.mailsOf(async () => {
      assert.equal((await registering(app, 'ann@example.com')).status, 200)
      assert.equal((await registering(app, 'ann@example.com')).status, 400)
      assert.equal((await registering(app, 'Ann@Example.com', 'weak')).status, 400)
      assert.equal((await registering(app, 'no address')).status, 400)
    })
    assert.equal(mails.length, 1)
  }))

test('a registration whose mail cannot be written is undone', () =>
  withMailApp({}, async (app) => {
    await app.sql(
      'create function refuse() returns trigger language plpgsql as $$ begin raise exception $a$no$a$; end $$',
    )
    await app.sql('create trigger refuse before insert on outbox for each row execute function refuse()')
    assert.equal((await registering(app, 'ann@example.com')).status, 500)
    assert.deepEqual(await app.sql('select id from users'), [])
    await app.sql('drop trigger refuse on outbox')
    assert.equal((await registering(app, 'ann@example.com')).status, 200)
    await app.app.identity.mail.flush()
    assert.equal(app.mailbox.letters.length, 1)
  }))

test('a mail is not sent before its change is committed, and never when that is undone', async (t) => {
  const mailbox = createMailbox()
  const [reached, goOn] = [promised(), promised()]
  const app = await startWith(t, mailbox, {
    hooks: {
      async userCreated({ user }) {
        if (user.email === 'undone@example.com') throw new Error('undone')
        reached.keep()
        await goOn.kept
      },
    },
  })
  assert.equal((await registering(app, 'undone@example.com')).status, 500)
  const answer = registering(app, 'ann@example.com')
  await reached.kept
  // The transaction is open: nobody else sees user or mail.
  await app.app.identity.mail.flush()
  assert.deepEqual([await outbox(app), mailbox.letters], [[], []])
  goOn.keep()
  assert.equal((await answer).status, 200)
  await app.app.identity.mail.flush()
  assert.deepEqual(
    mailbox.letters.map(({ to }) => to),
    ['ann@example.com'],
  )
})

test('a mail that was sent leaves no row', () =>
  withMailApp({}, async (app) => {
    await app.mailsOf(() => app.register())
    assert.deepEqual(await outbox(app), [])
  }))

test('no request waits for a sender that does not answer', async (t) => {
  const { kept, keep } = promised()
  const asked: Sent[] = []
  const app = await startWith(
    t,
    senderOf((letter) => {
      asked.push(letter)
      return kept
    }),
  )
  t.after(keep)
  const person = await app.register()
  assert.equal(
    (await app.call('POST', '/account/resendConfirmationEmail', { json: { email: person.email } })).status,
    200,
  )
  const { accessToken } = await app.signIn(person)
  assert.equal(
    (await app.call('POST', '/account/manage/info', { token: accessToken, json: { newEmail: 'new@example.com' } }))
      .status,
    200,
  )
  for (let index = 0; index < 20; index++) await app.register()
  await until(() => asked.length === 5)
  assert.equal((await outbox(app)).length, 23)
  keep()
  await app.app.identity.mail.flush()
  assert.equal(asked.length, 23)
})

const failures: [what: string, fail: () => Promise<void>][] = [
  ['rejects', () => Promise.reject(new Error('the relay is down'))],
  [
    'throws',
    () => {
      throw new TypeError('not even a promise')
    },
  ],
  // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what a careless sender does
  ['rejects with no error', () => Promise.reject(undefined)],
  [
    'throws a text',
    () => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- what a careless sender does
      throw 'broken'
    },
  ],
]

for (const [what, fail] of failures) {
  test(`a sender that ${what} fails no request, and gets the mail again`, async (t) => {
    const mailbox = createMailbox()
    let broken = true
    const app = await startWith(
      t,
      senderOf((letter) => (broken ? fail() : mailbox.sendConfirmationLink(letter.user, letter.to, letter.content))),
    )
    const { email } = await app.register()
    await until(async () => (await outbox(app)).some(({ attempts, waits }) => attempts === 1 && waits === true))
    broken = false
    await app.app.identity.mail.flush()
    assert.deepEqual(
      mailbox.letters.map(({ to }) => to),
      [email],
    )
    assert.deepEqual(await outbox(app), [])
  })
}

test('a mail that fails waits longer each time', async (t) => {
  const app = await startWith(
    t,
    senderOf(() => Promise.reject(new Error('down'))),
  )
  await app.register()
  for (const seconds of [1, 2, 4]) {
    const [row] = await waiting(app, seconds)
    assert.ok(
      Number(row!.wait) <= seconds && Number(row!.wait) > seconds - 0.9,
      `${String(row!.wait)} s instead of ${seconds} s`,
    )
    await app.sql('update outbox set due_at = now()')
  }
})

async function waiting(app: TestApp, seconds: number): Promise<Record<string, unknown>[]> {
  let rows: Record<string, unknown>[] = []
  await until(async () => {
    rows = await app.sql(
      'select extract(epoch from due_at - clock_timestamp())::double precision as wait from outbox where attempts = $1',
      [Math.log2(seconds) + 1],
    )
    // Not the minute for which its worker holds it.
    return rows.length === 1 && Number(rows[0]!.wait) < 30
  })
  return rows
}

test('a mail is tried for a day, then kept as failed and no longer waited for', async (t) => {
  const app = await startWith(
    t,
    senderOf(() => Promise.reject(new Error('down'))),
  )
  await app.register()
  await until(async () => (await outbox(app))[0]!.attempts === 1 && (await waiting(app, 1)).length === 1)
  await app.sql("update outbox set due_at = now(), created_at = now() - interval '23 hours 59 minutes'")
  await until(async () => (await outbox(app))[0]!.attempts === 2 && (await waiting(app, 2)).length === 1)
  assert.equal((await outbox(app))[0]!.failed_at, null)
  await app.sql("update outbox set due_at = now(), created_at = now() - interval '24 hours'")
  await app.app.identity.mail.flush()
  const [row] = await outbox(app)
  assert.notEqual(row!.failed_at, null)
  assert.equal(row!.attempts, 3)
})

test('a mail that is refused for good is kept as failed at once', async (t) => {
  const asked: string[] = []
  const app = await startWith(
    t,
    senderOf(({ to }) => {
      asked.push(to)
      return Promise.reject(new DeliveryFailed('no such mailbox', 'EENVELOPE', true))
    }),
  )
  await app.register()
  await app.app.identity.mail.flush()
  assert.equal(asked.length, 1)
  assert.notEqual((await outbox(app))[0]!.failed_at, null)
})

test('one mail that cannot be sent holds up no other', async (t) => {
  const mailbox = createMailbox()
  const app = await startWith(
    t,
    senderOf((letter) =>
      letter.to.startsWith('bad')
        ? Promise.reject(new Error('down'))
        : mailbox.sendConfirmationLink(letter.user, letter.to, letter.content),
    ),
  )
  for (let index = 0; index < 10; index++) await app.register({ email: `bad${index}@example.com` })
  await app.register({ email: 'good@example.com' })
  await until(() => mailbox.letters.length === 1)
  assert.equal(mailbox.letters[0]!.to, 'good@example.com')
})

test('two instances on one database deliver each mail once', async (t) => {
  const sent: string[] = []
  const email = senderOf(async ({ content }) => {
    sent.push(content)
    await new Promise((resolve) => setTimeout(resolve, 5))
  })
  const one = await startWith(t, email)
  const two = await startWith(t, email, { schema: one.schema })
  for (let round = 0; round < 5; round++) {
    await Promise.all(Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? one : two).register()))
  }
  await Promise.all([one.app.identity.mail.flush(), two.app.identity.mail.flush()])
  assert.equal(sent.length, 100)
  assert.equal(new Set(sent).size, 100)
})

test('an instance delivers what another one has written and not sent', async (t) => {
  const mailbox = createMailbox()
  const broken = await startApp({ identity: { publicUrl, email: senderOf(() => Promise.reject(new Error('down'))) } })
  const { email } = await broken.register()
  await until(async () => (await outbox(broken))[0]?.waits === true)
  await broken.close()
  const other = await startWith(t, mailbox, { schema: broken.schema })
  await other.app.identity.mail.flush()
  assert.deepEqual(
    mailbox.letters.map(({ to }) => to),
    [email],
  )
})

test('flush waits for what another instance is sending', async (t) => {
  const { kept, keep } = promised()
  let isSent = false
  const slow = await startWith(
    t,
    senderOf(async () => {
      await kept
      isSent = true
    }),
  )
  const other = await startWith(t, createMailbox(), { schema: slow.schema })
  t.after(keep)
  await slow.register()
  await until(async () => (await outbox(slow))[0]?.attempts === 1)
  const flushed = other.app.identity.mail.flush().then(() => isSent)
  await until(async () => (await outbox(slow)).length === 1)
  keep()
  assert.equal(await flushed, true)
})

test('flush of an instance with nothing to send resolves at once', () =>
  withMailApp({}, async (app) => {
    await app.app.identity.mail.flush()
    await Promise.all([app.app.identity.mail.flush(), app.app.identity.mail.flush()])
    assert.deepEqual(app.mailbox.letters, [])
  }))

test('closing waits for what is being sent, begins nothing new and leaves the rest to another instance', async (t) => {
  const { kept, keep } = promised()
  const begun: string[] = []
  const ended: string[] = []
  const app = await startApp({
    identity: {
      publicUrl,
      email: senderOf(async ({ to }) => {
        begun.push(to)
        await kept
        ended.push(to)
      }),
    },
  })
  const people = await Promise.all(Array.from({ length: 12 }, () => app.register()))
  await until(() => begun.length === 5)
  const closed = app.close()
  keep()
  await closed
  assert.equal(begun.length, 5)
  assert.deepEqual(ended, begun)

  const mailbox = createMailbox()
  const next = await startWith(t, mailbox, { schema: app.schema })
  await next.app.identity.mail.flush()
  assert.deepEqual([...begun, ...mailbox.letters.map(({ to }) => to)].sort(), people.map(({ email }) => email).sort())
})

test('without option email nothing is written, and one line at the start says so', () =>
  withApp({}, async (app) => {
    const person = await app.signIn()
    await app.call('POST', '/account/forgotPassword', { json: { email: person.email } })
    await app.call('POST', '/account/manage/info', { token: person.accessToken, json: { newEmail: 'new@example.com' } })
    await app.app.identity.mail.flush()
    assert.deepEqual(await outbox(app), [])
    const lines = app.logLines.filter((line) => line.includes("option 'email' is not set"))
    assert.equal(lines.length, 1)
    assert.equal((JSON.parse(lines[0]!) as { level: number }).level, 30)
  }))

test('a row of the outbox reveals neither address nor link nor code, and opens nothing in another place', async (t) => {
  const sent: Sent[] = []
  let broken = true
  const app = await startWith(
    t,
    senderOf((letter) => {
      sent.push(letter)
      return broken ? Promise.reject(new Error('down')) : Promise.resolve()
    }),
  )
  await app.register({ email: 'first.person@example.com' })
  await app.register({ email: 'second.person@example.com' })
  await until(() => sent.length === 2)
  const dump = JSON.stringify(await app.sql('select * from outbox'))
  for (const { to, content } of sent) {
    for (const secret of [
      to,
      content,
      new URL(content).searchParams.get('code')!,
      'person',
      'example.com',
      publicUrl,
    ]) {
      for (const form of [
        secret,
        Buffer.from(secret).toString('base64'),
        Buffer.from(secret).toString('base64url'),
        Buffer.from(secret).toString('hex'),
      ]) {
        assert.ok(!dump.toLowerCase().includes(form.toLowerCase()), form)
      }
    }
  }
  // What one row says cannot be put under another one.
  await until(async () => (await outbox(app)).every(({ waits }) => waits === true))
  await app.sql(`update outbox a set sealed = b.sealed, due_at = now() from outbox b where a.id <> b.id`)
  broken = false
  sent.length = 0
  await app.app.identity.mail.flush()
  assert.deepEqual(sent, [])
})

test('the log reports a failed mail without its contents', async (t) => {
  const sent: Sent[] = []
  const app = await startWith(
    t,
    senderOf((letter) => {
      sent.push(letter)
      return Promise.reject(
        Object.assign(new Error(`550 <${letter.to}> said no to ${letter.content}`), {
          code: 'EWORDY',
          response: letter.content,
        }),
      )
    }),
  )
  await app.register({ email: 'quoted.person@example.com' })
  await until(() => app.logLines.some((line) => line.includes('a mail was not delivered')))
  const line = app.logLines.find((entry) => entry.includes('a mail was not delivered'))!
  assert.equal((JSON.parse(line) as { reason: string }).reason, 'EWORDY')
  for (const { content } of sent) {
    for (const entry of app.logLines) {
      assert.ok(!entry.includes('quoted.person'), entry)
      assert.ok(!entry.includes(new URL(content).searchParams.get('code')!), entry)
    }
  }
})

test('mails of a user who is gone are not sent any more', async (t) => {
  const sent: Sent[] = []
  const app = await startWith(
    t,
    senderOf((letter) => {
      sent.push(letter)
      return Promise.reject(new Error('down'))
    }),
  )
  const { email } = await app.register()
  await until(() => sent.length === 1)
  const { users } = app.app.identity
  assert.ok((await users.delete((await users.findByEmail(email))!)).succeeded)
  await app.app.identity.mail.flush()
  assert.equal(sent.length, 1)
})

test('a sender gets a user name that is no address, and the mail goes to the address', async () => {
  const app = await startMailApp()
  try {
    const created = await app.app.identity.users.create({ userName: 'ann', email: 'ann@example.com' }, goodPassword)
    assert.ok(created.succeeded)
    const letter = await app.mailOf(() =>
      app.call('POST', '/account/resendConfirmationEmail', { json: { email: 'ann@example.com' } }),
    )
    assert.deepEqual(
      [letter.to, letter.user],
      ['ann@example.com', { id: created.user.id, userName: 'ann', email: 'ann@example.com' }],
    )
  } finally {
    await app.close()
  }
})
